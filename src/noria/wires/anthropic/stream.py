"""Streamed replies, read: ``message_start`` .. ``message_stop`` as server-sent events, each block opened, filled and closed.

Source: https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallCut, CallGarbled, NoriaError
from noria.core.events import Content, Delta
from noria.wires.anthropic.errors import decode_error_object
from noria.wires.anthropic.shapes import EventShape
from noria.wires.anthropic.told import Told
from noria.wires.mould import Mould
from noria.wires.sse import EventParser

_DATA = b"data: "
_event_decoder = msgspec.json.Decoder(EventShape)


class StreamDecoder:
    """The bytes of one streamed reply, cut anywhere, as events.

    A reply is complete once it has said why it stopped; then a missing ``message_stop`` is forgiven. Blocks that begin
    twice, pieces of blocks that never began, and a second beginning are a failed call: such a stream was garbled.
    """

    def __init__(self) -> None:
        self._parser = EventParser()
        self._told = Told()
        self._mould = Mould()
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
        self._mould.forget()
        lone = self._parser.lone(chunk)
        for event in self._parser.feed(chunk) if lone is None else (lone,):
            if self._done:
                return
            if event.data:
                shape = _decoded(event.data)
                yield from self._event(shape)
                if (
                    lone is not None
                    and shape.type == "content_block_delta"  # any other says nothing, whatever else it holds
                    and shape.delta is not None
                    and shape.delta.type == "text_delta"
                    and shape.delta.text
                ):
                    self._mould.make(chunk, 0, shape.delta.text, partial(_means, shape, shape.delta.text))

    def more_text(self, chunk: bytes) -> Delta | None:
        """See :class:`noria.wires.wire.Decoder`."""
        more = self._mould.more_text(chunk)
        if more is not None:
            self._told.goes_on(more.text)
        return more

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


def _means(event: EventShape, text: str, other: bytes, words: str) -> bool:
    """Whether other bytes are an event with other words than its text."""
    try:
        found = _decoded(other.partition(_DATA)[2])
    except NoriaError:
        return False
    if found.delta is None or found.delta.text != words:
        return False
    found.delta.text = text
    return found == event


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
