"""The wire's objects, as far as Noria reads them.

Fields that are not here are kept elsewhere or read over, as each reader says; all are optional that some server leaves
out or sends as null.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec


class MessageShape(msgspec.Struct):
    """A message of a request."""

    role: Literal["user", "assistant", "system"]
    content: str | list[dict[str, Any]]


class RequestShape(msgspec.Struct):
    """The body of a request. Every field here is taken out of the body; all others stay in ``Request.unread``."""

    model: Annotated[str, msgspec.Meta(min_length=1)]
    messages: list[MessageShape]
    max_tokens: Annotated[int, msgspec.Meta(ge=0)] | None = None
    system: str | list[dict[str, Any]] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: dict[str, Any] | None = None
    thinking: dict[str, Any] | None = None
    output_config: dict[str, Any] | None = None
    output_format: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    variables: dict[str, Any] | None = None


class OutputDetails(msgspec.Struct):
    """Of the generated tokens."""

    thinking_tokens: int | None = None


class UsageShape(msgspec.Struct):
    """Token counts. ``input_tokens`` holds neither what was read from the cache nor what was written into it."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens_details: OutputDetails | None = None


class StopDetails(msgspec.Struct):
    """Why the output was stopped."""

    explanation: str | None = None


class ReplyShape(msgspec.Struct):
    """A whole reply, the message that a stream starts with, or the count of a prompt's tokens."""

    type: str | None = None
    id: str | None = None
    model: str | None = None
    content: list[dict[str, Any]] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    usage: UsageShape | None = None
    input_tokens: int | None = None
    error: Any = None


class DeltaShape(msgspec.Struct):
    """A piece of a block; in ``message_delta``, how the reply ended."""

    type: str | None = None
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    citation: dict[str, Any] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None


class EventShape(msgspec.Struct):
    """One event of a streamed reply."""

    type: str = ""
    index: int = 0
    message: ReplyShape | None = None
    content_block: dict[str, Any] | None = None
    delta: DeltaShape | None = None
    usage: UsageShape | None = None
    error: Any = None
