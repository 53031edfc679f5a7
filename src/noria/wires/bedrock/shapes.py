"""The fields that are read of a reply, and of the events of a stream."""

from __future__ import annotations

from typing import Any

import msgspec


class TextShape(msgspec.Struct):
    """A piece of text, sealed where it is thinking."""

    text: str | None = None
    signature: str | None = None


class ReasoningShape(msgspec.Struct, rename="camel"):
    """Thinking, whole or more of it."""

    reasoning_text: TextShape | None = None
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class ToolUseShape(msgspec.Struct, rename="camel"):
    """A call, whole or more of it."""

    tool_use_id: str | None = None
    name: str | None = None
    input: Any = None


class CitationShape(msgspec.Struct, rename="camel"):
    """What a text rests on."""

    title: str | None = None
    source: str | None = None
    source_content: list[TextShape] | None = None
    location: dict[str, Any] | None = None


class CitedShape(msgspec.Struct):
    """A text with what it rests on."""

    content: list[TextShape] | None = None
    citations: list[CitationShape] | None = None


class ErrorShape(msgspec.Struct):
    """Why something was not made."""

    message: str | None = None


class SourceShape(msgspec.Struct):
    """The bytes of an image, in base64."""

    bytes: str | None = None


class ImageShape(msgspec.Struct):
    """A generated image, whole or more of it."""

    format: str | None = None
    source: SourceShape | None = None
    error: ErrorShape | None = None


class BlockShape(msgspec.Struct, rename="camel"):
    """A block of a reply, or what an event adds to one."""

    text: str | None = None
    tool_use: ToolUseShape | None = None
    reasoning_content: ReasoningShape | None = None
    citations_content: CitedShape | None = None
    citation: CitationShape | None = None
    image: ImageShape | None = None


class MessageShape(msgspec.Struct):
    """What the model says."""

    content: list[BlockShape]


class OutputShape(msgspec.Struct):
    """The answer."""

    message: MessageShape | None = None


class UsageShape(msgspec.Struct, rename="camel"):
    """Token counts."""

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int | None = None
    cache_write_input_tokens: int | None = None


class ReplyShape(msgspec.Struct, rename="camel"):
    """A reply in one piece."""

    output: OutputShape | None = None
    stop_reason: str | None = None
    usage: UsageShape | None = None


class EventShape(msgspec.Struct, rename="camel"):
    """The payload of any event."""

    content_block_index: int = 0
    start: BlockShape | None = None
    delta: BlockShape | None = None
    stop_reason: str | None = None
    usage: UsageShape | None = None
    message: str | None = None
