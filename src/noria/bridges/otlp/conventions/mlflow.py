"""MLflow's span attributes, as its tracing SDK exports them over OTLP: every value is JSON text.

Source: https://mlflow.org/docs/latest/genai/tracing/ and mlflow.tracing.constant
"""

from __future__ import annotations

from typing import Any

from noria.bridges.otlp.conventions.draft import Column, Convention, Draft, amount, claim, counts, text
from noria.bridges.otlp.conventions.genai import documents
from noria.bridges.otlp.messages import Said, as_text, parsed, said, text_message
from noria.bridges.otlp.raw import Attributes
from noria.core.messages import Message, ToolCall

_TYPES = {
    "LLM": "chat",
    "CHAT_MODEL": "chat",
    "EMBEDDING": "embeddings",
    "TOOL": "execute_tool",
    "RETRIEVER": "retrieval",
    "RERANKER": "rerank",
    "AGENT": "invoke_agent",
    "WORKFLOW": "invoke_workflow",
}
_USAGE = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cached_tokens",
}
_DERIVED = frozenset({"total_tokens"})
_INPUTS, _OUTPUTS, _MESSAGES = "mlflow.spanInputs", "mlflow.spanOutputs", "mlflow.chat.messages"
_TOKENS, _COST = "mlflow.chat.tokenUsage", "mlflow.llm.cost"
_SETTINGS = ("temperature", "top_p", "max_tokens", "seed", "stop", "presence_penalty", "frequency_penalty")


def read(draft: Draft, taken: Attributes) -> None:
    """Messages, documents, usage and cost."""
    counts(draft, taken, _TOKENS, _USAGE, _DERIVED)
    costs = parsed(taken.get(_COST))
    if isinstance(costs, dict) and (total := amount(costs.get("total_cost"))) is not None:
        draft.offer("cost_usd", total)
    operation = draft.columns.get("operation")
    if operation == "execute_tool":
        draft.offer("tool_name", draft.raw.name)
    if operation == "retrieval" and _OUTPUTS in taken:
        claim(draft, taken, _OUTPUTS, "documents", documents(parsed(taken[_OUTPUTS])))
    if _INPUTS in taken:
        _input(draft, taken, operation)
    if _OUTPUTS in taken:
        _output(draft, taken, operation)
    if _MESSAGES in taken and (spoken := said(taken[_MESSAGES])):
        _conversation(draft, taken, spoken.messages)


def _conversation(draft: Draft, taken: Attributes, messages: tuple[Message, ...]) -> None:
    """All that was said, the answer too, mostly told already by the span's inputs and outputs."""
    asked, answered = draft.columns.get("input", ()), draft.columns.get("output", ())
    if messages in (asked, (*asked, *answered)):
        del taken[_MESSAGES]
    else:
        claim(draft, taken, _MESSAGES, "input", messages)


def _input(draft: Draft, taken: Attributes, operation: str | None) -> None:
    given = parsed(taken[_INPUTS])
    if operation == "execute_tool":
        call = ToolCall(id="", name=draft.raw.name, arguments=as_text(taken[_INPUTS]))
        claim(draft, taken, _INPUTS, "input", (Message(role="assistant", tool_calls=(call,)),))
        return
    left: set[str] = set()
    spoken: Said | None = None
    if isinstance(given, dict) and (spoken := said(given.get("messages"))):
        left = set(given) - {"messages"}
        if isinstance(model := given.get("model"), str) and draft.offer("request_model", model):
            left.discard("model")
        left -= {name for name in _SETTINGS if name in given and draft.offer_params({name: given[name]})}
    elif isinstance(given, list):
        spoken = said(given)
    messages = spoken.messages if spoken else text_message("user", _plain(taken[_INPUTS]))
    if draft.offer("input", messages) and not left:
        del taken[_INPUTS]


def _output(draft: Draft, taken: Attributes, operation: str | None) -> None:
    given = parsed(taken[_OUTPUTS])
    if operation == "execute_tool":
        claim(draft, taken, _OUTPUTS, "output", text_message("tool", _plain(taken[_OUTPUTS])))
        return
    if isinstance(given, dict) and isinstance(given.get("choices"), list):
        # A whole reply of a chat model: what it says beside its choices stays an attribute.
        if spoken := said(given["choices"], role="assistant"):
            draft.offer("output", spoken.messages)
            draft.offer("finish_reasons", spoken.finish_reasons)
        if isinstance(model := given.get("model"), str):
            draft.offer("response_model", model)
        return
    spoken = said(given, role="assistant")
    claim(
        draft,
        taken,
        _OUTPUTS,
        "output",
        spoken.messages if spoken else text_message("assistant", _plain(taken[_OUTPUTS])),
    )


def _plain(value: Any) -> str:
    """A text without the quotes of JSON; anything else as its JSON."""
    found = parsed(value)
    return found if isinstance(found, str) else as_text(value)


def _unquoted(value: Any) -> str | None:
    found = parsed(value)
    return text(value if found is None else found)


def _type(value: Any) -> str | None:
    name = _unquoted(value)
    return _TYPES.get(name, name.lower()) if name and name != "UNKNOWN" else None


MLFLOW = Convention(
    "MLflow",
    read,
    {
        "mlflow.spanType": Column("operation", _type),
        "mlflow.llm.model": Column("request_model", _unquoted),
        "mlflow.llm.provider": Column("provider", _unquoted),
        "mlflow.trace.session": Column("session_id", _unquoted),
        "mlflow.trace.user": Column("user_id", _unquoted),
    },
    keys=frozenset({_INPUTS, _OUTPUTS, _MESSAGES, _TOKENS, _COST}),
)
