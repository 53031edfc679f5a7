"""The wire's objects, as far as Noria reads them.

Fields that are not here are kept elsewhere or read over, as each reader says; all are optional that some server
leaves out or sends as null.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from noria.core.messages import Role


class FunctionCall(msgspec.Struct):
    """Name and arguments of a tool call, or a piece of them."""

    name: str | None = None
    arguments: str | None = None


class CustomCall(msgspec.Struct):
    """Name and text of a call of a custom tool, or a piece of them."""

    name: str | None = None
    input: str | None = None


class ToolCallShape(msgspec.Struct):
    """A tool call in a message; in a stream, a piece of one."""

    index: int = 0
    id: str | None = None
    type: str | None = None
    function: FunctionCall | None = None
    custom: CustomCall | None = None
    extra_content: Any = None


class MessageShape(msgspec.Struct):
    """A message of a request. Every field here is taken out of it; all others stay in ``Message.unread``."""

    role: Role | Literal["function"]
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_calls: list[ToolCallShape] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    thinking_blocks: list[dict[str, Any]] | None = None
    refusal: str | None = None
    annotations: list[dict[str, Any]] | None = None
    document_citations: list[dict[str, Any]] | None = None
    function_call: FunctionCall | None = None


class FunctionShape(msgspec.Struct):
    """A function on offer."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class ToolShape(msgspec.Struct):
    """A tool on offer."""

    function: FunctionShape
    type: Literal["function"] = "function"
    cache_control: dict[str, Any] | None = None


class StreamOptions(msgspec.Struct):
    """How to stream."""

    include_usage: bool | None = None


class ReasoningShape(msgspec.Struct, forbid_unknown_fields=True):
    """How much to think, in OpenRouter's words."""

    effort: str | None = None
    max_tokens: int | None = None
    exclude: bool | None = None
    enabled: bool | None = None


class RequestShape(msgspec.Struct):
    """The body of a request. Every field here is taken out of the body; all others stay in ``Request.unread``."""

    model: Annotated[str, msgspec.Meta(min_length=1)]
    messages: list[dict[str, Any]]
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, msgspec.Meta(ge=0, le=100)] | None = None
    response_format: dict[str, Any] | None = None
    reasoning_effort: str | None = None
    reasoning: ReasoningShape | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    functions: list[FunctionShape] | None = None
    function_call: str | FunctionCall | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    safety_identifier: str | None = None
    metadata: dict[str, Any] | None = None
    variables: dict[str, Any] | None = None


class AudioShape(msgspec.Struct):
    """Spoken audio in a reply, or a piece of it."""

    data: str | None = None
    transcript: str | None = None


class AnswerShape(msgspec.Struct):
    """A message of a reply, or a piece of one (``delta``): the same fields in both."""

    role: str | None = None
    content: str | list[dict[str, Any]] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    thinking_blocks: list[dict[str, Any]] | None = None
    refusal: str | None = None
    tool_calls: list[ToolCallShape] | None = None
    function_call: FunctionCall | None = None
    annotations: list[dict[str, Any]] | None = None
    document_citations: list[dict[str, Any]] | None = None
    audio: AudioShape | None = None
    images: list[dict[str, Any]] | None = None


class ChoiceShape(msgspec.Struct):
    """A choice of a reply (``message``) or of a chunk (``delta``)."""

    index: int = 0
    message: AnswerShape | None = None
    delta: AnswerShape | None = None
    finish_reason: str | None = None
    stop_reason: Any = None
    logprobs: dict[str, Any] | None = None


class PromptDetails(msgspec.Struct):
    """Of the prompt tokens."""

    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class CompletionDetails(msgspec.Struct):
    """Of the generated tokens."""

    reasoning_tokens: int | None = None


class UsageShape(msgspec.Struct):
    """Token counts. ``prompt_cache_hit_tokens`` is DeepSeek's."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: int | None = None


class ReplyShape(msgspec.Struct):
    """A whole reply or one chunk of a stream. llama.cpp's ``timings`` and other servers' additions are read over."""

    id: str | None = None
    model: str | None = None
    choices: list[ChoiceShape] | None = None
    usage: UsageShape | None = None
    error: Any = None
