"""What the blocks of a reply mean: the same events whether they come whole or in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallGarbled
from noria.core.events import Content, Delta, Started, Stopped, ThoughtDelta, ToolCallDelta, Used
from noria.core.messages import OtherPart
from noria.wires import makers
from noria.wires.anthropic.blocks import arguments_in
from noria.wires.anthropic.citations import citation_in
from noria.wires.anthropic.counts import later, usage_of
from noria.wires.anthropic.reasons import reason_in
from noria.wires.anthropic.shapes import DeltaShape, ReplyShape, StopDetails, UsageShape

_PIECES = {
    "text": frozenset({"text_delta", "citations_delta"}),
    "thinking": frozenset({"thinking_delta", "signature_delta"}),
    "redacted_thinking": frozenset[str](),
    "tool_use": frozenset({"input_json_delta"}),
    "": frozenset({"input_json_delta"}),
}
"""Kind of a block -> what it may get; the empty kind is everything that Anthropic's own tools do."""
_KNOWN = frozenset[str]().union(*_PIECES.values())


class _Block:
    """A block that has begun."""

    def __init__(self, kind: str, data: dict[str, Any], number: int) -> None:
        self.kind = kind
        self.data = data
        self.number = number
        """Which call or block of thinking of the reply; for text, how many characters come before it."""
        self.pieces: list[str] = []
        self.citations: list[Any] = []


class Told:
    """Follows one reply. A block begins, may get more, and is closed; blocks have numbers that never come twice.

    Every method raises ``CallFailed`` for what no reply can hold.
    """

    def __init__(self) -> None:
        self._blocks: dict[int, _Block] = {}
        self._seen = 0
        self._text = 0
        self._calls = 0
        self._thoughts = 0
        self._usage = UsageShape()

    def started(self, message: ReplyShape) -> Iterator[Content]:
        """The reply begins."""
        self._usage = message.usage or self._usage
        yield Started(id=message.id or "", model=message.model or "")

    def opened(self, index: int, block: dict[str, Any]) -> Iterator[Content]:
        """A block begins, with all or some of what it holds."""
        if index < self._seen:
            raise CallGarbled("The provider repeats a block of its reply.")
        self._seen = index + 1
        kind = block.get("type")
        match kind:
            case "text":
                self._blocks[index] = state = _Block("text", block, self._text)
                state.citations += block.get("citations") or ()
                if text := _word(block, "text"):
                    self._text += len(text)
                    yield Delta(text=text)
            case "thinking":
                self._blocks[index] = state = _Block("thinking", block, self._thoughts)
                self._thoughts += 1
                text, signature = _word(block, "thinking"), _word(block, "signature")
                if text or signature:
                    yield Delta(reasoning=text, thought=_thought(state.number, signature))
            case "redacted_thinking":
                self._blocks[index] = state = _Block("redacted_thinking", block, self._thoughts)
                self._thoughts += 1
                yield Delta(thought=_thought(state.number, _word(block, "data"), redacted=True))
            case "tool_use":
                self._blocks[index] = state = _Block("tool_use", block, self._calls)
                self._calls += 1
                call = ToolCallDelta(index=state.number, id=_word(block, "id"), name=_word(block, "name"))
                yield Delta(tool_calls=(call,))
            case str():
                self._blocks[index] = _Block("", block, 0)
            case _:
                raise CallGarbled("The provider sent a block without a type.")

    def more(self, index: int, delta: DeltaShape) -> Iterator[Content]:
        """More of a block. What is new to Noria, as Anthropic announces that there will be, is read over."""
        block = self._blocks.get(index)
        if block is None:
            raise CallGarbled("The provider sent a piece of a block that has not begun.")
        if delta.type not in _PIECES[block.kind]:
            if delta.type in _KNOWN:
                raise CallGarbled(f"The provider sent a {delta.type} for a block of another kind.")
            return
        match delta.type:
            case "text_delta" if delta.text:
                self._text += len(delta.text)
                yield Delta(text=delta.text)
            case "thinking_delta" if delta.thinking:
                yield Delta(reasoning=delta.thinking, thought=ThoughtDelta(index=block.number))
            case "signature_delta" if delta.signature:
                yield Delta(thought=_thought(block.number, delta.signature))
            case "citations_delta":
                block.citations.append(delta.citation)
            case "input_json_delta" if delta.partial_json:
                block.pieces.append(delta.partial_json)
                if block.kind == "tool_use":
                    yield Delta(tool_calls=(ToolCallDelta(index=block.number, arguments=delta.partial_json),))

    def goes_on(self, text: str) -> None:
        """More of the text whose last piece was told."""
        self._text += len(text)

    def closed(self, index: int) -> Iterator[Content]:
        """A block is complete."""
        block = self._blocks.pop(index, None)
        if block is None:
            raise CallGarbled("The provider ended a block that has not begun.")
        match block.kind:
            case "text" if block.citations:
                place = {"start": block.number, "end": self._text}
                yield Delta(citations=tuple(citation_in(citation, **place) for citation in block.citations))
            case "tool_use" if not block.pieces:
                given = block.data.get("input")
                arguments = arguments_in(given if isinstance(given, dict) else {})
                yield Delta(tool_calls=(ToolCallDelta(index=block.number, arguments=arguments),))
            case "":
                yield Delta(parts=(OtherPart(data=_whole(block)),))

    def stopped(self, reason: str, sequence: str | None, details: StopDetails | None) -> Iterator[Content]:
        """The reply is complete; blocks that were left open are closed."""
        for index in list(self._blocks):
            yield from self.closed(index)
        if details is not None and details.explanation:
            yield Delta(refusal=details.explanation)
        yield Stopped(reason=reason_in(reason), sequence=sequence)

    def counted(self, usage: UsageShape | None) -> Iterator[Content]:
        """The tokens, as far as they are known now."""
        if usage is not None:
            self._usage = later(self._usage, usage)
        if (total := usage_of(self._usage)) is not None:
            yield Used(usage=total)


def _whole(block: _Block) -> dict[str, Any]:
    """A block whose input came in pieces, put together."""
    if not any(block.pieces):
        return block.data
    try:
        return block.data | {"input": msgspec.json.decode("".join(block.pieces))}
    except UNREADABLE as error:
        raise CallGarbled("The provider sent the input of one of its own tools in broken JSON.") from error


def _thought(number: int, signature: str, *, redacted: bool = False) -> ThoughtDelta:
    return ThoughtDelta(
        index=number, signature=signature, redacted=redacted, format=makers.ANTHROPIC if signature else ""
    )


def _word(block: dict[str, Any], name: str) -> str:
    value = block.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise CallGarbled(f"The provider sent a block whose `{name}` is no text.")
    return value
