"""What an application may say about a step, and the OpenTelemetry attributes that it becomes.

GenAI conventions where they have a name; OpenInference's ``input.value`` and ``output.value`` for steps that are no
model's; ``noria.`` for what only Noria knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from noria.sdk.messages import recorded_messages
from noria.sdk.values import builtins_of, json_text, text_of

Kind = Literal["step", "chat", "tool", "retrieval", "agent", "embeddings", "workflow"]
"""What a step is."""
OPERATIONS: Mapping[Kind, str] = {
    "step": "step",
    "chat": "chat",
    "tool": "execute_tool",
    "retrieval": "retrieval",
    "agent": "invoke_agent",
    "embeddings": "embeddings",
    "workflow": "invoke_workflow",
}
"""``gen_ai.operation.name`` of each kind."""
PLAIN: Mapping[str, str] = {
    "agent": "gen_ai.agent.name",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cost_usd": "noria.cost_usd",
    "finish_reasons": "gen_ai.response.finish_reasons",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "input_tokens": "gen_ai.usage.input_tokens",
    "max_tokens": "gen_ai.request.max_tokens",
    "model": "gen_ai.request.model",
    "output_tokens": "gen_ai.usage.output_tokens",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "prompt_id": "noria.prompt_id",
    "provider": "gen_ai.provider.name",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "response_id": "gen_ai.response.id",
    "response_model": "gen_ai.response.model",
    "seed": "gen_ai.request.seed",
    "session": "gen_ai.conversation.id",
    "temperature": "gen_ai.request.temperature",
    "tool": "gen_ai.tool.name",
    "tool_call_id": "gen_ai.tool.call.id",
    "top_p": "gen_ai.request.top_p",
    "ttft_s": "gen_ai.response.time_to_first_chunk",
    "user": "user.id",
}
"""Facts about a step: the name in :meth:`Step.set` and the attribute."""
CONTENTS = frozenset({"input", "output", "documents", "variables"})
"""What holds people's texts: redacted, and left out where nothing may be captured."""

Value = str | bool | int | float | list[str]


def content_attributes(kind: Kind, name: str, value: Any) -> dict[str, Value]:
    """The attributes of one of the ``CONTENTS``."""
    if name == "documents" or (name == "output" and kind == "retrieval"):
        return {"gen_ai.retrieval.documents": json_text(_documents(value))}
    if name == "variables":
        return {"noria.variables": json_text(value)}
    if kind == "chat":
        role = "user" if name == "input" else "assistant"
        return {f"gen_ai.{name}.messages": json_text(recorded_messages(value, role))}
    if kind == "tool":
        return {f"gen_ai.tool.call.{'arguments' if name == 'input' else 'result'}": text_of(value)}
    if kind == "retrieval" and isinstance(query := _only(value), str):
        return {"gen_ai.retrieval.query.text": query}
    return {f"{name}.value": text_of(value)}


def attribute(value: Any) -> Value | None:
    """Any value as OpenTelemetry takes it; None stays away."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, list | tuple) and value and all(isinstance(item, str) for item in value):
        return list(value)
    return json_text(value)


def _documents(value: Any) -> list[dict[str, Any]]:
    """Passages as texts, dicts, or objects such as LangChain's; the best first, as they came."""
    found = value if isinstance(value, list | tuple) else [value]
    return [_document(one) for one in found]


def _document(one: Any) -> dict[str, Any]:
    if isinstance(one, str):
        return {"content": one}
    if isinstance(one, tuple) and len(one) == 2 and isinstance(one[1], float | int):  # (document, score)
        return {**_document(one[0]), "score": one[1]}
    if not isinstance(one, dict) and hasattr(one, "page_content"):
        one = {"content": one.page_content, "metadata": getattr(one, "metadata", None), "id": getattr(one, "id", None)}
    plain = builtins_of(one)
    if not isinstance(plain, dict):
        return {"content": text_of(plain)}
    text = next((plain[key] for key in ("content", "text", "page_content") if plain.get(key)), "")
    known = {"content": text_of(text)} | {key: plain[key] for key in ("id", "score") if plain.get(key) is not None}
    rest = {key: item for key, item in plain.items() if key not in {"content", "text", "page_content", "id", "score"}}
    metadata = rest.pop("metadata", None)
    more = {**(metadata if isinstance(metadata, dict) else {}), **rest}
    return known | ({"metadata": more} if more else {})


def _only(value: Any) -> Any:
    """The one argument of a call with one argument."""
    return next(iter(value.values())) if isinstance(value, dict) and len(value) == 1 else value
