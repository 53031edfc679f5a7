"""OpenInference, the conventions of Arize Phoenix and its instrumentations.

Source: https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
"""

from __future__ import annotations

from typing import Any

from noria.bridges.otlp.conventions.draft import (
    Column,
    Convention,
    Draft,
    Tree,
    amount,
    branches,
    claim,
    count,
    derived_total,
    text,
    texts,
)
from noria.bridges.otlp.conventions.genai import document
from noria.bridges.otlp.messages import as_text, message_of, parsed, role_of, said, text_message
from noria.bridges.otlp.raw import Attributes
from noria.core.messages import Message, ToolCall

_OPERATIONS = {
    "LLM": "chat",
    "EMBEDDING": "embeddings",
    "TOOL": "execute_tool",
    "RETRIEVER": "retrieval",
    "RERANKER": "rerank",
    "AGENT": "invoke_agent",
}
_CALL = "message.tool_calls"


def operation(value: Any) -> str | None:
    """The operation of a span kind; kinds that OpenTelemetry has no name for, in lower case."""
    return _OPERATIONS.get(value.upper(), value.lower()) if isinstance(value, str) else None


def read(draft: Draft, taken: Attributes) -> None:
    """Messages, documents, parameters and prompt templates."""
    for prefix, column in (("llm.input_messages", "input"), ("llm.output_messages", "output")):
        if prefix not in draft.trees:
            continue
        found = Tree(taken, prefix)
        role = "user" if column == "input" else "assistant"
        messages = tuple(message for item in found.items.values() for message in _message(item, role))
        if messages and draft.offer(column, messages):
            found.settle()
    _completions(draft, taken, "llm.prompts", "prompt.text", "input")
    _completions(draft, taken, "llm.choices", "completion.text", "output")
    _completions(draft, taken, "embedding.embeddings", "embedding.text", "input")
    for prefix in ("retrieval.documents", "reranker.output_documents"):
        if prefix in draft.trees:
            found = Tree(taken, prefix)
            documents = tuple(_document(item) for item in found.items.values())
            if draft.offer("documents", documents):
                found.settle()
    for key in ("llm.invocation_parameters", "embedding.invocation_parameters"):
        if key in taken and isinstance(given := parsed(taken[key]), dict):
            _parameters(draft, taken, key, given)
    _prompt(draft, taken)
    _values(draft, taken)
    derived_total(draft, taken, "llm.token_count.total")


def _message(item: dict[str, Any], role: str) -> list[Message]:
    """One flattened message; takes out what it understands."""
    written: dict[str, Any] = {"role": item.pop("message.role", role), "content": item.pop("message.content", "")}
    if not item and isinstance(written["content"], str):
        return [Message(role=role_of(written["role"], role), content=written["content"])]
    if parts := _contents(item):
        written["content"] = parts
    for name in ("name", "tool_call_id"):
        if (value := item.pop(f"message.{name}", None)) is not None:
            written[name] = value
    written["tool_calls"] = _calls(item)
    return message_of(written, role=role)


def _contents(item: dict[str, Any]) -> list[dict[str, Any]]:
    parts = []
    for index, part in branches(item, "message.contents").items():
        place = f"message.contents.{index}."
        kind = str(part.get("message_content.type"))
        if kind in {"text", "reasoning"} and "message_content.text" in part:
            parts.append({"type": kind, "text": item.pop(place + "message_content.text")})
        elif (url := part.get("message_content.image.image.url")) is not None:
            parts.append({"type": "image_url", "image_url": {"url": url}})
            del item[place + "message_content.image.image.url"]
        else:
            continue
        item.pop(place + "message_content.type", None)
    return parts


def _calls(item: dict[str, Any]) -> list[dict[str, Any]]:
    calls = []
    for index, call in branches(item, _CALL).items():
        calls.append(
            {
                "id": call.get("tool_call.id"),
                "name": call.get("tool_call.function.name"),
                "arguments": call.get("tool_call.function.arguments"),
            }
        )
        for name in ("id", "function.name", "function.arguments"):
            item.pop(f"{_CALL}.{index}.tool_call.{name}", None)
    name = item.pop("message.function_call_name", None)
    if name is not None:
        calls.append({"name": name, "arguments": item.pop("message.function_call_arguments_json", "")})
    return calls


def _completions(draft: Draft, taken: Attributes, prefix: str, name: str, column: str) -> None:
    """Texts without roles: completion prompts, their choices, what was embedded."""
    if prefix not in draft.trees:
        return
    found = Tree(taken, prefix)
    role: Any = "user" if column == "input" else "assistant"
    said_here = [as_text(item[name]) for item in found.items.values() if name in item]
    messages = tuple(Message(role=role, content=one) for one in said_here)
    if messages and draft.offer(column, messages):
        for item in found.items.values():
            item.pop(name, None)
        found.settle()


