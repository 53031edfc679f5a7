"""Langfuse's OpenTelemetry attributes, as its SDKs (Python 3, JS 4 and later) send them.

Source: https://langfuse.com/integrations/native/opentelemetry
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from noria.bridges.otlp.conventions.draft import Column, Convention, Draft, amount, claim, counts, text
from noria.bridges.otlp.messages import as_text, parsed, said, text_message
from noria.bridges.otlp.raw import Attributes
from noria.core.messages import Message, ToolCall

_TYPES = {
    "generation": "chat",
    "embedding": "embeddings",
    "tool": "execute_tool",
    "retriever": "retrieval",
    "agent": "invoke_agent",
}
_BEFORE = "langfuse.observation."
_USAGE = {
    "input": "input_tokens",
    "prompt_tokens": "input_tokens",
    "input_tokens": "input_tokens",
    "output": "output_tokens",
    "completion_tokens": "output_tokens",
    "output_tokens": "output_tokens",
    "input_cached_tokens": "cached_tokens",
    "cache_read_input_tokens": "cached_tokens",
    "output_reasoning_tokens": "reasoning_tokens",
}
_DERIVED = frozenset({"total", "total_tokens"})
_KEYS = frozenset(
    _BEFORE + name
    for name in (
        "input",
        "output",
        "model.parameters",
        "usage_details",
        "cost_details",
        "prompt.name",
        "prompt.version",
        "completion_start_time",
        "level",
        "status_message",
    )
)


def read(draft: Draft, taken: Attributes) -> None:
    """Messages, usage, cost, prompt, and whether it failed."""
    counts(draft, taken, _BEFORE + "usage_details", _USAGE, _DERIVED)
    _cost(draft, taken)
    given = parsed(taken.get(_BEFORE + "model.parameters"))
    if isinstance(given, dict) and draft.offer_params(given):
        del taken[_BEFORE + "model.parameters"]
    name, version = taken.get(_BEFORE + "prompt.name"), taken.get(_BEFORE + "prompt.version")
    if isinstance(name, str):
        known = name if version is None else f"{name}@{version}"
        if claim(draft, taken, _BEFORE + "prompt.name", "prompt_id", known):
            taken.pop(_BEFORE + "prompt.version", None)
    _first_token(draft, taken)
    if taken.get(_BEFORE + "level") == "ERROR":
        draft.offer("status", "error")
        if isinstance(why := taken.get(_BEFORE + "status_message"), str):
            claim(draft, taken, _BEFORE + "status_message", "error_message", why)
    _said(draft, taken)


def _cost(draft: Draft, taken: Attributes) -> None:
    costs = parsed(taken.get(_BEFORE + "cost_details"))
    if not isinstance(costs, dict):
        return
    total = amount(costs.get("total"))
    parts = [found for value in costs.values() if (found := amount(value)) is not None]
    if total is None and parts:
        total = sum(parts)
    if total is not None and draft.offer("cost_usd", total) and set(costs) == {"total"}:
        del taken[_BEFORE + "cost_details"]


def _first_token(draft: Draft, taken: Attributes) -> None:
    moment = taken.get(_BEFORE + "completion_start_time")
    moment = parsed(moment) or moment
    if not isinstance(moment, str):
        return
    try:
        first = datetime.fromisoformat(moment)
    except ValueError:
        return
    first = first if first.tzinfo else first.replace(tzinfo=UTC)
    waited = first.timestamp() - draft.raw.start_ns / 1e9
    if waited >= 0:
        claim(draft, taken, _BEFORE + "completion_start_time", "ttft_s", round(waited, 6))


def _said(draft: Draft, taken: Attributes) -> None:
    is_tool = draft.columns.get("operation") == "execute_tool"
    for name, role in (("input", "user"), ("output", "assistant")):
        key = _BEFORE + name
        if key not in taken:
            continue
        value: Any = taken[key]
        found = parsed(value)
        if isinstance(found, dict) and "messages" in found and name == "input":
            found = found["messages"]
        spoken = None if is_tool else said(found, role=role)
        plain = found if isinstance(found, str) else as_text(value)
        if spoken:
            messages = spoken.messages
        elif is_tool and name == "input":
            messages = (Message(role="assistant", tool_calls=(ToolCall(id="", name=draft.raw.name, arguments=plain),)),)
        elif is_tool:
            messages = text_message("tool", plain)
        else:
            messages = text_message(role, plain)  # type: ignore[arg-type]  # one of two roles
        claim(draft, taken, key, name, messages)


def _type(value: Any) -> str | None:
    return _TYPES.get(value.lower(), value.lower()) if isinstance(value, str) else None


LANGFUSE = Convention(
    "Langfuse",
    read,
    {
        _BEFORE + "type": Column("operation", _type),
        _BEFORE + "model.name": Column("request_model", text),
        "langfuse.session.id": Column("session_id", text),
        "langfuse.user.id": Column("user_id", text),
        "langfuse.trace.session_id": Column("session_id", text),
        "langfuse.trace.user_id": Column("user_id", text),
    },
    keys=_KEYS,
)
