"""OpenLLMetry (Traceloop): its own names beside the GenAI ones, which :mod:`genai_before` reads.

Source: https://github.com/traceloop/openllmetry, package opentelemetry-semantic-conventions-ai
"""

from __future__ import annotations

from typing import Any

from noria.bridges.otlp.conventions.draft import (
    Column,
    Convention,
    Draft,
    claim,
    count,
    derived_total,
    number,
    text,
    texts,
)
from noria.bridges.otlp.messages import as_text, parsed, said, text_message
from noria.bridges.otlp.raw import Attributes
from noria.core.messages import Message, ToolCall

_KINDS = {"agent": "invoke_agent", "tool": "execute_tool", "workflow": "invoke_workflow"}
_TYPES = {"completion": "text_completion", "embedding": "embeddings"}
_PROPERTIES = "traceloop.association.properties."
_NAMES = {"session_id": "session_id", "chat_id": "session_id", "thread_id": "session_id", "user_id": "user_id"}
_PROMPT, _TOOL = "traceloop.prompt.", "execute_tool"


def read(draft: Draft, taken: Attributes) -> None:
    """Who asked, which prompt, and what a workflow, task or tool took and gave."""
    for name, column in _NAMES.items():
        key = _PROPERTIES + name
        if key in taken:
            claim(draft, taken, key, column, text(taken[key]))
    _prompt(draft, taken)
    name = str(taken.get("traceloop.entity.name", ""))
    is_tool = draft.columns.get("operation") == _TOOL
    if is_tool and name:
        claim(draft, taken, "traceloop.entity.name", "tool_name", name)
    if "traceloop.entity.input" in taken:
        value = as_text(taken["traceloop.entity.input"])
        call = Message(role="assistant", tool_calls=(ToolCall(id="", name=name, arguments=value),))
        spoken = (call,) if is_tool else _spoken(value, "user")
        claim(draft, taken, "traceloop.entity.input", "input", spoken)
    if "traceloop.entity.output" in taken:
        value = as_text(taken["traceloop.entity.output"])
        spoken = (Message(role="tool", content=value, name=name or None),) if is_tool else _spoken(value, "assistant")
        claim(draft, taken, "traceloop.entity.output", "output", spoken)
    derived_total(draft, taken, "llm.usage.total_tokens")


def _spoken(value: str, role: Any) -> tuple[Message, ...]:
    found = said(value, role=role)
    return found.messages if found else text_message(role, value)


def _prompt(draft: Draft, taken: Attributes) -> None:
    variables = parsed(taken.get(_PROMPT + "template_variables"))
    if isinstance(variables, dict):
        claim(draft, taken, _PROMPT + "template_variables", "variables", variables)
    name, version = taken.get(_PROMPT + "key"), taken.get(_PROMPT + "version")
    if isinstance(name, str):
        known = name if version is None else f"{name}@{version}"
        if claim(draft, taken, _PROMPT + "key", "prompt_id", known):
            taken.pop(_PROMPT + "version", None)


def _kind(value: Any) -> str | None:
    return _KINDS.get(value, value) if isinstance(value, str) else None


def _type(value: Any) -> str | None:
    return _TYPES.get(value, value) if isinstance(value, str) and value != "unknown" else None


TRACELOOP = Convention(
    "OpenLLMetry",
    read,
    {
        "llm.request.type": Column("operation", _type),
        "traceloop.span.kind": Column("operation", _kind),
        "llm.user": Column("user_id", text),
        "llm.response.finish_reason": Column("finish_reasons", texts),
        "llm.usage.reasoning_tokens": Column("reasoning_tokens", count),
        "llm.usage.cache_read_input_tokens": Column("cached_tokens", count),
        "llm.frequency_penalty": Column("frequency_penalty", number, param=True),
        "llm.presence_penalty": Column("presence_penalty", number, param=True),
        "llm.top_k": Column("top_k", number, param=True),
        "llm.chat.stop_sequences": Column("stop", texts, param=True),
    },
    keys=frozenset(
        {
            "traceloop.entity.name",
            "traceloop.entity.input",
            "traceloop.entity.output",
            "traceloop.prompt.key",
            "traceloop.prompt.version",
            "traceloop.prompt.template_variables",
            "llm.usage.total_tokens",
        }
    ),
    trees=frozenset({"traceloop.association"}),
)
