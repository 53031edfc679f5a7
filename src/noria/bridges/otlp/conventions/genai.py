"""OpenTelemetry's semantic conventions for generative AI, as they are now (status "Development").

Source: https://github.com/open-telemetry/semantic-conventions-genai
"""

from __future__ import annotations

from typing import Any

from noria.bridges.otlp.conventions.draft import (
    Column,
    Convention,
    Draft,
    amount,
    claim,
    count,
    derived_total,
    number,
    text,
    texts,
)
from noria.bridges.otlp.messages import as_text, parsed, said, text_message
from noria.bridges.otlp.raw import Attributes, finite
from noria.core.messages import Message, ToolCall
from noria.core.spans import Document


def error_type(value: Any) -> str | None:
    """The name of what went wrong; some instrumentations send Python's class itself, whose text is ``<class 'x.Y'>``."""
    return value.removeprefix("<class '").removesuffix("'>") if isinstance(value, str) else None


COLUMNS = {
    "gen_ai.operation.name": Column("operation", text),
    "gen_ai.provider.name": Column("provider", text),
    "gen_ai.request.model": Column("request_model", text),
    "gen_ai.response.model": Column("response_model", text),
    "gen_ai.response.finish_reasons": Column("finish_reasons", texts),
    "gen_ai.response.time_to_first_chunk": Column("ttft_s", amount),
    "gen_ai.client.operation.time_to_first_chunk": Column("ttft_s", amount),
    "gen_ai.usage.input_tokens": Column("input_tokens", count),
    "gen_ai.usage.output_tokens": Column("output_tokens", count),
    "gen_ai.usage.cache_read.input_tokens": Column("cached_tokens", count),
    "gen_ai.usage.reasoning.output_tokens": Column("reasoning_tokens", count),
    "gen_ai.conversation.id": Column("session_id", text),
    "gen_ai.tool.name": Column("tool_name", text),
    "error.type": Column("error_type", error_type),
    "session.id": Column("session_id", text),
    "user.id": Column("user_id", text),
    "enduser.id": Column("user_id", text),
    "gen_ai.request.temperature": Column("temperature", number, param=True),
    "gen_ai.request.top_p": Column("top_p", number, param=True),
    "gen_ai.request.top_k": Column("top_k", number, param=True),
    "gen_ai.request.max_tokens": Column("max_tokens", count, param=True),
    "gen_ai.request.stop_sequences": Column("stop", texts, param=True),
    "gen_ai.request.seed": Column("seed", number, param=True),
    "gen_ai.request.presence_penalty": Column("presence_penalty", number, param=True),
    "gen_ai.request.frequency_penalty": Column("frequency_penalty", number, param=True),
    "gen_ai.request.choice.count": Column("n", count, param=True),
}
_INPUT, _OUTPUT, _SYSTEM = "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"
_WHOLE = "pydantic_ai.all_messages"
"""On Pydantic AI's agent spans: the whole conversation in the same form, its answer at the end."""
_ARGUMENTS, _RESULT, _CALL_ID = "gen_ai.tool.call.arguments", "gen_ai.tool.call.result", "gen_ai.tool.call.id"
_DOCUMENTS, _QUERY = "gen_ai.retrieval.documents", "gen_ai.retrieval.query.text"
_TOTAL = "gen_ai.usage.total_tokens"
_PROMPT, _PROMPT_VERSION = "gen_ai.prompt.name", "gen_ai.prompt.version"


def read(draft: Draft, taken: Attributes) -> None:
    """Messages, tool calls and documents."""
    if _WHOLE in taken and _INPUT not in taken and _OUTPUT not in taken:
        _agent_run(taken)
    _messages(draft, taken)
    if _ARGUMENTS in taken or _RESULT in taken:
        tool(draft, taken, arguments=_ARGUMENTS, result=_RESULT, call_id=_CALL_ID)
    if _DOCUMENTS in taken:
        claim(draft, taken, _DOCUMENTS, "documents", documents(parsed(taken[_DOCUMENTS])))
    if isinstance(query := taken.get(_QUERY), str):
        claim(draft, taken, _QUERY, "input", text_message("user", query))
    derived_total(draft, taken, _TOTAL)
    if isinstance(name := taken.get(_PROMPT), str):
        version = taken.get(_PROMPT_VERSION)
        if claim(draft, taken, _PROMPT, "prompt_id", name if version is None else f"{name}@{version}"):
            taken.pop(_PROMPT_VERSION, None)


