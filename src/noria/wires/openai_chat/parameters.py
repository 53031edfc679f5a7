"""How to decode: parameters on the wire."""

from __future__ import annotations

from typing import Any

import msgspec

from noria.core.errors import InvalidInput
from noria.core.requests import Parameters, Reasoning
from noria.wires.carrying import Carrying
from noria.wires.effort import effort_of
from noria.wires.openai_chat.dialect import Dialect
from noria.wires.openai_chat.shapes import RequestShape

_CARRIED_ALIKE = ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty")
"""Parameters with one name and one meaning on the wire and in :class:`Parameters`."""
_UNNAMED = "reply"
"""Name of a schema that has none; the wire wants one."""


def params_in(shape: RequestShape, unread: dict[str, Any]) -> Parameters:
    """Decoding parameters; puts what it has no noun for into ``unread``."""
    limit, newer = shape.max_tokens, shape.max_completion_tokens
    if limit is not None and newer is not None and limit != newer:
        raise InvalidInput(f"`max_tokens` ({limit}) and `max_completion_tokens` ({newer}) differ; send one of them.")
    if shape.top_logprobs and not shape.logprobs:
        raise InvalidInput("`top_logprobs` needs `logprobs`: true.")
    params = Parameters(
        temperature=shape.temperature,
        top_p=shape.top_p,
        top_k=shape.top_k,
        max_tokens=newer if limit is None else limit,
        stop=(shape.stop,) if isinstance(shape.stop, str) else tuple(shape.stop or ()),
        seed=shape.seed,
        presence_penalty=shape.presence_penalty,
        frequency_penalty=shape.frequency_penalty,
        logprobs=(shape.top_logprobs or 0) if shape.logprobs else None,
        parallel_tools=shape.parallel_tool_calls,
        reasoning=_reasoning_in(shape),
    )
    if shape.response_format is None:
        return params
    return msgspec.structs.replace(params, **_format_in(shape.response_format, unread))


def params_out(params: Parameters, body: dict[str, Any], dialect: Dialect, carrying: Carrying, *, own: bool) -> None:
    """Write ``params`` into ``body``; ``own`` as for a message."""
    for name in _CARRIED_ALIKE:
        if (value := getattr(params, name)) is not None:
            body[name] = value
    if params.max_tokens is not None:
        body[dialect.limit_field] = params.max_tokens
    if params.top_k is not None:
        if own or "top_k" in dialect.extensions:
            body["top_k"] = params.top_k
        else:
            carrying.cannot("top_k", "it has none")
    if params.stop:
        body["stop"] = params.stop
    _format_out(params, body)
    if params.logprobs is not None:
        body["logprobs"] = True
        if params.logprobs:
            body["top_logprobs"] = params.logprobs
    if params.reasoning is not None:
        body |= _reasoning_out(params.reasoning, own=own)


def _format_in(format: dict[str, Any], unread: dict[str, Any]) -> dict[str, Any]:
    match format:
        case {"type": "text"}:
            return {}
        case {"type": "json_object"} if len(format) == 1:
            return {"response_json": True}
        case {"type": "json_schema", "json_schema": {"schema": dict(schema), **rest}} if not {*rest} - {
            "name",
            "strict",
        }:
            strict, name = rest.get("strict"), rest.get("name")
            if not isinstance(strict, bool | None) or not isinstance(name, str | None):
                raise InvalidInput(
                    "`response_format.json_schema` is wrong: `name` is a text and `strict` true or false."
                )
            name = None if name == _UNNAMED else name
            return {"response_schema": schema, "response_name": name, "response_strict": bool(strict)}
        case _:
            unread["response_format"] = format
    return {}


def _reasoning_in(shape: RequestShape) -> Reasoning | None:
    effort, words = shape.reasoning_effort, shape.reasoning
    if words is None:
        return None if effort is None else Reasoning(effort=effort)
    if effort is not None and words.effort not in {None, effort}:
        raise InvalidInput(f"`reasoning_effort` ({effort}) and `reasoning.effort` ({words.effort}) differ.")
    off = words.enabled is False
    return Reasoning(
        effort="none"
        if off
        else effort or words.effort or ("medium" if words.enabled and not words.max_tokens else None),
        tokens=None if off else words.max_tokens,
        shown=None if words.exclude is None else not words.exclude,
    )


def _reasoning_out(reasoning: Reasoning, *, own: bool) -> dict[str, Any]:
    """How much to think. ``shown`` is not written for other wires' callers: those servers that think aloud always do."""
    if own and (reasoning.tokens is not None or reasoning.shown is not None):  # so it came in OpenRouter's words
        words = {"effort": reasoning.effort, "max_tokens": reasoning.tokens}
        told = {name: value for name, value in words.items() if value is not None}
        return {"reasoning": told | ({} if reasoning.shown is None else {"exclude": not reasoning.shown})}
    if reasoning.effort is not None:
        return {"reasoning_effort": reasoning.effort}
    if reasoning.tokens is not None:
        return {"reasoning_effort": effort_of(reasoning.tokens)}
    return {}


def _format_out(params: Parameters, body: dict[str, Any]) -> None:
    if params.response_schema is not None:
        wanted = {
            "name": params.response_name or _UNNAMED,
            "schema": params.response_schema,
            "strict": params.response_strict,
        }
        body["response_format"] = {"type": "json_schema", "json_schema": wanted}
    elif params.response_json:
        body["response_format"] = {"type": "json_object"}
