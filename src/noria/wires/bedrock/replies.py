"""Replies: one object, or a stream of framed events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallCut, CallGarbled
from noria.core.events import Content, Delta, Started, Stopped, ThoughtDelta, ToolCallDelta, Used
from noria.core.folding import Fold
from noria.core.messages import Citation
from noria.core.replies import Reply, Usage
from noria.wires import makers
from noria.wires.bedrock.frames import BadFrame, Frame, FrameParser
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


class _Text(msgspec.Struct):
    text: str | None = None
    signature: str | None = None


class _Reasoning(msgspec.Struct, rename="camel"):
    reasoning_text: _Text | None = None
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class _ToolUse(msgspec.Struct, rename="camel"):
    tool_use_id: str | None = None
    name: str | None = None
    input: Any = None


class _CitationShape(msgspec.Struct, rename="camel"):
    title: str | None = None
    source: str | None = None
    source_content: list[_Text] | None = None
    location: dict[str, Any] | None = None


class _Cited(msgspec.Struct):
    content: list[_Text] | None = None
    citations: list[_CitationShape] | None = None


class _BlockShape(msgspec.Struct, rename="camel"):
    """A block of a reply, or what an event adds to one."""

    text: str | None = None
    tool_use: _ToolUse | None = None
    reasoning_content: _Reasoning | None = None
    citations_content: _Cited | None = None
    citation: _CitationShape | None = None


class _MessageShape(msgspec.Struct):
    content: list[_BlockShape]


class _OutputShape(msgspec.Struct):
    message: _MessageShape | None = None


class _UsageShape(msgspec.Struct, rename="camel"):
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None


class _ReplyShape(msgspec.Struct, rename="camel"):
    output: _OutputShape | None = None
    stop_reason: str | None = None
    usage: _UsageShape | None = None


class _EventShape(msgspec.Struct, rename="camel"):
    """The payload of any event."""

    content_block_index: int = 0
    start: _BlockShape | None = None
    delta: _BlockShape | None = None
    stop_reason: str | None = None
    usage: _UsageShape | None = None
    message: str | None = None


_reply_decoder = msgspec.json.Decoder(_ReplyShape)
_event_decoder = msgspec.json.Decoder(_EventShape)


def decode_reply(body: bytes) -> Reply:
    """A reply that came in one piece.

    Raises:
        CallCut: it has no message or no stop reason.
        CallFailed: it is no reply.
    """
    shape: _ReplyShape = _decoded(_reply_decoder, body)
    if shape.output is None or shape.output.message is None or shape.stop_reason is None:
        raise CallCut("Bedrock's reply is not complete: it has no message, or no stop reason.")
    fold, blocks = Fold(), _Blocks()
    for i, block in enumerate(shape.output.message.content):
        for event in blocks.take(i, block):
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
        self._blocks = _Blocks()
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
        event: _EventShape = _decoded(_event_decoder, frame.payload)
        kind = frame.headers.get(":event-type", "")
        if frame.headers.get(":message-type") != "event":
            name = frame.headers.get(":exception-type") or frame.headers.get(":error-code") or ""
            sentence = event.message or frame.headers.get(":error-message") or name
            raise failed(_STATUSES.get(name, 500), sentence)
        if kind == "messageStart":
            self._started = True
            yield Started()
        elif kind in {"contentBlockStart", "contentBlockDelta"} and (block := event.start or event.delta):
            yield from self._blocks.take(event.content_block_index, block)
        elif kind == "messageStop":
            if event.stop_reason is None:
                raise CallCut("Bedrock's stream ended without saying why.")
            self._stopped = True
            yield Stopped(reason=_REASONS.get(event.stop_reason, event.stop_reason))
        elif kind == "metadata":
            self._done = self._stopped
            if usage := _usage(event.usage):
                yield Used(usage=usage)


class _Blocks:
    """Numbers tool calls and blocks of thinking in the order in which they come."""

    def __init__(self) -> None:
        self._calls: dict[int, int] = {}
        self._thoughts: dict[int, int] = {}
        self._length = 0

    def take(self, index: int, block: _BlockShape) -> Iterator[Delta]:
        if block.text:
            self._length += len(block.text)
            yield Delta(text=block.text)
        if block.tool_use is not None:
            yield Delta(tool_calls=(self._call(index, block.tool_use),))
        if block.reasoning_content is not None:
            yield self._thought(index, block.reasoning_content)
        if block.citation is not None:
            yield Delta(citations=(_citation(block.citation),))
        if (cited := block.citations_content) is not None:
            text = "".join(piece.text or "" for piece in cited.content or ())
            start, self._length = self._length, self._length + len(text)
            citations = (_citation(shape, start, self._length) for shape in cited.citations or ())
            yield Delta(text=text, citations=tuple(citations))

    def _call(self, index: int, use: _ToolUse) -> ToolCallDelta:
        arguments = use.input
        if arguments is not None and not isinstance(arguments, str):  # whole replies have an object, streams its text
            arguments = msgspec.json.encode(arguments).decode()
        number = self._calls.setdefault(index, len(self._calls))
        return ToolCallDelta(index=number, id=use.tool_use_id or "", name=use.name or "", arguments=arguments or "")

    def _thought(self, index: int, reasoning: _Reasoning) -> Delta:
        whole = reasoning.reasoning_text
        signature = reasoning.redacted_content or (whole.signature if whole else reasoning.signature) or ""
        piece = ThoughtDelta(
            index=self._thoughts.setdefault(index, len(self._thoughts)),
            signature=signature,
            redacted=reasoning.redacted_content is not None,
            format=makers.ANTHROPIC if signature else "",  # Claude is the one that signs there
        )
        return Delta(reasoning=(whole.text if whole else reasoning.text) or "", thought=piece)


def _citation(shape: _CitationShape, start: int | None = None, end: int | None = None) -> Citation:
    data: dict[str, Any] = {name: value for name, value in msgspec.to_builtins(shape).items() if value is not None}
    location = shape.location or {}
    place = next((value for value in location.values() if isinstance(value, dict)), {})
    document = place.get("documentIndex")
    return Citation(
        url=str(place.get("url") or ""),
        title=shape.title or "",
        cited="".join(piece.text or "" for piece in shape.source_content or ()),
        document=document if isinstance(document, int) else None,
        start=start,
        end=end,
        data=data,
    )


def _usage(shape: _UsageShape | None) -> Usage | None:
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