def _agent_run(taken: Attributes) -> None:
    """Pydantic AI's agent span says its whole conversation in one: what was asked, and the answer at its end."""
    said_all = parsed(taken[_WHOLE])
    if not isinstance(said_all, list) or not all(isinstance(one, dict) for one in said_all):
        return
    del taken[_WHOLE]
    answered = bool(said_all) and said_all[-1].get("role") == "assistant"
    for key, part in ((_INPUT, said_all[:-1] if answered else said_all), (_OUTPUT, said_all[-1:] if answered else [])):
        if part:
            taken[key] = part


def _messages(draft: Draft, taken: Attributes) -> None:
    found = said(taken[_INPUT]) if _INPUT in taken else None
    messages = found.messages if found else ()
    if _SYSTEM in taken:
        instructions = parsed(taken[_SYSTEM])
        spoken = said([{"role": "system", "parts": instructions}]) if isinstance(instructions, list) else None
        if spoken is None and isinstance(taken[_SYSTEM], str) and instructions is None:
            spoken = said([{"role": "system", "content": taken[_SYSTEM]}])
        if (
            spoken
            and (_INPUT not in taken or found)
            and claim(draft, taken, _SYSTEM, "input", (*spoken.messages, *messages))
        ):
            taken.pop(_INPUT, None)
    if messages:
        claim(draft, taken, _INPUT, "input", messages)
    answer = said(taken[_OUTPUT], role="assistant") if _OUTPUT in taken else None
    if answer and claim(draft, taken, _OUTPUT, "output", answer.messages) and answer.finish_reasons:
        draft.offer("finish_reasons", answer.finish_reasons)


def tool(draft: Draft, taken: Attributes, *, arguments: str, result: str, call_id: str) -> None:
    """The call that a tool step answers as input, and its result as output."""
    name = draft.columns.get("tool_name") or ""
    id = taken.get(call_id)
    id = id if isinstance(id, str) else ""
    kept = True
    if arguments in taken:
        call = ToolCall(id=id, name=name, arguments=as_text(taken[arguments]))
        kept &= claim(draft, taken, arguments, "input", (Message(role="assistant", tool_calls=(call,)),))
    if result in taken:
        answer = Message(role="tool", content=as_text(taken[result]), tool_call_id=id or None, name=name or None)
        kept &= claim(draft, taken, result, "output", (answer,))
    if kept and id:
        del taken[call_id]


def documents(found: Any) -> tuple[Document, ...]:
    """Documents from a list of objects; what an object has beside id, text and score is its metadata."""
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        return ()
    return tuple(document(dict(item)) for item in found)


def document(item: dict[str, Any]) -> Document:
    """One document from an object, in any dialect's names."""
    id = text(item.pop("id", None))
    score = number(item.pop("score", None))
    for name in ("content", "text", "page_content", "pageContent"):
        if isinstance(item.get(name), str):
            passage = item.pop(name)
            break
    else:
        passage = ""
    metadata = parsed(item.pop("metadata", None))
    if metadata is not None:
        item |= metadata if isinstance(metadata, dict) else {"metadata": metadata}
    more = {name: finite(value) for name, value in item.items()}
    return Document(id=id, text=passage, score=None if score is None else float(score), metadata=more)


GENAI = Convention(
    "OpenTelemetry GenAI",
    read,
    COLUMNS,
    keys=frozenset(
        {
            _INPUT,
            _OUTPUT,
            _SYSTEM,
            _WHOLE,
            _ARGUMENTS,
            _RESULT,
            _CALL_ID,
            _DOCUMENTS,
            _QUERY,
            _TOTAL,
            _PROMPT,
            _PROMPT_VERSION,
        }
    ),
)
