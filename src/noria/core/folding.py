"""The fold that makes a plain reply of a stream of events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from noria.core.events import (
    Counted,
    Delta,
    Embedded,
    Event,
    Noted,
    OnRecord,
    Raw,
    Sent,
    Started,
    Stopped,
    ThoughtDelta,
    Used,
    plain,
)
from noria.core.messages import Citation, Message, Part, TextPart, Thought, ToolCall
from noria.core.replies import Choice, Ranked, Reply, Usage
from noria.core.unfolding import events_of


class _Draft:
    """A choice while it grows."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.calls: dict[int, list[str]] = {}
        self.custom: set[int] = set()
        self.thoughts: dict[int, Thought] = {}
        self.citations: list[Citation] = []
        self.parts: list[Part] = []
        self.logprobs: dict[str, list[Any]] = {}
        self.stopped: Stopped | None = None

    def take(self, delta: Delta) -> None:
        if delta.text:
            self.text.append(delta.text)
        if delta.reasoning:
            self.reasoning.append(delta.reasoning)
        if delta.refusal:
            self.refusal.append(delta.refusal)
        for piece in delta.tool_calls:
            call = self.calls.setdefault(piece.index, ["", "", "", ""])
            call[0] = call[0] or piece.id
            call[1] = call[1] or piece.name
            call[2] += piece.arguments
            call[3] += piece.signature
            if piece.custom:
                self.custom.add(piece.index)
        if delta.thought is not None:
            self._think(delta.thought, delta.reasoning)
        self.citations += delta.citations
        self.parts += delta.parts
        for key, tokens in (delta.logprobs or {}).items():
            self.logprobs.setdefault(key, []).extend(tokens or ())

    def _think(self, piece: ThoughtDelta, text: str) -> None:
        place = len(self.calls) + len(self.parts) + bool(self.text)
        thought = self.thoughts.get(piece.index) or Thought(at=place)
        self.thoughts[piece.index] = Thought(
            text=thought.text + text,
            signature=thought.signature + piece.signature,
            redacted=thought.redacted or piece.redacted,
            id=thought.id or piece.id,
            at=thought.at,
            format=thought.format or piece.format,
        )

    def choice(self) -> Choice:
        calls = tuple(
            ToolCall(id=c[0], name=c[1], arguments=c[2], signature=c[3], custom=i in self.custom)
            for i, c in sorted(self.calls.items())
        )
        text = "".join(self.text)
        content: str | tuple[Part, ...] = text
        if self.citations or self.parts:
            said = (TextPart(text=text, citations=tuple(self.citations)),) if text else ()
            content = (*said, *self.parts)
        message = Message(
            role="assistant",
            content=content,
            tool_calls=calls,
            reasoning="".join(self.reasoning),
            thoughts=tuple(thought for _, thought in sorted(self.thoughts.items())),
            refusal="".join(self.refusal),
        )
        stopped = self.stopped
        return Choice(
            message=message,
            finish_reason=stopped.reason if stopped else None,
            sequence=stopped.sequence if stopped else None,
            logprobs=self.logprobs or None,
        )


_ASIDE = frozenset({Sent, Noted, OnRecord})
"""Events that tell about the call, and are no part of the reply."""


class Fold:
    """Folds events into a reply, one by one, so that what came before a cut is still there."""

    def __init__(self) -> None:
        self._id = ""
        self._model = ""
        self._usage: Usage | None = None
        self._drafts: dict[int, _Draft] = {}
        self._vectors: dict[int, tuple[float, ...]] = {}
        self._ranking: list[Ranked] = []
        self._counted: int | None = None
        self._fresh = True
        self._whole: Reply | None = None

    def take(self, event: Event) -> None:
        """Add one event."""
        if type(event) in _ASIDE:
            return
        if self._whole is not None:  # it was not all
            before, self._whole = self._whole, None
            for said in events_of(before):
                self._take(said)
        if isinstance(event, Raw) and self._fresh:
            self._whole = event.whole
        self._fresh = False
        if self._whole is None:
            for each in plain(event):
                self._take(each)

    def _take(self, said: Event) -> None:
        match said:
            case Delta():
                self._draft(said.index).take(said)
            case Started():
                self._id, self._model = said.id or self._id, said.model or self._model
            case Stopped():
                self._draft(said.index).stopped = said
            case Used():
                self._usage = said.usage
            case Embedded() | Ranked() | Counted():
                self._find(said)
            case _:
                pass

    def _find(self, found: Embedded | Ranked | Counted) -> None:
        """What is no answer in words."""
        match found:
            case Embedded():
                self._vectors[found.index] = found.vector
            case Ranked():
                self._ranking.append(found)
            case Counted():
                self._counted = found.tokens

    def _draft(self, index: int) -> _Draft:
        draft = self._drafts.get(index)
        if draft is None:
            draft = self._drafts[index] = _Draft()
        return draft

    def reply(self) -> Reply:
        """The reply as far as it has come."""
        if self._whole is not None:
            return self._whole
        return Reply(
            id=self._id,
            model=self._model,
            choices=tuple(draft.choice() for _, draft in sorted(self._drafts.items())),
            usage=self._usage,
            vectors=tuple(vector for _, vector in sorted(self._vectors.items())),
            ranking=tuple(self._ranking),
            counted=self._counted,
        )


def fold(events: Iterable[Event]) -> Reply:
    """The reply that a finished sequence of events adds up to."""
    state = Fold()
    for event in events:
        state.take(event)
    return state.reply()


async def collect(events: AsyncIterator[Event]) -> Reply:
    """Read a stream to its end and fold it."""
    state = Fold()
    async for event in events:
        state.take(event)
    return state.reply()
