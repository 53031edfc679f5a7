"""A conversation as Anthropic's system prompt and turns.

Results of tools are blocks of the user's turn, those of one turn together and before what the user goes on to say.
Texts without a visible character are left out without a word: Anthropic refuses them, and they say nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec

from noria.core.errors import InvalidInput
from noria.core.messages import Message, Part, TextPart, Thought, ToolCall
from noria.core.requests import Request
from noria.wires import makers
from noria.wires.anthropic.blocks import call_out, id_out, part_out
from noria.wires.anthropic.incoming import NAME
from noria.wires.anthropic.marks import cache_out
from noria.wires.anthropic.seals import thought_out
from noria.wires.anthropic.thinking import takes_system_turns
from noria.wires.carrying import Carrying

_UNSIGNED = "Anthropic takes back only thinking that it has signed"


class Conversation:
    """Writes the messages of one request.

    Arguments:
        request: whose messages.
        model: the provider's name of the model, which decides whether instructions may come in the middle.
        carrying: decides about what can't be carried.

    Raises:
        InvalidInput: there is such a thing, and it must not be left out.
    """

    def __init__(self, request: Request, *, model: str, carrying: Carrying) -> None:
        self._model = model
        self._carrying = carrying
        self._own = request.wire == NAME
        self._as_it_came = request.wire in {NAME, ""}
        self._results: list[dict[str, Any]] | None = None  # of one turn, which may go on with what the user says
        messages = request.messages
        first = next((i for i, m in enumerate(messages) if m.role not in {"system", "developer"}), len(messages))
        self.system: str | list[dict[str, Any]] = self._system(messages[:first])
        """The system prompt; empty for none."""
        self.turns: list[dict[str, Any]] = []
        """The turns."""
        for place, message in enumerate(messages[first:], first):
            self._add(message, place)

    def _system(self, messages: tuple[Message, ...]) -> str | list[dict[str, Any]]:
        if len(messages) == 1 and isinstance(messages[0].content, str):
            self._check_name(messages[0])
            return messages[0].content if messages[0].content.strip() else ""
        for message in messages:
            self._check_name(message)
        return [block for message in messages for block in self._instructions(message)]

    def _add(self, message: Message, place: int) -> None:
        self._check_name(message)
        match message.role:
            case "tool":
                if self._results is None:
                    self._results = []
                    self.turns.append({"role": "user", "content": self._results})
                self._results.append(self._result(message, place))
                return
            case "user":
                self._say(self._user(message))
            case "assistant":
                if said := self._assistant(message):
                    self.turns.append({"role": "assistant", "content": said})
            case _:
                self._interject(message)
        self._results = None

    def _say(self, content: str | list[dict[str, Any]]) -> None:
        if not content:
            return
        if self._results is None:
            self.turns.append({"role": "user", "content": content})
        elif isinstance(content, str):
            self._results.append({"type": "text", "text": content})
        else:
            self._results.extend(content)

    def _interject(self, message: Message) -> None:
        """Instructions in the middle: a turn of their own where the model knows such, else words in the user's turn."""
        blocks = self._instructions(message)
        if not blocks:
            return
        after_user = bool(self.turns) and self.turns[-1]["role"] == "user"
        if self._own or (after_user and takes_system_turns(self._model)):
            self.turns.append(
                {"role": "system", "content": message.content if isinstance(message.content, str) else blocks}
            )
            return
        self._carrying.emulates("system")
        self.turns.append({"role": "user", "content": f"<system>\n{message.text}\n</system>"})

    def _instructions(self, message: Message) -> list[dict[str, Any]]:
        blocks = self._blocks(message.content)
        for block in blocks:
            if block.get("type") != "text":
                self._carrying.cannot(str(block.get("type")), "a system prompt is text alone")
        return [block for block in blocks if block.get("type") == "text"]

    def _user(self, message: Message) -> str | list[dict[str, Any]]:
        if isinstance(message.content, str):
            return message.content if message.content.strip() else ""
        return self._blocks(message.content)

    def _result(self, message: Message, place: int) -> dict[str, Any]:
        if not message.tool_call_id:
            raise InvalidInput(f"`messages[{place}].tool_call_id` is missing.", kept="Nothing was sent.")
        result: dict[str, Any] = {"type": "tool_result", "tool_use_id": id_out(message.tool_call_id)}
        if isinstance(message.content, str):
            if message.content:
                result["content"] = message.content
        else:
            blocks = self._blocks(message.content)
            if cache := getattr(message.content[-1], "cache", None) if message.content else None:
                result |= cache_out(cache)  # the mark stands on the result itself
                if blocks:
                    blocks[-1] = {name: value for name, value in blocks[-1].items() if name != "cache_control"}
            if blocks:
                result["content"] = blocks
        if message.tool_failed:
            result["is_error"] = True
        return result

    def _assistant(self, message: Message) -> str | list[dict[str, Any]]:
        """What the model said, its blocks of thinking in their places."""
        if message.reasoning and not message.thoughts:
            self._carrying.forgets(_UNSIGNED)
        thinking = [
            (thought.at, block) for thought in message.thoughts if (block := self._thought(thought)) is not None
        ]
        content = message.content
        if isinstance(content, str) and not (thinking or message.tool_calls or message.refusal):
            return content if content.strip() else ""
        before = [
            [self._call(piece)] if isinstance(piece, ToolCall) else self._blocks((piece,)) for piece in message.pieces
        ]
        if message.refusal.strip():
            before.append([{"type": "text", "text": message.refusal}])
        blocks: list[dict[str, Any]] = []
        for place in range(len(before) + 1):
            blocks += [block for at, block in thinking if at == place or (at > place == len(before))]
            blocks += before[place] if place < len(before) else []
        return blocks

    def _thought(self, thought: Thought) -> dict[str, Any] | None:
        anothers = thought.id if not thought.format else not makers.may_be(thought.format, makers.ANTHROPIC)
        if anothers or not thought.signature:
            self._carrying.forgets(_UNSIGNED)
            return None
        return thought_out(msgspec.structs.replace(thought, id=""))

    def _call(self, call: ToolCall) -> dict[str, Any]:
        if call.signature:
            self._carrying.forgets("a tool call carries the seal of another provider")
        if call.custom:
            self._carrying.cannot("custom", "Anthropic's tools take JSON")
        return call_out(call)

    def _blocks(self, content: str | tuple[Part, ...]) -> list[dict[str, Any]]:
        parts: tuple[Part, ...] = (TextPart(text=content),) if isinstance(content, str) else content
        blocks = (
            part_out(part, self._carrying, as_it_came=self._as_it_came)
            for part in parts
            if not isinstance(part, TextPart) or part.text.strip()
        )
        return [block for block in blocks if block is not None]

    def _check_name(self, message: Message) -> None:
        if message.name is not None and message.role != "tool":
            self._carrying.cannot("name", "Anthropic's messages have no names")
