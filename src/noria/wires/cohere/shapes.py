"""The wire's replies, as far as Noria reads them. All fields are optional that some reply leaves out or sends as null."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from noria.core.replies import Usage


class Source(msgspec.Struct):
    """What a citation points at: a document of the request, or the output of a tool."""

    type: str | None = None
    id: str | None = None
    document: dict[str, Any] | None = None
    tool_output: dict[str, Any] | None = None


class CitationShape(msgspec.Struct):
    """A claim of the answer and its sources."""

    start: int | None = None
    end: int | None = None
    text: str | None = None
    sources: list[Source] | None = None
    content_index: int | None = None
    type: str | None = None


class Block(msgspec.Struct):
    """A block of an answer, or a piece of one: text or thinking."""

    text: str | None = None
    thinking: str | None = None


class FunctionCall(msgspec.Struct):
    """Name and arguments of a tool call, or a piece of them."""

    name: str | None = None
    arguments: str | None = None


class ToolCallShape(msgspec.Struct):
    """A tool call, or a piece of one."""

    id: str | None = None
    function: FunctionCall | None = None


class AnswerShape(msgspec.Struct):
    """A message of a reply; in a stream, what an event adds to it: one item where the whole message has a list."""

    content: Block | list[Block] | None = None
    tool_plan: str | None = None
    tool_calls: ToolCallShape | list[ToolCallShape] | None = None
    citations: CitationShape | list[CitationShape] | None = None


class Counted(msgspec.Struct):
    """Numbers of tokens, which the wire sends as floating-point numbers."""

    input_tokens: float | None = None
    output_tokens: float | None = None


class UsageShape(msgspec.Struct):
    """Token counts; ``meta`` of a reply with vectors or a ranking has the same fields."""

    billed_units: Counted | None = None
    tokens: Counted | None = None
    cached_tokens: float | None = None


class LogprobShape(msgspec.Struct):
    """A piece of text and the log-probabilities of its tokens."""

    text: str | None = None
    logprobs: list[float] | None = None


class ReplyShape(msgspec.Struct):
    """A whole chat reply."""

    id: str | None = None
    finish_reason: str | None = None
    message: AnswerShape | None = None
    usage: UsageShape | None = None
    logprobs: list[LogprobShape] | None = None


class DeltaShape(msgspec.Struct):
    """What an event of a stream brings."""

    message: AnswerShape | None = None
    finish_reason: str | None = None
    usage: UsageShape | None = None
    error: str | None = None


class EventShape(msgspec.Struct):
    """An event of a stream."""

    type: str | None = None
    id: str | None = None
    index: int | None = None
    delta: DeltaShape | None = None
    logprobs: LogprobShape | None = None
    message: str | None = None
    """Of an error object that came in an event's place."""


def usage_of(shape: UsageShape | None) -> Usage | None:
    """Token counts; None where nobody counted, or where a number is none that tokens can have.

    Billed units are what is recorded, since budgets and costs are made of them: the tokens that the model saw include
    Cohere's own preamble, which nobody pays for. Where nothing was billed by tokens, those that the model saw.
    """
    if shape is None:
        return None
    counted = shape.billed_units
    if counted is None or counted.input_tokens is None:
        counted = shape.tokens
    sent = _count(counted.input_tokens) if counted else None
    generated = _count((counted.output_tokens if counted else None) or 0.0)
    if sent is None or generated is None:
        return None
    cached = _count(shape.cached_tokens)
    return Usage(
        input_tokens=sent, output_tokens=generated, cached_tokens=None if cached is None else min(cached, sent)
    )


def _count(tokens: float | None) -> int | None:
    if tokens is None or not math.isfinite(tokens) or not 0 <= tokens < 2**63:
        return None
    return int(tokens)
