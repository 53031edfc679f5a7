"""Large contents back in their records: the way that :mod:`~noria.bridges.otlp.large` went, backwards.

A content that was a list or an object comes back as its JSON text; names, reasoning and error messages, which keep only
their beginning and a sentence, stay as they are. A blob that is gone leaves its reference.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.messages import BlobPart, ImagePart, Message, Part, TextPart, ToolCall
from noria.core.spans import Document, Span, SpanEvent

Get = Callable[[str, int], bytes | None]
"""The bytes of a blob by its SHA-256 and size; None where it is gone, or of another size."""
MOST = 256 << 20
"""Bytes that come back into one span. Senders can make references up: thousands of them, to whatever is the largest."""

_REFERENCE = frozenset({"blob", "bytes", "preview"})


def whole(span: Span, get: Get) -> Span:
    """``span`` with its large contents; ``span`` itself where it has none elsewhere."""
    return _Fetcher(get).span(span) if missing_bytes(span) else span


def missing_bytes(span: Span) -> int:
    """Bytes of the contents that are in the blob store, as the references say."""
    parts = [
        part.bytes
        for message in (*span.input, *span.output)
        if not isinstance(message.content, str)
        for part in message.content
        if isinstance(part, BlobPart)
    ]
    held = [*span.attributes.values(), *span.params.values(), *span.variables.values()]
    held += [value for event in span.events for value in event.attributes.values()]
    held += [_called(call) for message in (*span.input, *span.output) for call in message.tool_calls]
    sizes: list[int] = [value["bytes"] for value in held if _is_reference(value)]
    sizes += [document.metadata["bytes"] for document in span.documents if _is_cut(document)]
    return sum(max(0, size) for size in (*parts, *sizes))


class _Fetcher:
    def __init__(self, get: Get) -> None:
        self._from = get
        self._left = MOST

    def span(self, span: Span) -> Span:
        events = tuple(
            SpanEvent(name=event.name, time_ns=event.time_ns, attributes=self.items(event.attributes))
            for event in span.events
        )
        return msgspec.structs.replace(
            span,
            input=tuple(self.message(message) for message in span.input),
            output=tuple(self.message(message) for message in span.output),
            params=self.items(span.params),
            variables=self.items(span.variables),
            documents=tuple(self.document(document) for document in span.documents),
            events=events,
            attributes=self.items(span.attributes),
        )

    def message(self, message: Message) -> Message:
        content = message.content
        if not isinstance(content, str):
            content = tuple(self.part(part) for part in content)
            if len(content) == 1 and isinstance(content[0], TextPart) and isinstance(message.content[0], BlobPart):
                content = content[0].text
        calls = tuple(self.call(call) for call in message.tool_calls)
        return msgspec.structs.replace(message, content=content, tool_calls=calls)

    def part(self, part: Part) -> Part:
        if not isinstance(part, BlobPart) or (content := self._get(part.sha256, part.bytes)) is None:
            return part
        if not part.media_type.startswith("text/plain"):
            return ImagePart(url=f"data:{part.media_type};base64,{base64.b64encode(content).decode()}")
        text = content.decode("utf-8", "replace")
        return ImagePart(url=text) if text.startswith("data:") else TextPart(text=text)

    def call(self, call: ToolCall) -> ToolCall:
        reference = _called(call)
        text = self._text(reference) if _is_reference(reference) else None
        return call if text is None else msgspec.structs.replace(call, arguments=text)

    def document(self, document: Document) -> Document:
        if not _is_cut(document) or (text := self._text(document.metadata)) is None:
            return document
        metadata = {name: value for name, value in document.metadata.items() if name not in _REFERENCE}
        return msgspec.structs.replace(document, text=text, metadata=self.items(metadata))

    def items(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self.value(value) for name, value in values.items()}

    def value(self, value: Any) -> Any:
        text = self._text(value) if _is_reference(value) else None
        return value if text is None else text

    def _text(self, reference: Mapping[str, Any]) -> str | None:
        content = self._get(reference["blob"], reference["bytes"])
        return None if content is None else content.decode("utf-8", "replace")

    def _get(self, sha256: str, size: int) -> bytes | None:
        if not 0 <= size <= self._left:
            return None
        self._left -= size
        return self._from(sha256, size)


def _is_reference(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == _REFERENCE
        and isinstance(value["blob"], str)
        and isinstance(value["bytes"], int)
    )


def _is_cut(document: Document) -> bool:
    return isinstance(document.metadata.get("blob"), str) and isinstance(document.metadata.get("bytes"), int)


def _called(call: ToolCall) -> Any:
    """Arguments that may be a reference; None where they are none."""
    if not call.arguments.startswith('{"blob":') or len(call.arguments) > 4096:
        return None
    try:
        return msgspec.json.decode(call.arguments)
    except UNREADABLE:
        return None
