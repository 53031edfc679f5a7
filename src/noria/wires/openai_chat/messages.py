"""Messages and tool calls, in requests and in replies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from noria.core.citing import apart, together
from noria.core.errors import InvalidInput
from noria.core.messages import Citation, Message, Part, TextPart, ToolCall
from noria.wires.bodies import read_shape
from noria.wires.carrying import CITATIONS, IS_ERROR, Carrying
from noria.wires.openai_chat.dialect import Dialect
from noria.wires.openai_chat.parts import citations_in, citations_out, part_in, part_out
from noria.wires.openai_chat.shapes import MessageShape, ToolCallShape
from noria.wires.openai_chat.thinking import blocks_out, details_out, seal_in, seal_out, thoughts_in

_KNOWN = frozenset(MessageShape.__struct_fields__)
_PLAIN = ("role", "content")
_PLAIN_ROLES = ("system", "developer", "user", "assistant", "tool")


def messages_in(messages: Sequence[dict[str, Any]]) -> tuple[Message, ...]:
    """The messages of a request.

    Those of the deprecated ``function`` role become ``tool`` messages: their calls have no ids, so they get some.

    Raises:
        InvalidInput: names the field.
    """
    plain = []
    for fields in messages:
        role, text = fields.get("role"), fields.get("content")
        if len(fields) != len(_PLAIN) or type(text) is not str or role not in _PLAIN_ROLES:
            return tuple(_shaped(messages))
        plain.append(Message(role=role, content=text))  # as most are: there is nothing else to look for
    return tuple(plain)


def _shaped(messages: Sequence[dict[str, Any]]) -> Iterator[Message]:
    shapes = read_shape(messages, list[MessageShape], at="messages")
    last_call = ""
    for i, (fields, shape) in enumerate(zip(messages, shapes, strict=True)):
        at = f"messages[{i}]"
        calls = tuple(_call_in(call, f"{at}.tool_calls[{j}]") for j, call in enumerate(shape.tool_calls or ()))
        if shape.function_call is not None:
            if not shape.function_call.name:
                raise InvalidInput(f"`{at}.function_call.name` is missing.")
            last_call = f"call_{i}"
            function = shape.function_call
            calls = (
                *calls,
                ToolCall(id=last_call, name=shape.function_call.name, arguments=function.arguments or ""),
            )
        content, refusal = _content_in(shape, at)
        thoughts = tuple(thoughts_in(shape.reasoning_details, shape.thinking_blocks))
        is_function = shape.role == "function"
        yield Message(
            role="tool" if shape.role == "function" else shape.role,
            content=content,
            name=shape.name,
            tool_calls=calls,
            tool_call_id=last_call if is_function else shape.tool_call_id,
            reasoning=shape.reasoning_content or "".join(thought.text for thought in thoughts),
            thoughts=thoughts,
            refusal=refusal,
            unread={name: value for name, value in fields.items() if name not in _KNOWN and value is not None},
        )


def _content_in(shape: MessageShape, at: str) -> tuple[str | tuple[Part, ...], str]:
    """What is said, and what of it is a refusal."""
    cited = citations_in(shape.annotations, shape.document_citations)
    refusal = shape.refusal or ""
    if not isinstance(shape.content, list):
        text = shape.content or ""
        return ((TextPart(text=text, citations=cited),) if cited else text), refusal
    parts: list[Part] = []
    for i, part in enumerate(shape.content):
        match part:
            case {"type": "refusal", "refusal": str(words)} if len(part) == 2:
                refusal += words
            case _:
                parts.append(part_in(part, f"{at}.content[{i}]"))
    return _cited(parts, cited) if cited else tuple(parts), refusal


def _cited(parts: Sequence[Part], citations: tuple[Citation, ...]) -> tuple[Part, ...]:
    """``parts`` with what they rest on: the wire counts in the whole text."""
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    found = iter(apart(texts, ((citation, len(texts)) for citation in citations)) if texts else ())
    return tuple(
        msgspec.structs.replace(part, citations=next(found)) if isinstance(part, TextPart) else part for part in parts
    )


def _call_in(call: ToolCallShape, at: str) -> ToolCall:
    if call.type == "custom" and call.custom is not None:
        if not call.custom.name:
            raise InvalidInput(f"`{at}.custom.name` is missing.")
    elif call.type not in {None, "function"}:
        raise InvalidInput(f"`{at}.type` is {call.type!r}; only `function` and `custom` are supported.")
    elif call.function is None or not call.function.name:
        raise InvalidInput(f"`{at}.function.name` is missing.")
    return called(call)


def called(call: ToolCallShape) -> ToolCall:
    """A tool call, in requests and replies alike."""
    signature = seal_in(call.extra_content) if call.extra_content is not None else ""
    if call.custom is not None:
        name, text = call.custom.name or "", call.custom.input or ""
        return ToolCall(id=call.id or "", name=name, arguments=text, signature=signature, custom=True)
    function = call.function
    name, text = (function.name or "", function.arguments or "") if function else ("", "")
    return ToolCall(id=call.id or "", name=name, arguments=text, signature=signature)


def message_out(message: Message, dialect: Dialect, carrying: Carrying, *, own: bool) -> dict[str, Any]:
    """A message as it is sent.

    Arguments:
        message: the message.
        dialect: what the server takes.
        carrying: notes what can't be carried.
        own: it came by this wire, and goes on as it came.
    """
    out: dict[str, Any] = {"role": message.role, "content": message.content}
    if isinstance(message.content, tuple):
        out |= _parts_out(message, message.content, dialect, carrying, own=own)
    if message.name is not None:
        out["name"] = message.name
    if message.tool_calls:
        out["content"] = out["content"] or None
        sealed = own or "extra_content" in dialect.extensions
        out["tool_calls"] = [call_out(call, sealed=sealed) for call in message.tool_calls]
    if message.tool_failed:
        carrying.forgets("Chat Completions has no mark for it", IS_ERROR)
    if message.tool_call_id is not None:
        out["tool_call_id"] = message.tool_call_id
    if message.reasoning or message.thoughts or message.tool_calls:
        out |= _thinking_out(message, dialect, carrying, own=own)
    if message.refusal:
        out["refusal"] = message.refusal
    return message.unread | out if own and message.unread else out


def _parts_out(
    message: Message, parts: Sequence[Part], dialect: Dialect, carrying: Carrying, *, own: bool
) -> dict[str, Any]:
    """The fields of what is said in parts."""
    taken = own or "cache_control" in dialect.extensions
    cited = citations_out(together(message)) if own else {}
    if cited.pop("document_citations", None):  # a field of Noria's own answers
        carrying.forgets("Chat Completions takes back citations of addresses alone", CITATIONS)
    content = [written for part in parts if (written := part_out(part, carrying, own=own, cache=taken)) is not None]
    match content:
        case [{"type": "text", "text": text} as only] if len(only) == 2 and together(message):
            return cited | {"content": text}  # which was a part for its citations alone
    return cited | {"content": content}


def _thinking_out(message: Message, dialect: Dialect, carrying: Carrying, *, own: bool) -> dict[str, Any]:
    """Earlier thinking: sealed where the server takes seals, else its words. A seal is of use to its provider alone."""
    out: dict[str, Any] = {}
    takes = dialect.extensions
    if message.thoughts and (own or "reasoning_details" in takes):
        out["reasoning_details"] = details_out(message.thoughts)
    elif message.thoughts and "thinking_blocks" in takes:
        out["thinking_blocks"] = blocks_out(message.thoughts)
    if message.reasoning and (own or "reasoning_content" in takes):
        out["reasoning_content"] = message.reasoning
    hidden = any(thought.redacted for thought in message.thoughts)
    if hidden and not {"reasoning_details", "thinking_blocks"} & {*out}:
        carrying.forgets("thinking that its provider hides can be read by nobody else")
    if message.reasoning and not out:
        carrying.forgets("it takes no earlier thinking back")
    return out


def call_out(call: ToolCall, *, sealed: bool = True) -> dict[str, Any]:
    """A tool call, in requests and replies alike."""
    seal = seal_out(call.signature) if sealed else {}
    if call.custom:
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": call.arguments}, **seal}
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}, **seal}
