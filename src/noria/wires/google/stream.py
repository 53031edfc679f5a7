"""Streamed replies of Google: ``GenerateContentResponse`` objects as server-sent events. No mark ends them."""

from __future__ import annotations

from collections.abc import Iterator

from noria.core.errors import CallCut
from noria.core.events import Content
from noria.core.requests import Request
from noria.wires.google.course import Course
from noria.wires.google.replies import Reading, decode_shape
from noria.wires.sse import EventParser


class StreamDecoder:
    """The bytes of one streamed reply, cut anywhere, as events.

    A reply is complete when every candidate that began has its finish reason, and ends when the bytes do: the token
    count may come after it. An answer that goes on after its finish reason is a failed call, as Google's reference has it:
    "If empty, the model has not stopped generating tokens". So is one that begins again, where that can be told.

    Arguments:
        request: what is answered.
    """

    def __init__(self, request: Request) -> None:
        self._parser = EventParser()
        self._reading = Reading(request)
        self._course = Course()

    @property
    def done(self) -> bool:
        """False: the end of the bytes is the only mark there is."""
        return False

    def feed(self, chunk: bytes) -> Iterator[Content]:
        """Take more bytes; yield the events that they complete.

        Raises:
            CallFailed: at its place in the stream, an error object (``CallRefused`` where the provider refuses) or
                something that is no reply.
        """
        for event in self._parser.feed(chunk):
            if event.data:
                shape = decode_shape(event.data)
                self._course.take(event.data, shape)
                yield from self._reading.take(shape)

    def close(self) -> None:
        """The bytes have ended. Raises ``CallCut`` when the reply is not complete."""
        if not self._reading.complete:
            raise CallCut("The provider's stream ended before the reply was complete.")
