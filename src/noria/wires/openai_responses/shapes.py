"""The wire's objects, as far as Noria reads them. Others stay as they came, or are read over, as each reader says."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec


class ReasoningShape(msgspec.Struct):
    """How much to think, and whether to tell. ``generate_summary`` is the older name of ``summary``."""

    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None


class RequestShape(msgspec.Struct):
    """The body of a request. Every field here is taken out of the body; all others stay in ``Request.unread``."""

    model: Annotated[str, msgspec.Meta(min_length=1)]
    input: str | list[dict[str, Any]] | None = None
    instructions: str | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    top_logprobs: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None
    text: dict[str, Any] | None = None
    reasoning: ReasoningShape | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    include: list[str] | None = None
    stream: bool | None = None
    store: bool | None = None
    background: bool | None = None
    user: str | None = None
    safety_identifier: str | None = None
    metadata: dict[str, Any] | None = None
    variables: dict[str, Any] | None = None


class InputDetails(msgspec.Struct):
    """Of the prompt tokens."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class OutputDetails(msgspec.Struct):
    """Of the generated tokens."""

    reasoning_tokens: int | None = None


class UsageShape(msgspec.Struct):
    """Token counts."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


class IncompleteShape(msgspec.Struct):
    """Why a response is not whole."""

    reason: str | None = None


class ResponseShape(msgspec.Struct):
    """A response."""

    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: list[dict[str, Any]] | None = None
    usage: UsageShape | None = None
    incomplete_details: IncompleteShape | None = None
    error: Any = None


class EventShape(msgspec.Struct):
    """An event of a stream; each kind has some of these fields."""

    type: str
    response: ResponseShape | None = None
    item: dict[str, Any] | None = None
    output_index: int = 0
    summary_index: int = 0
    content_index: int = 0
    delta: Any = None
    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    input: str | None = None
    annotation: Any = None
    logprobs: list[Any] | None = None
    error: Any = None
    message: str | None = None
    code: Any = None
