"""Contents too large for a record: their bytes go to the blob store, a reference and the beginning stay.

In messages the reference is a :class:`~noria.core.messages.BlobPart`; elsewhere it is
``{"blob": sha256, "bytes": n, "preview": ...}``. Records stay small, so that a list of them is read fast.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from noria.core.messages import BlobPart, ImagePart, Message, OtherPart, Part, TextPart, ToolCall
from noria.core.scores import Score
from noria.core.spans import Document, Span, SpanEvent

PREVIEW = 400
"""Characters of a text that stay in the record."""
LARGEST = 8 << 20
"""Most bytes of a record in JSON."""
_TEXT = "text/plain; charset=utf-8"
_SMALLER = 4 << 10

Put = Callable[[bytes], str]
"""Stores bytes durably; their SHA-256."""


def slim(span: Span, put: Put, limit: int) -> Span | None:
    """``span`` with everything larger than ``limit`` bytes moved out, smaller things too where it is still too large.

    None where even that does not help. ``span`` itself where nothing is large.
    """
    size = _size(span)
    if size <= limit:
        return span
    for bound in (limit, _SMALLER):
        span = _Mover(put, bound).span(span)
        size = _size(span)
        if size <= LARGEST:
            return span
    return None


def slim_score(score: Score, put: Put, limit: int) -> Score | None:
    """The same for a score."""
    if _size(score) <= limit:
        return score
    mover = _Mover(put, limit)
    score = msgspec.structs.replace(score, reason=mover.text(score.reason), metadata=mover.items(score.metadata))
    return score if _size(score) <= LARGEST else None


def _size(record: Span | Score) -> int:
    return len(msgspec.json.encode(record))


class _Mover:
    def __init__(self, put: Put, limit: int) -> None:
        self._put = put
        self._limit = limit

    def span(self, span: Span) -> Span:
        """All parts of a span that hold contents."""
        return msgspec.structs.replace(
            span,
            name=self.text(span.name),
            error_message=None if span.error_message is None else self.text(span.error_message),
            input=tuple(self.message(message) for message in span.input),
            output=tuple(self.message(message) for message in span.output),
            params=self.items(span.params),
            variables=self.items(span.variables),
            documents=tuple(self.document(document) for document in span.documents),
            events=tuple(
                SpanEvent(name=event.name, time_ns=event.time_ns, attributes=self.items(event.attributes))
                for event in span.events
            ),
            attributes=self.items(span.attributes),
        )

    def message(self, message: Message) -> Message:
        """Texts become blob parts; texts that can be no part keep their beginning and say where the rest is."""
        content: str | tuple[Part, ...] = message.content
        if isinstance(content, str):
            content = (self._blob(content),) if self._is_large(content) else content
        else:
            content = tuple(self.part(part) for part in content)
        calls = tuple(self.call(call) for call in message.tool_calls)
        return msgspec.structs.replace(
            message,
            content=content,
            tool_calls=calls,
            reasoning=self.text(message.reasoning),
            refusal=self.text(message.refusal),
        )

    def part(self, part: Part) -> Part:
        """One part."""
        if isinstance(part, TextPart):
            return self._blob(part.text) if self._is_large(part.text) else part
        if isinstance(part, ImagePart):
            return self._image(part) if self._is_large(part.url) else part
        return OtherPart(data=self.items(part.data)) if isinstance(part, OtherPart) else part

    def call(self, call: ToolCall) -> ToolCall:
        """Arguments are JSON text, so a reference to them is, too."""
        if not self._is_large(call.arguments):
            return call
        reference = msgspec.json.encode(self._reference(call.arguments)).decode()
        return ToolCall(id=call.id, name=call.name, arguments=reference)

    def document(self, document: Document) -> Document:
        """A passage keeps its beginning, and its metadata say where the rest is."""
        metadata = self.items(document.metadata)
        if not self._is_large(document.text):
            return msgspec.structs.replace(document, metadata=metadata)
        reference = self._reference(document.text)
        return msgspec.structs.replace(document, text=reference.pop("preview"), metadata=metadata | reference)

    def items(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values of a dictionary, each by itself."""
        return {key: self.value(value) for key, value in values.items()}

    def value(self, value: Any) -> Any:
        """A text as a reference; a list or dictionary as one, too, where it is large as a whole."""
        if isinstance(value, str):
            return self._reference(value) if self._is_large(value) else value
        if isinstance(value, dict | list | tuple):
            encoded = msgspec.json.encode(value)
            if len(encoded) > self._limit:
                return self._reference(encoded.decode())
        return value

    def text(self, text: str) -> str:
        """A text that must stay one."""
        if not self._is_large(text):
            return text
        reference = self._reference(text)
        return f"{reference['preview']} … [{reference['bytes']:,} bytes: blob {reference['blob']}]"

    def _is_large(self, text: str) -> bool:
        # Only long texts are encoded to be measured: no character takes more than 4 bytes.
        return len(text) > self._limit or (len(text) * 4 > self._limit and len(text.encode()) > self._limit)

    def _reference(self, text: str) -> dict[str, Any]:
        content = text.encode()
        return {"blob": self._put(content), "bytes": len(content), "preview": text[:PREVIEW]}

    def _blob(self, text: str) -> BlobPart:
        content = text.encode()
        return BlobPart(sha256=self._put(content), bytes=len(content), media_type=_TEXT, preview=text[:PREVIEW])

    def _image(self, part: ImagePart) -> Part:
        head, comma, data = part.url.partition(",")
        if part.url.startswith("data:") and comma:
            media_type, _, coding = head.removeprefix("data:").partition(";")
            if coding.endswith("base64"):
                try:
                    content = base64.b64decode(data, validate=True)
                except (binascii.Error, ValueError):
                    return self._blob(part.url)
                return BlobPart(sha256=self._put(content), bytes=len(content), media_type=media_type or _TEXT)
        return self._blob(part.url)
