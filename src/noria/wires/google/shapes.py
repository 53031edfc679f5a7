"""The wire's objects, as far as Noria reads them.

Source: https://ai.google.dev/api/generate-content. Parts stay objects: each is read by what it holds. Fields that are not
here are kept elsewhere or read over, as each reader says.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec


class ThinkingShape(msgspec.Struct, rename="camel"):
    """How much to think."""

    include_thoughts: bool | None = None
    thinking_budget: int | None = None
    thinking_level: str | None = None


class ConfigShape(msgspec.Struct, rename="camel"):
    """How to generate. Every field here is taken out of the body; all others stay in ``Request.unread``."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    max_output_tokens: int | None = None
    stop_sequences: list[str] | None = None
    candidate_count: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_logprobs: bool | None = None
    logprobs: int | None = None
    thinking_config: ThinkingShape | None = None
    response_mime_type: str | None = None
    response_schema: dict[str, Any] | None = None
    response_json_schema: dict[str, Any] | None = None


class ContentShape(msgspec.Struct):
    """A turn."""

    parts: list[dict[str, Any]] = []
    role: str | None = None


class DeclarationShape(msgspec.Struct, rename="camel"):
    """A function on offer."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    parameters_json_schema: dict[str, Any] | None = None
    response: dict[str, Any] | None = None
    response_json_schema: dict[str, Any] | None = None


class ChoosingShape(msgspec.Struct, rename="camel"):
    """Whether functions are to be called, and which."""

    mode: str | None = None
    allowed_function_names: list[str] | None = None


class RequestShape(msgspec.Struct, rename="camel"):
    """The body of a request. Every field here is taken out of the body; all others stay in ``Request.unread``."""

    contents: list[dict[str, Any]] | dict[str, Any] | str
    system_instruction: dict[str, Any] | str | None = None
    generation_config: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_config: dict[str, Any] | None = None
    variables: dict[str, Any] | None = None


class CountShape(msgspec.Struct, rename="camel"):
    """The answer of ``:countTokens``."""

    total_tokens: Annotated[int, msgspec.Meta(ge=0)]


class AnswerShape(msgspec.Struct):
    """What a candidate says, or a piece of it."""

    parts: list[dict[str, Any]] | None = None


class TokenShape(msgspec.Struct, rename="camel"):
    """A token with its log-probability."""

    token: str = ""
    log_probability: float = 0.0


class TokensShape(msgspec.Struct):
    """The likeliest tokens at one step."""

    candidates: list[TokenShape] | None = None


class LogprobsShape(msgspec.Struct, rename="camel"):
    """Log-probabilities of a candidate."""

    chosen_candidates: list[TokenShape] | None = None
    top_candidates: list[TokensShape] | None = None


class CandidateShape(msgspec.Struct, rename="camel"):
    """One of the answers, or a piece of it."""

    index: int = 0
    content: AnswerShape | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    logprobs_result: LogprobsShape | None = None
    grounding_metadata: dict[str, Any] | None = None
    citation_metadata: dict[str, Any] | None = None


class FeedbackShape(msgspec.Struct, rename="camel"):
    """What Google thinks of the prompt."""

    block_reason: str | None = None
    block_reason_message: str | None = None


class UsageShape(msgspec.Struct, rename="camel"):
    """Token counts."""

    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None


class ReplyShape(msgspec.Struct, rename="camel"):
    """A whole reply, or one piece of a stream."""

    candidates: list[CandidateShape] | None = None
    prompt_feedback: FeedbackShape | None = None
    usage_metadata: UsageShape | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: Any = None
