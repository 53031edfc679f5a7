"""Messages as applications hold them, in the form that OpenTelemetry's GenAI conventions record.

Known: texts, OpenAI's chat messages (as dicts or as the client's objects), and messages that have ``parts`` already.
https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from __future__ import annotations

from typing import Any

from noria.sdk.values import builtins_of, text_of


def recorded_messages(value: Any, role: str) -> list[dict[str, Any]]:
    """One or many messages with their parts; a bare text or value is said by ``role``."""
    if isinstance(value, str):
        return [{"role": role, "parts": [_text(value)]}]
    plain = builtins_of(value)
    found = plain if isinstance(plain, list) else [plain]
    return [_message(one, role) for one in found]


def _message(one: Any, role: str) -> dict[str, Any]:
    if not isinstance(one, dict) or not ({"role", "content", "parts"} & one.keys()):
        return {"role": role, "parts": [_text(text_of(one))]}
    said_by = str(one.get("role") or role)
    if isinstance(one.get("parts"), list):
        return {**one, "role": said_by}
    parts: list[dict[str, Any]] = []
    if one.get("reasoning_content"):
        parts.append({"type": "reasoning", "content": text_of(one["reasoning_content"])})
    content = one.get("content")
    if one.get("tool_call_id") and said_by == "tool":
        parts.append({"type": "tool_call_response", "id": one["tool_call_id"], "response": content})
    elif isinstance(content, list):
        parts += [_part(part) for part in content]
    elif content:
        parts.append(_text(text_of(content)))
    for call in one.get("tool_calls") or ():
        function = call.get("function") or {} if isinstance(call, dict) else {}
        if function:
            parts.append(
                {
                    "type": "tool_call",
                    "id": call.get("id"),
                    "name": function.get("name"),
                    "arguments": function.get("arguments"),
                }
            )
    if one.get("refusal"):
        parts.append({"type": "refusal", "content": text_of(one["refusal"])})
    message = {"role": said_by, "parts": parts}
    return message | {name: one[name] for name in ("name", "finish_reason") if one.get(name)}


def _part(part: Any) -> dict[str, Any]:
    if isinstance(part, dict) and part.get("type") in {"text", "input_text", "output_text"}:
        return _text(text_of(part.get("text", "")))
    return part if isinstance(part, dict) and "type" in part else _text(text_of(part))


def _text(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}
