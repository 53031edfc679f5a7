"""Messages as instrumentations write them, in JSON: one tolerant reader for all their dialects.

    OpenTelemetry GenAI   {"role", "parts": [{"type": "text", "content"}, {"type": "tool_call", "id", "name", "arguments"} ...]}
    OpenAI, Langfuse      {"role", "content": text or [{"type": "text", "text"} ...], "tool_calls": [{"id", "function"}]}
    Vercel AI SDK         {"role", "content": [{"type": "tool-call", "toolCallId", "toolName", "input"} ...]}
    Anthropic             {"role", "content": [{"type": "tool_use", "id", "name", "input"}, {"type": "thinking"} ...]}
    LangChain             {"type": "human", "content"}, or the same below "kwargs" or "data"
    Gemini                {"role": "model", "parts": [{"text"}]}

A part that none of them has is kept whole. What is no list of messages at all is nobody's error: the reader says so
with None, and the attribute stays an attribute.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.messages import BlobPart, ImagePart, Message, OtherPart, Part, Role, TextPart, ToolCall

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "chatbot": "assistant",
    "tool": "tool",
    "function": "tool",
}
_DEEPEST = 64
_ANY_JSON = msgspec.json.Decoder()
_BLOB = "noria.blob"
_TEXTS = frozenset({"text", "input_text", "output_text"})
_CALLS = frozenset({"tool_call", "tool_use", "function_call", "server_tool_call"})
_ANSWERS = frozenset({"tool_call_response", "tool_result", "function_call_output"})


class Said(NamedTuple):
    """Messages, and why each of those that a model wrote ended."""

    messages: tuple[Message, ...]
    """In order."""
    finish_reasons: tuple[str, ...] = ()
    """One a choice, where they were told with the messages."""


def parsed(value: Any) -> Any:
    """``value`` itself, or what its JSON text says; None for a text that is no JSON, or JSON nested beyond reason."""
    if not isinstance(value, str):
        return value
    if not value or value[0] not in '[{"':
        return None
    try:
        found = _ANY_JSON.decode(value)
    except UNREADABLE:
        return None
    may_be_deep = value.count("[") + value.count("{") > _DEEPEST
    return None if may_be_deep and _is_deep(found, _DEEPEST) else found


def _is_deep(value: Any, levels: int) -> bool:
    """Whether lists and objects stand within one another deeper than that. Such a text stays a text."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return False
    return levels == 0 or any(_is_deep(item, levels - 1) for item in value if isinstance(item, dict | list))


def said(value: Any, *, role: str = "user") -> Said | None:
    """The messages in a JSON text, a list, or one message; None where there are none.

    Arguments:
        value: as it came.
        role: who speaks where a message does not say so.
    """
    found = parsed(value)
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list) or not found:
        return None
    messages: list[Message] = []
    reasons: list[str] = []
    for item in found:
        # Some frameworks send a list of conversations; nearly always it holds one.
        for one in item if isinstance(item, list) else (item,):
            if not isinstance(one, dict):
                return None
            simple = _simple(one)
            if simple is not None:
                messages.append(simple)
            elif _is_message(one):
                messages += message_of(one, role=role)
            else:
                return None
            if isinstance(reason := one.get("finish_reason") or one.get("finishReason"), str):
                reasons.append(reason)
    return Said(tuple(messages), tuple(reasons))


def _simple(item: dict[str, Any]) -> Message | None:
    """The message where it is a role and one text, as nearly all are: a third of the cost of the general way."""
    written, content = item.get("role"), item.get("content")
    if not isinstance(written, str) or (role := _ROLES.get(written)) is None:
        return None
    if len(item) == 2 and isinstance(content, str):
        return Message(role=role, content=content)
    parts = item.get("parts")
    if isinstance(parts, list) and len(parts) == 1 and len(item) == 2 + ("finish_reason" in item):
        part = parts[0]
        if isinstance(part, dict) and len(part) == 2 and part.get("type") == "text":
            text = part.get("content")
            return Message(role=role, content=text) if isinstance(text, str) else None
    return None


def text_message(role: Role, text: str) -> tuple[Message, ...]:
    """One message of plain text."""
    return (Message(role=role, content=text),)


def role_of(written: Any, default: str = "user") -> Role:
    """A role; what no dialect knows speaks as the default."""
    return _ROLES.get(str(written).lower()) or _ROLES.get(default, "user")


def message_of(item: dict[str, Any], *, role: str = "user") -> list[Message]:
    """One message as written; several where it holds the results of several tools."""
    item = _unwrapped(item)
    written = item.get("role") or (item.get("type") if str(item.get("type")).lower() in _ROLES else None)
    speaker = role_of(written, role)
    reading = _Reading(item.get("content") if item.get("parts") is None else item["parts"])
    calls = [*reading.calls, *_calls(item.get("tool_calls") or item.get("toolCalls") or ())]
    if isinstance(function := item.get("function_call"), dict):  # OpenAI before tools
        calls.append(_call(function))
    reasoning = reading.reasoning or _str(item, "reasoning_content", "reasoning") or ""
    if reading.answers and not (reading.content() or calls or reasoning):
        return reading.answers
    message = Message(
        role=speaker,
        content=reading.content(),
        name=_str(item, "name"),
        tool_calls=tuple(calls),
        tool_call_id=_str(item, "tool_call_id", "toolCallId") or (_id(item) if speaker == "tool" else None),
        reasoning=reasoning,
        refusal=_str(item, "refusal") or "",
    )
    return [message, *reading.answers]


