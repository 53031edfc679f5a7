"""Items <-> messages. What a model says in one turn is several items: thinking, a message, calls; here it is one message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from noria.core.errors import InvalidInput
from noria.core.messages import Message, OtherPart, Part, Role, TextPart, Thought, ToolCall, parted
from noria.wires import makers
from noria.wires.carrying import IS_ERROR, Carrying
from noria.wires.openai_chat.thinking import seal_in, seal_out
from noria.wires.openai_responses.parts import part_in, part_out

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "developer",
    "user": "user",
    "assistant": "assistant",
}
_CALLS = {"function_call": "arguments", "custom_tool_call": "input"}
"""Kinds of calls, and where what the tool is called with stands."""
_OUTPUTS = {"function_call": "function_call_output", "custom_tool_call": "custom_tool_call_output"}


class _Turn:
    """What the model says until somebody else speaks."""

    def __init__(self) -> None:
        self.pieces: list[Part | ToolCall] = []
        self.thoughts: list[Thought] = []
        self.refusal = ""

    def message(self) -> Message | None:
        if not (self.pieces or self.thoughts or self.refusal):
            return None
        parts, calls = parted(self.pieces)
        match parts:
            case ():
                content: str | tuple[Part, ...] = ""
            case (TextPart(citations=(), text=text),):
                content = text
            case _:
                content = parts
        return Message(
            role="assistant",
            content=content,
            tool_calls=calls,
            thoughts=tuple(self.thoughts),
            reasoning="".join(thought.text for thought in self.thoughts),
            refusal=self.refusal,
        )


def messages_in(items: Sequence[dict[str, Any]], at: str = "input") -> Iterator[Message]:
    """Messages of items, in order.

    Raises:
        InvalidInput: names the field.
    """
    turn = _Turn()
    for i, item in enumerate(items):
        place = f"{at}[{i}]"
        other = _spoken(item, place)
        if other is None:
            _take(turn, item, place)
            continue
        if (before := turn.message()) is not None:
            yield before
        turn = _Turn()
        yield other
    if (last := turn.message()) is not None:
        yield last


def _spoken(item: dict[str, Any], at: str) -> Message | None:
    """The message of somebody other than the model; None for an item of the model's."""
    kind = item.get("type", "message")
    if not isinstance(kind, str):
        raise InvalidInput(f"`{at}.type` must name the kind of the item, such as `message`.")
    if kind in _OUTPUTS.values():
        call_id = item.get("call_id")
        if not isinstance(call_id, str):
            raise InvalidInput(f"`{at}.call_id` must name the call that this is the output of.")
        return Message(role="tool", content=_content_in(item.get("output"), f"{at}.output")[0], tool_call_id=call_id)
    if kind != "message":
        return None
    role = _ROLES.get(str(item.get("role")))
    if role is None:
        raise InvalidInput(f"`{at}.role` must be one of {', '.join(_ROLES)}.")
    if role == "assistant":
        return None
    return Message(role=role, content=_content_in(item.get("content"), f"{at}.content")[0])


def _take(turn: _Turn, item: dict[str, Any], at: str) -> None:
    """Add an item of the model's to its turn."""
    kind = item.get("type", "message")
    if kind == "message":
        content, refusal = _content_in(item.get("content"), f"{at}.content")
        turn.pieces += (TextPart(text=content),) if isinstance(content, str) else content
        turn.refusal += refusal
    elif kind in _CALLS:
        turn.pieces.append(call_in(item, at))
    elif kind == "reasoning":
        turn.thoughts.append(thought_in(item, at=len(turn.pieces)))
    else:
        turn.pieces.append(OtherPart(data=item))


def _content_in(content: Any, at: str) -> tuple[str | tuple[Part, ...], str]:
    """Content, and what of it is a refusal."""
    if isinstance(content, str) or content is None:
        return content or "", ""
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise InvalidInput(f"`{at}` must be a text or a list of parts.")
    parts, refusal = [], ""
    for i, part in enumerate(content):
        if part.get("type") == "refusal" and isinstance(part.get("refusal"), str):
            refusal += part["refusal"]
        else:
            parts.append(part_in(part, f"{at}[{i}]"))
    return tuple(parts), refusal


def call_in(item: dict[str, Any], at: str) -> ToolCall:
    """A call, of a function or of a custom tool."""
    kind = item["type"]
    field = _CALLS[kind]
    for name in ("call_id", "name", field):
        if not isinstance(item.get(name), str):
            raise InvalidInput(f"`{at}.{name}` must be a text.")
    return ToolCall(
        id=item["call_id"],
        name=item["name"],
        arguments=item[field],
        signature=seal_in(item.get("extra_content")),
        custom=kind == "custom_tool_call",
    )


