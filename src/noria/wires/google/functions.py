"""Function calls and their results.

Replies of older models name no ids, and results pair with calls by name and order. Noria makes ids that stay the same
when a conversation is sent again: ``noria_call_0`` is its first call. They are never sent to Google.
"""

from __future__ import annotations

from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput
from noria.core.messages import Message, TextPart, ToolCall
from noria.wires.carrying import Carrying
from noria.wires.google.parts import read_part, write_part
from noria.wires.google.seals import seal_in

_MADE = "noria_call_"


def made_id(number: int) -> str:
    """The id of a conversation's call that has none: its number, from 0."""
    return f"{_MADE}{number}"


def read_call(call: dict[str, Any], signature: Any, number: int) -> ToolCall:
    """A ``functionCall``. Raises ``ValueError`` for one that is none."""
    name, args, id = call.get("name"), call.get("args"), call.get("id")
    if not isinstance(name, str) or not name:
        raise ValueError("`name` is missing")
    if args is not None and not isinstance(args, dict):
        raise ValueError("`args` must be an object")
    return ToolCall(
        id=id if isinstance(id, str) and id else made_id(number),
        name=name,
        arguments=msgspec.json.encode(args or {}).decode(),
        signature=seal_in(signature).signature if isinstance(signature, str) else "",
    )


def write_call(call: ToolCall, args: dict[str, Any], seal: str, *, made: bool) -> dict[str, Any]:
    """A part with a ``functionCall``.

    Arguments:
        call: the call.
        args: its arguments, parsed.
        seal: its ``thoughtSignature``; empty for none.
        made: write an id that Noria made, too.
    """
    named = {"id": call.id} if call.id and (made or not call.id.startswith(_MADE)) else {}
    part: dict[str, Any] = {"functionCall": {**named, "name": call.name, "args": args}}
    if seal:
        part["thoughtSignature"] = seal
    return part


def arguments_of(arguments: str) -> dict[str, Any] | None:
    """The arguments as the object that the wire wants; None where a model wrote something else."""
    if not arguments.strip():
        return {}
    try:
        args = msgspec.json.decode(arguments)
    except UNREADABLE:
        return None
    return args if isinstance(args, dict) else None


class Pairing:
    """Which call a result answers, while a conversation is read from its beginning."""

    def __init__(self) -> None:
        self.calls = 0
        """How many calls there were."""
        self._open: list[ToolCall] = []

    def called(self, call: ToolCall) -> None:
        """A call."""
        self.calls += 1
        self._open.append(call)

    def answers(self, result: dict[str, Any]) -> str:
        """The id of the call that a ``functionResponse`` answers: by its id, or the first open one of its name."""
        id, name = result.get("id"), result.get("name")
        for call in self._open:
            if call.id == id if id else call.name == name:
                self._open.remove(call)
                return call.id
        if isinstance(id, str) and id:
            return id
        raise InvalidInput(f"answers no call: no open call is named {name!r}.")


def read_result(result: dict[str, Any], call_id: str) -> Message:
    """A ``functionResponse`` as the message that answers ``call_id``. Raises ``ValueError`` for one that is none."""
    response = result.get("response", {})
    if not isinstance(response, dict):
        raise ValueError("`response` must be an object")  # noqa: TRY004  # of a value, not of a program
    text, failed = msgspec.json.encode(response).decode(), False
    match response:
        case {"output": str(said)} if len(response) == 1:
            text = said
        case {"error": str(said)} if len(response) == 1:
            text, failed = said, True
    parts = tuple(read_part(part) for part in result.get("parts") or () if isinstance(part, dict))
    name = result.get("name")
    return Message(
        role="tool",
        content=(TextPart(text=text), *parts) if parts else text,
        name=name if isinstance(name, str) else None,
        tool_call_id=call_id,
        tool_failed=failed,
    )


def write_result(message: Message, name: str, carrying: Carrying, *, own: bool, named: bool) -> dict[str, Any]:
    """A part with the ``functionResponse`` that a tool message is."""
    text = message.text
    response = {"error": text} if message.tool_failed else arguments_of(text) if text.startswith("{") else None
    out: dict[str, Any] = {"name": name, "response": {"output": text} if response is None else response}
    if message.tool_call_id and not message.tool_call_id.startswith(_MADE):
        out["id"] = message.tool_call_id
    if not isinstance(message.content, str):
        media = [part for part in message.content if not isinstance(part, TextPart)]
        if media:
            out["parts"] = [write_part(part, carrying, own=own, named=named) for part in media]
    return {"functionResponse": out}
