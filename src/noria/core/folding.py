"""The fold that makes a plain reply of a stream of events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from noria.core.citing import apart
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
    ToolCallDelta,
    Used,
    plain,
)
from noria.core.messages import Citation, Message, Part, TextPart, Thought, ToolCall, parted
from noria.core.replies import Choice, Ranked, Reply, Usage
from noria.core.unfolding import events_of


class _Draft:
    """A choice while it grows."""

    def __init__(self) -> None:
        self.said: list[list[str] | Part | int] = []
        """In order: texts in pieces, other parts, and the numbers of calls."""
        self.text: list[str] | None = None
        """The text that goes on."""
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.calls: dict[int, list[str]] = {}
        self.custom: set[int] = set()
        self.thoughts: dict[int, Thought] = {}
        self.citations: list[tuple[Citation, int]] = []
        """Each with how many texts had begun when it came."""
        self.logprobs: dict[str, list[Any]] = {}
        self.stopped: Stopped | None = None

    def take(self, delta: Delta) -> None:
        if delta.text:
            if self.text is None:
                self.text = []
                self.said.append(self.text)
            self.text.append(delta.text)
        if delta.reasoning:
            self.reasoning.append(delta.reasoning)
        if delta.refusal:
            self.refusal.append(delta.refusal)
        for piece in delta.tool_calls:
            self._call(piece)
        if delta.thought is not None:
            self._think(delta.thought, delta.reasoning)
        if delta.citations:
            begun = sum(isinstance(said, list) for said in self.said)
            self.citations += ((citation, begun) for citation in delta.citations)
        if delta.parts:
            self.said += delta.parts
            self.text = None
        for key, tokens in (delta.logprobs or {}).items():
            self.logprobs.setdefault(key, []).extend(tokens or ())

    def _call(self, piece: ToolCallDelta) -> None:
        call = self.calls.get(piece.index)
        if call is None:  # and no text goes on before it
            call = self.calls[piece.index] = ["", "", "", ""]
            self.said.append(piece.index)
            self.text = None
        call[0] = call[0] or piece.id
        call[1] = call[1] or piece.name
        call[2] += piece.arguments
        call[3] += piece.signature
        if piece.custom:
            self.custom.add(piece.index)

    def _think(self, piece: ThoughtDelta, text: str) -> None:
        thought = self.thoughts.get(piece.index)
        if thought is None:  # and no text goes on before it
            thought, self.text = Thought(at=len(self.said)), None
        self.thoughts[piece.index] = Thought(
            text=thought.text + text,
            signature=thought.signature + piece.signature,
            redacted=thought.redacted or piece.redacted,
            id=thought.id or piece.id,
            at=thought.at,
            format=thought.format or piece.format,
        )

    def _pieces(self) -> Iterable[Part | ToolCall]:
        texts = ["".join(said) for said in self.said if isinstance(said, list)]
        cited = iter(zip(texts, apart(texts, self.citations if texts else ()), strict=True))
        for said in self.said:
            if isinstance(said, list):
                text, citations = next(cited)
                yield TextPart(text=text, citations=citations)
            elif isinstance(said, int):
                id, name, arguments, signature = self.calls[said]
                yield ToolCall(id=id, name=name, arguments=arguments, signature=signature, custom=said in self.custom)
            else:
                yield said

    def _content(self) -> tuple[str | tuple[Part, ...], tuple[ToolCall, ...]]:
        if self.text is not None and len(self.said) == 1 and not self.citations:  # one text, as most answers are
            return "".join(self.text), ()
        content, calls = parted(self._pieces())
        return _plain(content), calls

    def choice(self) -> Choice:
        content, calls = self._content()
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


def _plain(content: tuple[Part, ...]) -> str | tuple[Part, ...]:
    """One text without a source is a plain text."""
    match content:
        case ():
            return ""
        case (TextPart(citations=(), cache=None, text=text),):
            return text
    return content


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
