"""Streamed replies: the wire's events, read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from noria.core.citing import moved
from noria.core.decoding import UNREADABLE
from noria.core.errors import CallCut, CallGarbled
from noria.core.events import Content, Delta, Started, Stopped, ThoughtDelta, ToolCallDelta, Used
from noria.core.messages import OtherPart
from noria.wires import makers
from noria.wires.openai_chat.errors import decode_error_object
from noria.wires.openai_chat.thinking import seal_in
from noria.wires.openai_responses.items import is_hidden
from noria.wires.openai_responses.parts import citation_in
from noria.wires.openai_responses.replies import reason_of, usage_of
from noria.wires.openai_responses.shapes import EventShape, ResponseShape
from noria.wires.sse import EventParser

_event_decoder = msgspec.json.Decoder(EventShape)
_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})
_CALLS = ("function_call", "custom_tool_call")


class _Item:
    """What is known of an item that is under way."""

    def __init__(self, item: dict[str, Any], place: int) -> None:
        self.item = item
        self.place = place
        """Which call, or which block of thinking, it is."""
        self.said = ""
        """Text, arguments or thinking that came in deltas."""
        self.logprobs = 0
        """How many tokens' log-probabilities have come."""
        self.block = 0
        """Which block of a summary goes on."""


class StreamDecoder:
    """The bytes of one streamed response, cut anywhere, as events.

    A text whose deltas did not come is taken from the item when it is done: some servers leave deltas out. A stream that
    begins again is a failed call, since nobody could tell which of the two texts is the answer.
    """

    def __init__(self) -> None:
        self._parser = EventParser()
        self._items: dict[int, _Item] = {}
        self._calls = 0
        self._thoughts = 0
        self._length = 0
        self._begins: dict[tuple[int, int], int] = {}
        """How many characters of the answer come before each part of each item."""
        self._cited: dict[tuple[int, int], int] = {}
        """How many citations of it have come."""
        self._started = False
        self._named = True
        self._done = False

    @property
    def done(self) -> bool:
        """True once the response was complete."""
        return self._done

    def feed(self, chunk: bytes) -> Iterator[Content]:
        """Take more bytes; yield the events that they complete.

        Raises:
            CallFailed: at its place in the stream, an error, a response that failed, or something that is no event.
        """
        for event in self._parser.feed(chunk):
            if self._done:
                return
            if event.data and event.data.strip() != b"[DONE]":
                yield from self._take(_decoded(event.data))

    def close(self) -> None:
        """The bytes have ended. Raises ``CallCut`` when the response is not complete."""
        if not self._done:
            raise CallCut("The provider's stream ended before the response was complete.")

    def _take(self, event: EventShape) -> Iterator[Content]:
        kind = event.type
        if kind == "error":
            raise decode_error_object(event.error or {"message": event.message, "code": event.code, "type": event.code})
        if kind in _ENDS:
            yield from self._end(event.response or ResponseShape())
        elif kind == "response.created":
            yield self._begin(event.response or ResponseShape())
        elif kind == "response.output_item.added":
            yield from self._open(event)
        elif kind == "response.output_item.done":
            yield from self._close(event)
        elif kind.endswith(".delta") and isinstance(event.delta, str) and event.output_index in self._items:
            yield from self._delta(self._items[event.output_index], event)
        elif kind == "response.output_text.done" and event.logprobs and event.output_index in self._items:
            open_ = self._items[event.output_index]
            late, open_.logprobs = event.logprobs[open_.logprobs :], 0
            if late:
                yield Delta(logprobs={"content": late})
        elif kind == "response.output_text.annotation.added":
            yield self._cites((event.output_index, event.content_index), [event.annotation])

    def _begin(self, response: ResponseShape) -> Started:
        if self._started:
            raise CallGarbled("The provider's stream began a second response before the first was complete.")
        self._started, self._named = True, bool(response.model)
        return Started(id=response.id or "", model=response.model or "")

    def _open(self, event: EventShape) -> Iterator[Content]:
        item = event.item or {}
        kind = item.get("type")
        if kind == "reasoning":
            place, self._thoughts = self._thoughts, self._thoughts + 1
        else:
            place = self._calls
        self._items[event.output_index] = _Item(item, place)
        if kind in _CALLS:
            self._calls += 1
            yield Delta(tool_calls=(_opened(item, place),))

    def _delta(self, open_: _Item, event: EventShape) -> Iterator[Content]:
        match event.type:
            case "response.output_text.delta":
                open_.said += event.delta
                self._says((event.output_index, event.content_index), event.delta)
                open_.logprobs += len(event.logprobs or ())
                yield Delta(text=event.delta, logprobs={"content": event.logprobs} if event.logprobs else None)
            case "response.refusal.delta":
                open_.said += event.delta
                yield Delta(refusal=event.delta)
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                block = event.summary_index or event.content_index
                text = f"\n\n{event.delta}" if block > open_.block else event.delta
                open_.block = max(block, open_.block)
                open_.said += text
                yield Delta(reasoning=text, thought=_thought(open_, opened=len(open_.said) == len(text)))
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                open_.said += event.delta
                yield Delta(tool_calls=(ToolCallDelta(index=open_.place, arguments=event.delta),))

    def _close(self, event: EventShape) -> Iterator[Content]:
        """What of a finished item has not come yet."""
        item = event.item or {}
        if event.output_index not in self._items:
            yield from self._open(event)
        open_ = self._items.pop(event.output_index)
        match item.get("type"):
            case "message":
                yield from self._rest(event.output_index, item, told=bool(open_.said))
            case "reasoning":
                text = "" if open_.said else "\n\n".join(_texts(item.get("summary")) or _texts(item.get("content")))
                seal = item.get("encrypted_content")
                seal = seal if isinstance(seal, str) else ""
                thought = msgspec.structs.replace(
                    _thought(open_, opened=not open_.said),
                    signature=seal,
                    redacted=is_hidden(item, bool(text or open_.said)),
                    format=item["format"] if isinstance(item.get("format"), str) else makers.OPENAI if seal else "",
                )
                if text or thought != ThoughtDelta(index=open_.place):
                    yield Delta(reasoning=text, thought=thought)
            case "function_call" | "custom_tool_call":
                whole = item.get("arguments") if item["type"] == "function_call" else item.get("input")
                rest = whole if isinstance(whole, str) and not open_.said else ""
                seal = seal_in(item.get("extra_content"))
                if rest or seal:
                    yield Delta(tool_calls=(ToolCallDelta(index=open_.place, arguments=rest, signature=seal),))
            case str():
                yield Delta(parts=(OtherPart(data=item),))

    def _rest(self, place: int, item: dict[str, Any], *, told: bool) -> Iterator[Content]:
        """What of a message has not come: all of it where no delta came, and citations that had no event of their own."""
        content = item.get("content")
        for i, part in enumerate(content if isinstance(content, list) else ()):
            match part:
                case {"type": "output_text", "text": str(text), **more}:
                    if not told:
                        self._says((place, i), text)
                        yield Delta(text=text)
                    cited = more.get("annotations")
                    if isinstance(cited, list) and (late := cited[self._cited.get((place, i), 0) :]):
                        yield self._cites((place, i), late)
                case {"type": "refusal", "refusal": str(refusal)} if not told:
                    yield Delta(refusal=refusal)

    def _says(self, part: tuple[int, int], text: str) -> None:
        self._begins.setdefault(part, self._length)
        self._length += len(text)

    def _cites(self, part: tuple[int, int], annotations: Sequence[Any]) -> Delta:
        """Citations, which count in their own part here."""
        self._cited[part] = self._cited.get(part, 0) + len(annotations)
        before = self._begins.get(part, self._length)
        return Delta(citations=tuple(moved(citation_in(annotation), before) for annotation in annotations))

    def _end(self, response: ResponseShape) -> Iterator[Content]:
        reason = reason_of(response)
        if not self._named and response.model:  # llama.cpp names its model at the end alone
            yield Started(id=response.id or "", model=response.model)
        if usage := usage_of(response.usage):
            yield Used(usage=usage)
        yield Stopped(reason=reason)
        self._done = True


def _decoded(data: bytes) -> EventShape:
    try:
        return _event_decoder.decode(data)
    except UNREADABLE as error:
        raise CallGarbled(f"The provider sent something that is no event of a response: {error}.") from error


def _opened(item: dict[str, Any], place: int) -> ToolCallDelta:
    id, name = item.get("call_id"), item.get("name")
    return ToolCallDelta(
        index=place,
        id=id if isinstance(id, str) else "",
        name=name if isinstance(name, str) else "",
        custom=item.get("type") == "custom_tool_call",
    )


def _thought(open_: _Item, *, opened: bool) -> ThoughtDelta:
    id = open_.item.get("id")
    return ThoughtDelta(index=open_.place, id=id if opened and isinstance(id, str) else "")


def _texts(parts: Any) -> list[str]:
    found = (part.get("text") for part in parts if isinstance(part, dict)) if isinstance(parts, list) else ()
    return [text for text in found if isinstance(text, str)]