def _unwrapped(item: dict[str, Any]) -> dict[str, Any]:
    """The message itself: LangChain's stands below ``kwargs`` or ``data``, a choice's below ``message``."""
    inner = item.get("kwargs") if "lc" in item else item.get("data") if "role" not in item else None
    if isinstance(inner, dict):
        kind = item["id"][-1] if isinstance(item.get("id"), list) and item["id"] else item.get("type")
        item = {"type": str(kind).removesuffix("Chunk").removesuffix("Message").lower(), **inner}
    return item["message"] if isinstance(item.get("message"), dict) else item


def as_text(value: Any) -> str:
    """Text itself, anything else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else msgspec.json.encode(value).decode()


class _Reading:
    """The parts of one message, sorted into what a :class:`Message` has fields for."""

    def __init__(self, content: Any) -> None:
        self.parts: list[Part] = []
        self.calls: list[ToolCall] = []
        self.answers: list[Message] = []
        self.reasoning = ""
        for part in content if isinstance(content, list) else [] if content is None else [content]:
            if isinstance(part, dict):
                self._sort(part)
            else:
                self.parts.append(TextPart(text=as_text(part)))

    def content(self) -> str | tuple[Part, ...]:
        """Plain text where there is nothing but one text."""
        if not self.parts:
            return ""
        if len(self.parts) == 1 and isinstance(self.parts[0], TextPart):
            return self.parts[0].text
        return tuple(self.parts)

    def _sort(self, part: dict[str, Any]) -> None:
        kind = str(part.get("type") or ("text" if "text" in part else "")).replace("-", "_")
        if kind in _CALLS:
            self.calls.append(_call(part))
        elif kind in _ANSWERS:
            self.answers.append(_answer(part))
        elif kind in {"reasoning", "thinking"} and (text := _str(part, "content", "thinking", "text")) is not None:
            self.reasoning += text
        else:
            self.parts.append(_part(kind, part))


def _part(kind: str, part: dict[str, Any]) -> Part:
    """What is said or shown; what no dialect here knows, whole."""
    if kind in _TEXTS and (text := _str(part, "content", "text")) is not None:
        return TextPart(text=text)
    if kind in {"image_url", "input_image", "image"} and (url := _url(part)):
        return ImagePart(url=url, detail=_detail(part))
    if kind == "uri" and part.get("modality") == "image" and (url := _str(part, "uri")):
        return ImagePart(url=url)
    if kind == "blob" and part.get("modality") == "image" and (data := _str(part, "content", "data")):
        return ImagePart(url=f"data:{part.get('mime_type') or 'image/png'};base64,{data}")
    if kind == _BLOB and isinstance(part.get("sha256"), str):
        return _blob(part)
    return OtherPart(data=part)


def _is_message(item: dict[str, Any]) -> bool:
    return any(key in item for key in ("role", "content", "parts", "message", "tool_calls", "toolCalls", "lc")) or (
        isinstance(item.get("data"), dict) and "content" in item["data"]
    )


def _calls(written: Any) -> Iterable[ToolCall]:
    return [_call(item) for item in written if isinstance(item, dict)] if isinstance(written, list | tuple) else []


def _call(item: dict[str, Any]) -> ToolCall:
    """A tool call in any dialect; arguments stay the text that they are."""
    function = item.get("function") if isinstance(item.get("function"), dict) else item
    assert isinstance(function, dict)  # noqa: S101  # the line above
    for key in ("arguments", "input", "args", "parameters"):
        if key in function:
            arguments = function[key]
            break
    else:
        arguments = item.get("server_tool_call")
    name = _str(function, "name", "toolName", "tool_name") or ""
    return ToolCall(id=_id(item) or "", name=name, arguments="" if arguments is None else as_text(arguments))


def _answer(part: dict[str, Any]) -> Message:
    for key in ("response", "result", "output", "content"):
        if key in part:
            held = part[key]
            break
    else:
        held = None
    if isinstance(held, dict) and set(held) <= {"type", "value"} and "value" in held:  # Vercel's wrapping
        held = held["value"]
    name = _str(part, "name", "toolName")
    return Message(role="tool", content=as_text(held), name=name, tool_call_id=_id(part))


def _id(item: dict[str, Any]) -> str | None:
    return _str(item, "id", "call_id", "toolCallId", "tool_call_id", "tool_use_id")


def _str(item: dict[str, Any], *keys: str) -> str | None:
    for key in keys:
        if isinstance(value := item.get(key), str):
            return value
    return None


def _url(part: dict[str, Any]) -> str | None:
    for key in ("image_url", "url", "image", "source"):
        held = part.get(key)
        if isinstance(held, dict):
            if held.get("type") == "base64":  # Anthropic
                return f"data:{held.get('media_type', 'image/png')};base64,{held.get('data', '')}"
            held = held.get("url")
        if isinstance(held, str) and held.startswith(("http:", "https:", "data:")):
            return held
    return None


def _detail(part: dict[str, Any]) -> str | None:
    held = part.get("image_url")
    return _str(held if isinstance(held, dict) else part, "detail")


def _blob(part: dict[str, Any]) -> Part:
    size = part.get("bytes")
    return BlobPart(
        sha256=str(part["sha256"]),
        bytes=size if isinstance(size, int) else 0,
        media_type=_str(part, "media_type") or "text/plain; charset=utf-8",
        preview=_str(part, "preview") or "",
    )
