"""Streamed replies, read: ``message_start`` .. ``message_stop`` as server-sent events, each block opened, filled and closed.

Source: https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallCut, CallGarbled
from noria.core.events import Content
from noria.wires.anthropic.errors import decode_error_object
from noria.wires.anthropic.shapes import EventShape
from noria.wires.anthropic.told import Told
from noria.wires.sse import EventParser

_event_decoder = msgspec.json.Decoder(EventShape)


class StreamDecoder:
    """The bytes of one streamed reply, cut anywhere, as events.

    A reply is complete once it has said why it stopped; then a missing ``message_stop`` is forgiven. Blocks that begin
    twice, pieces of blocks that never began, and a second beginning are a failed call: such a stream was garbled.
    """

    def __init__(self) -> None:
        self._parser = EventParser()
        self._told = Told()
        self._started = False
        self._stopped = False
        self._done = False

    @property
    def done(self) -> bool:
        """True once ``message_stop`` was read."""
        return self._done

    def feed(self, chunk: bytes) -> Iterator[Content]:
        """Take more bytes; yield the events that they complete.

        Raises:
            CallFailed: at its place in the stream, an error event (``CallRefused`` where the provider refuses), or
                something that no reply can hold.
            CallCut: ``message_stop`` came before the reply was complete.
        """
        for event in self._parser.feed(chunk):
            if self._done:
                return
            if event.data:
                yield from self._event(_decoded(event.data))

    def close(self) -> None:
        """The bytes have ended. Raises ``CallCut`` when the reply is not complete."""
        if not self._started:
            raise CallCut("The provider's stream ended before the reply began.")
        if not self._stopped:
            raise CallCut("The provider's stream ended before the reply was complete.")

    def _event(self, event: EventShape) -> Iterator[Content]:
        match event.type:
            case "content_block_delta" if event.delta is not None:
                yield from self._told.more(event.index, event.delta)
            case "content_block_start" if event.content_block is not None:
                yield from self._told.opened(event.index, event.content_block)
            case "content_block_stop":
                yield from self._told.closed(event.index)
            case "message_start" if event.message is not None:
                if self._started:
                    raise CallGarbled("The provider's reply begins a second time.")
                self._started = True
                yield from self._told.started(event.message)
            case "message_delta" if event.delta is not None:
                if event.delta.stop_reason is not None:
                    self._stopped = True
                    delta = event.delta
                    yield from self._told.stopped(event.delta.stop_reason, delta.stop_sequence, delta.stop_details)
                yield from self._told.counted(event.usage)
            case "message_stop":
                self.close()
                self._done = True
            case "content_block_delta" | "content_block_start" | "message_start" | "message_delta":
                raise CallGarbled(f"The provider sent a {event.type} without what it is about.")


def _decoded(data: bytes) -> EventShape:
    try:
        event = _event_decoder.decode(data)
    except UNREADABLE as error:
        raise CallGarbled(f"The provider sent something that is no event of an Anthropic stream: {error}.") from error
    if event.type == "error" or event.error:
        raise decode_error_object(event.error)
    if not event.type:
        raise CallGarbled("The provider sent something that is no event of an Anthropic stream: it has no type.")
    return event