def _document(item: dict[str, Any]) -> Any:
    written = {name.removeprefix("document."): item.pop(name) for name in list(item) if name.startswith("document.")}
    return document(written)


def _parameters(draft: Draft, taken: Attributes, key: str, given: dict[str, Any]) -> None:
    settings = {name: value for name, value in given.items() if name not in {"model", "model_name", "messages"}}
    _asked_for(draft, given.get("model") or given.get("model_name"))
    if draft.offer_params(settings):
        del taken[key]


def _asked_for(draft: Draft, model: Any) -> None:
    """The model as asked for. ``llm.model_name`` is what answered, once there is an answer."""
    named = draft.origins.get(("request_model", False))
    if not isinstance(model, str) or (named is not None and named[1] != "llm.model_name"):
        return
    answered = draft.columns.get("request_model")
    if answered is not None and answered != model:
        draft.offer("response_model", answered)
    draft.columns["request_model"] = model


def _prompt(draft: Draft, taken: Attributes) -> None:
    variables = parsed(taken.get("llm.prompt_template.variables"))
    if isinstance(variables, dict):
        claim(draft, taken, "llm.prompt_template.variables", "variables", variables)
    if "prompt.id" in taken:
        claim(draft, taken, "prompt.id", "prompt_id", text(taken["prompt.id"]))
    if "llm.prompt_template.version" in taken:
        claim(draft, taken, "llm.prompt_template.version", "prompt_id", text(taken["llm.prompt_template.version"]))


def _values(draft: Draft, taken: Attributes) -> None:
    """``input.value`` and ``output.value``: messages where there are no better ones."""
    name = draft.columns.get("tool_name") or ""
    is_tool = draft.columns.get("operation") == "execute_tool"
    for side, column, role in (("input", "input", "user"), ("output", "output", "assistant")):
        key = f"{side}.value"
        if key not in taken:
            continue
        if column in draft.columns:
            _without_what_is_told(draft, taken, side)
            continue
        value = as_text(taken[key])
        spoken = None if is_tool else said(value, role=role)
        if is_tool and side == "input":
            messages: tuple[Message, ...] = (
                Message(role="assistant", tool_calls=(ToolCall(id="", name=name, arguments=value),)),
            )
        elif is_tool:
            messages = (Message(role="tool", content=value, name=name or None),)
        else:
            messages = spoken.messages if spoken else text_message(role, value)  # type: ignore[arg-type]  # one of two roles
        if claim(draft, taken, key, column, messages):
            taken.pop(f"{side}.mime_type", None)


def _without_what_is_told(draft: Draft, taken: Attributes, side: str) -> None:
    """Leave of a raw request or reply what no column holds: most of it is the messages once more."""
    key = f"{side}.value"
    value = parsed(taken[key])
    name = "messages" if side == "input" else "choices"
    if not isinstance(value, dict) or name not in value:
        return
    spoken = said(value[name], role="user" if side == "input" else "assistant")
    if spoken is None or spoken.messages != draft.columns[side]:
        return
    left = {field: held for field, held in value.items() if field != name}
    model = left.pop("model", None)
    if side == "input":
        _asked_for(draft, model)
        left = {field: held for field, held in left.items() if not draft.offer_params({field: held})}
    elif isinstance(model, str) and model != draft.columns.get("request_model"):
        draft.offer("response_model", model)
    if left:
        taken[key] = as_text(left)
    else:
        del taken[key]
        taken.pop(f"{side}.mime_type", None)


OPENINFERENCE = Convention(
    "OpenInference",
    read,
    {
        "openinference.span.kind": Column("operation", operation),
        "llm.provider": Column("provider", text),
        "llm.system": Column("provider", text),
        "llm.request.model_name": Column("request_model", text),
        "llm.response.model_name": Column("response_model", text),
        "llm.model_name": Column("request_model", text),
        "embedding.model_name": Column("request_model", text),
        "reranker.model_name": Column("request_model", text),
        "llm.token_count.prompt": Column("input_tokens", count),
        "llm.token_count.completion": Column("output_tokens", count),
        "llm.token_count.prompt_details.cache_read": Column("cached_tokens", count),
        "llm.token_count.completion_details.reasoning": Column("reasoning_tokens", count),
        "llm.cost.total": Column("cost_usd", amount),
        "llm.finish_reason": Column("finish_reasons", texts),
        "tool.name": Column("tool_name", text),
    },
    keys=frozenset(
        {
            "input.value",
            "input.mime_type",
            "output.value",
            "output.mime_type",
            "llm.invocation_parameters",
            "embedding.invocation_parameters",
            "llm.prompt_template.variables",
            "llm.prompt_template.version",
            "prompt.id",
            "llm.token_count.total",
        }
    ),
    trees=frozenset(
        {
            "llm.input_messages",
            "llm.output_messages",
            "llm.prompts",
            "llm.choices",
            "embedding.embeddings",
            "retrieval.documents",
            "reranker.output_documents",
        }
    ),
)