def thought_in(item: dict[str, Any], *, at: int) -> Thought:
    """A reasoning item: its summary, or the thinking itself where the server shows it, and its seal."""
    seal, id, form = item.get("encrypted_content"), item.get("id"), item.get("format")
    blocks = [*_blocks(item.get("summary")), *_blocks(item.get("content"))]
    signature = seal if isinstance(seal, str) else ""
    return Thought(
        text="\n\n".join(blocks),
        signature=signature,
        redacted=is_hidden(item, bool(blocks)),
        id=id if isinstance(id, str) else "",
        format=form if isinstance(form, str) else makers.OPENAI if signature else "",
        at=at,
    )


def is_hidden(item: dict[str, Any], shown: bool) -> bool:
    """Whether a provider hides the thinking. ``redacted`` is Noria's word for a seal without words that hides none."""
    return bool(item.get("encrypted_content")) and not shown and item.get("redacted") is not False


def _blocks(parts: Any) -> Iterator[str]:
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, dict) and isinstance(text := part.get("text"), str):
            yield text


def items_out(messages: Iterable[Message], carrying: Carrying, *, own: bool) -> list[dict[str, Any]]:
    """Messages as input items; ``own`` where they came by this wire."""
    items: list[dict[str, Any]] = []
    custom: set[str] = set()
    for message in messages:
        custom.update(call.id for call in message.tool_calls if call.custom)
        if message.tool_failed:
            carrying.forgets("Responses has no mark for it", IS_ERROR)
        if message.role == "tool":
            kind = "custom_tool_call" if message.tool_call_id in custom else "function_call"
            output = _content_out(message, carrying, own=own)
            items.append({"type": _OUTPUTS[kind], "call_id": message.tool_call_id or "", "output": output})
        elif message.role == "assistant":
            items += _turn_out(message, carrying, own=own)
        else:
            items += _others_out(message, carrying, own=own)
    return items


def _others_out(message: Message, carrying: Carrying, *, own: bool) -> Iterator[dict[str, Any]]:
    yield {"type": "message", "role": message.role, "content": _content_out(message, carrying, own=own)}


def _content_out(message: Message, carrying: Carrying, *, own: bool) -> str | list[dict[str, Any]]:
    if isinstance(message.content, str):
        return message.content
    parts = (part_out(part, carrying, own=own, said=False) for part in message.content)
    return [part for part in parts if part is not None]


def _turn_out(message: Message, carrying: Carrying, *, own: bool) -> Iterator[dict[str, Any]]:
    """The model's turn as items, each block of thinking at its place."""
    pieces: list[Part | ToolCall | Thought] = [piece for piece in message.pieces if piece != TextPart(text="")]
    thoughts = message.thoughts or ((Thought(text=message.reasoning),) if message.reasoning else ())
    for thought in reversed(thoughts):
        pieces.insert(min(thought.at, len(pieces)), thought)
    said: list[dict[str, Any]] = []
    for piece in pieces:
        if isinstance(piece, OtherPart | ToolCall | Thought):
            if said:
                yield _said(said)
                said = []
            yield from _piece_out(piece, carrying, own=own)
        elif (part := part_out(piece, carrying, own=own, said=True)) is not None:
            said.append(part)
    if message.refusal:
        said.append({"type": "refusal", "refusal": message.refusal})
    if said:
        yield _said(said)


def _said(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": parts}


def _piece_out(piece: OtherPart | ToolCall | Thought, carrying: Carrying, *, own: bool) -> Iterator[dict[str, Any]]:
    match piece:
        case ToolCall():
            yield call_out(piece, sealed=own)
        case Thought():
            if _is_anothers(piece) if own else not piece.format.startswith("openai-responses"):
                carrying.forgets("OpenAI takes back no thinking but its own")
            else:
                yield thought_out(piece)
        case OtherPart() if own:
            yield piece.data
        case OtherPart():
            carrying.cannot(str(piece.data.get("type", "part")))


def _is_anothers(thought: Thought) -> bool:
    """Whether a provider has sealed it that has a dialect of its own."""
    return any(thought.format and makers.may_be(thought.format, maker) for maker in (makers.ANTHROPIC, makers.GOOGLE))


def call_out(call: ToolCall, *, sealed: bool = True) -> dict[str, Any]:
    """A call as an item, without an id of its own."""
    kind = "custom_tool_call" if call.custom else "function_call"
    seal = seal_out(call.signature) if sealed else {}
    return {"type": kind, "call_id": call.id, "name": call.name, _CALLS[kind]: call.arguments, **seal}


def thought_out(thought: Thought) -> dict[str, Any]:
    """A block of thinking as a reasoning item."""
    summary = [{"type": "summary_text", "text": thought.text}] if thought.text else []
    form = "" if thought.format == makers.OPENAI else thought.format  # which OpenAI has no field for
    named = {"id": thought.id, "encrypted_content": thought.signature, "format": form}
    open_ = {"redacted": False} if thought.signature and not (thought.text or thought.redacted) else {}
    return {"type": "reasoning", "summary": summary, **open_} | {name: value for name, value in named.items() if value}
