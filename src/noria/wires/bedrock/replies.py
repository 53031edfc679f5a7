"""Replies: one object, or a stream of framed events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallCut, CallGarbled
from noria.core.events import Content, Delta, Started, Stopped, Used
from noria.core.folding import Fold
from noria.core.replies import Reply, Usage
from noria.wires.bedrock.frames import BadFrame, Frame, FrameParser
from noria.wires.bedrock.shapes import EventShape, ReplyShape, UsageShape
from noria.wires.bedrock.told import Told
from noria.wires.statuses import failed

_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
}
_STATUSES = {
    "validationException": 400,
    "throttlingException": 429,
    "modelStreamErrorException": 500,
    "internalServerException": 500,
    "serviceUnavailableException": 503,
}
"""Status that an exception in a stream would have had as a reply."""


_reply_decoder = msgspec.json.Decoder(ReplyShape)
_event_decoder = msgspec.json.Decoder(EventShape)


def decode_reply(body: bytes) -> Reply:
    """A reply that came in one piece.

    Raises:
        CallCut: it has no message or no stop reason.
        CallFailed: it is no reply.
    """
    shape: ReplyShape = _decoded(_reply_decoder, body)
    if shape.output is None or shape.output.message is None or shape.stop_reason is None:
        raise CallCut("Bedrock's reply is not complete: it has no message, or no stop reason.")
    fold, told = Fold(), Told()
    for i, block in enumerate(shape.output.message.content):
        for event in (*told.take(i, block), *told.close(i)):
            fold.take(event)
    fold.take(Delta())  # a message without content is a choice, too
    fold.take(Stopped(reason=_REASONS.get(shape.stop_reason, shape.stop_reason)))
    if usage := _usage(shape.usage):
        fold.take(Used(usage=usage))
    return fold.reply()


class StreamDecoder:
    """The bytes of one streamed reply, cut anywhere, as events.

    The reply is complete with ``messageStop``; ``metadata`` with the token count comes after it, and is the end.
    """

    def __init__(self) -> None:
        self._parser = FrameParser()
        self._told = Told()
        self._started = False
        self._stopped = False
        self._done = False

    @property
    def done(self) -> bool:
        """True once ``metadata`` was read."""
        return self._done

    def feed(self, chunk: bytes) -> Iterator[Content]:
        """Take more bytes; yield the events that they complete. Raises ``CallFailed`` where the stream says so."""
        try:
            for frame in self._parser.feed(chunk):
                if self._done:
                    return
                yield from self._frame(frame)
        except BadFrame as error:
            raise CallGarbled(f"Bedrock sent something that is no stream of events: {error}.") from error

    def close(self) -> None:
        """The bytes have ended. Raises ``CallCut`` when the reply is not complete."""
        if not self._stopped:
            raise CallCut(f"Bedrock's stream ended before the reply {'was complete' if self._started else 'began'}.")

    def _frame(self, frame: Frame) -> Iterator[Content]:
        event: EventShape = _decoded(_event_decoder, frame.payload)
        kind = frame.headers.get(":event-type", "")
        if frame.headers.get(":message-type") != "event":
            name = frame.headers.get(":exception-type") or frame.headers.get(":error-code") or ""
            sentence = event.message or frame.headers.get(":error-message") or name
            raise failed(_STATUSES.get(name, 500), sentence)
        if kind == "messageStart":
            self._started = True
            yield Started()
        elif kind in {"contentBlockStart", "contentBlockDelta"} and (block := event.start or event.delta):
            yield from self._told.take(event.content_block_index, block)
        elif kind == "contentBlockStop":
            yield from self._told.close(event.content_block_index)
        elif kind == "messageStop":
            if event.stop_reason is None:
                raise CallCut("Bedrock's stream ended without saying why.")
            self._stopped = True
            yield from self._told.close_all()
            yield Stopped(reason=_REASONS.get(event.stop_reason, event.stop_reason))
        elif kind == "metadata":
            self._done = self._stopped
            if usage := _usage(event.usage):
                yield Used(usage=usage)


def _usage(shape: UsageShape | None) -> Usage | None:
    """Token counts. Converse counts what was read from the cache, and written into it, beside the other input."""
    if shape is None:
        return None
    read, written = shape.cache_read_input_tokens, shape.cache_write_input_tokens
    counts = (shape.input_tokens, shape.output_tokens, read or 0, written or 0)
    if not all(0 <= count < 2**61 for count in counts):
        return None
    return Usage(
        input_tokens=shape.input_tokens + (read or 0) + (written or 0),
        output_tokens=shape.output_tokens,
        cached_tokens=read,
        cache_write_tokens=written,
    )


def _decoded(decoder: msgspec.json.Decoder[Any], data: bytes) -> Any:
    try:
        return decoder.decode(data)
    except UNREADABLE as error:
        raise CallGarbled(f"Bedrock sent something that is no reply: {error}.") from error
