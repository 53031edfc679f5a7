"""Replies as streams of events, and the fold that makes a plain reply of a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from noria.core.limits import Standing
from noria.core.messages import Citation, Message, Part, TextPart, Thought, ToolCall
from noria.core.requests import Request
from noria.core.struct import Noun


class Usage(Noun):
    """Tokens of one call, as the provider counted them."""

    input_tokens: int
    """Prompt tokens, cached ones included."""
    output_tokens: int
    """Generated tokens, reasoning included."""
    cached_tokens: int | None = None
    """Prompt tokens that were read from the provider's cache."""
    cache_write_tokens: int | None = None
    """Prompt tokens that were written into the provider's cache, which some charge more for."""
    reasoning_tokens: int | None = None
    """Generated tokens that were thinking."""


class Sent(Noun, tag="sent", tag_field="event"):
    """The request as it leaves for whoever answers it. For the recorder alone: no caller is shown it.

    Facts about a call are known deep inside (the rendered messages, the variant, the cache hit) and recorded outside.
    They travel outwards as this first event, so that no wrapper needs a side channel to the recorder.
    """

    request: Request
    """The request after prompt rendering, with the lineage that the wrappers on its way stamped on it."""
    provider: str
    """Who answers: ``local`` or the configured provider's name."""
    request_id: str | None = None
    """Content id of ``request``: the response cache's key."""
    streamed: bool = True
    """False when the reply comes in one piece, so that no time to first token can be seen."""
    replays: str | None = None
    """``trace_id/span_id`` of the earlier span, when the reply is read from the cache."""
    ttft_s: float | None = None
    """For a replay: time to first token of the earlier call, seconds."""
    tpot_s: float | None = None
    """For a replay: time per output token of the earlier call, seconds."""
    duration_s: float | None = None
    """For a replay: wall time of the earlier call, seconds."""
    dropped: tuple[str, ...] = ()
    """What the caller asked for, and allowed to be left out, and the provider's wire can't carry."""
    standings: tuple[Standing, ...] = ()
    """How the caller's limits stand with this call, those that are nearest to their end."""
    emulated: tuple[str, ...] = ()
    """What the provider lacks and Noria does in its place, such as ``response_schema``."""
    continues: int | None = None
    """For a model that goes on where another broke off: how many characters of the answer were said by then. This alone
    comes in the middle of a reply."""


class Noted(Noun, tag="noted", tag_field="event"):
    """What became known about a call while it was under way. For the recorder alone: no caller is shown it."""

    attributes: dict[str, Any]
    """They go onto the span. A list is added to one that is there under the same name."""


class Started(Noun, tag="started", tag_field="event"):
    """The reply begins."""

    id: str = ""
    """The provider's id of the reply."""
    model: str = ""
    """The model that answers, as it names itself."""


class ToolCallDelta(Noun):
    """A piece of a tool call."""

    index: int
    """Which call of the choice, from 0."""
    id: str = ""
    """The call's id, in its first piece."""
    name: str = ""
    """The function's name, in its first piece."""
    arguments: str = ""
    """More JSON text."""
    signature: str = ""
    """See :class:`ToolCall`."""
    custom: bool = False
    """See :class:`ToolCall`."""


class ThoughtDelta(Noun):
    """Which block of thinking a delta's ``reasoning`` belongs to, and what seals it."""

    index: int = 0
    """Which block of the choice, from 0."""
    signature: str = ""
    """More of its signature."""
    redacted: bool = False
    """Its text is hidden."""
    id: str = ""
    """The provider's id of the block, in its first piece."""
    format: str = ""
    """See :class:`noria.core.messages.Thought`."""


class Delta(Noun, tag="delta", tag_field="event"):
    """More of a choice."""

    index: int = 0
    """Which choice."""
    text: str = ""
    """More answer text."""
    reasoning: str = ""
    """More thinking text."""
    refusal: str = ""
    """More of a refusal."""
    tool_calls: tuple[ToolCallDelta, ...] = ()
    """More of its tool calls."""
    thought: ThoughtDelta | None = None
    """The block of thinking that goes on, where the provider seals its blocks."""
    citations: tuple[Citation, ...] = ()
    """What the text so far rests on."""
    parts: tuple[Part, ...] = ()
    """What is neither text nor thinking: a generated image, say, whole."""
    logprobs: dict[str, Any] | None = None
    """Token log-probabilities in the OpenAI wire's shape (natural logarithm)."""


class Stopped(Noun, tag="stopped", tag_field="event"):
    """A choice is complete."""

    index: int = 0
    """Which choice."""
    reason: str = "stop"
    """``stop``, ``length``, ``tool_calls``, ``content_filter``, ``refusal``, or the provider's own word."""
    sequence: str | None = None
    """The stop sequence that ended it, where the provider says which."""


class Used(Noun, tag="used", tag_field="event"):
    """The provider's token count."""

    usage: Usage
    """The count for the whole call."""


class Embedded(Noun, tag="embedded", tag_field="event"):
    """The vector of one input."""

    index: int
    """Which input, from 0."""
    vector: tuple[float, ...]
    """Its embedding."""


class Ranked(Noun, tag="ranked", tag_field="event"):
    """The relevance of one document; the best comes first."""

    index: int
    """Which document, from 0, in the caller's order."""
    score: float
    """Relevance as the model counts it."""


class Counted(Noun, tag="counted", tag_field="event"):
    """How many tokens the prompt has, where only that was asked."""

    tokens: int
    """Its tokens, tools and system prompt included."""


Content = Started | Delta | Stopped | Used | Embedded | Ranked | Counted
"""What a provider says, as its wire decodes it."""


class Raw(Noun, tag="raw", tag_field="event"):
    """A piece of the reply in the provider's own bytes, with the events they mean.

    It comes only where the caller's wire is the provider's. Whoever writes that wire sends the bytes; everybody else
    reads the events. Who changes a reply on its way passes the changed events on, and not the bytes.
    """

    wire: str
    """The wire that the bytes are of."""
    data: bytes
    """Whole server-sent events, or the body of a reply that is not streamed."""
    events: tuple[Content, ...] = ()
    """What they mean, in order."""
    whole: Reply | None = None
    """The reply that they are, where it is not streamed: what its events fold into, so that nobody has to fold them."""


class OnRecord(Noun, tag="on_record", tag_field="event"):
    """The last event of a recorded call: its span is durable. For callers that tell what a call was."""

    trace_id: str
    """Where the record is."""
    span_id: str
    """The span in the trace."""
    cost_usd: float | None = None
    """What the call cost, US dollars; None where the price is unknown."""


Event = Content | Sent | Noted | Raw | OnRecord
"""A reply is a stream of these. A call that fails raises from the iterator; it never ends as if it were complete."""


def plain(event: Event) -> tuple[Event, ...]:
    """The event, or, for raw bytes, the events that they mean."""
    return event.events if isinstance(event, Raw) else (event,)


_ENDING = frozenset({Stopped, Used, Embedded, Ranked, Counted})


def ends_reply(event: Event) -> bool:
    """Whether the event is part of what makes a reply complete, so that its record has to be durable first."""
    if isinstance(event, Raw):
        return any(map(ends_reply, event.events))
    return type(event) in _ENDING


class Choice(Noun):
    """One of the answers of a reply."""

    message: Message
    """What the model said."""
    finish_reason: str | None = None
    """Why it stopped; None when it was cut off."""
    sequence: str | None = None
    """The stop sequence that ended it, where the provider says which."""
    logprobs: dict[str, Any] | None = None
    """Token log-probabilities in the OpenAI wire's shape."""


class Reply(Noun):
    """A whole answer: the fold of its events."""

    id: str = ""
    """The provider's id."""
    model: str = ""
    """The model that answered."""
    choices: tuple[Choice, ...] = ()
    """The answers, usually one."""
    usage: Usage | None = None
    """Tokens, where the provider counted."""
    vectors: tuple[tuple[float, ...], ...] = ()
    """Embeddings, in the order of the inputs."""
    ranking: tuple[Ranked, ...] = ()
    """Documents by relevance, the best first."""
    counted: int | None = None
    """Tokens of the prompt, where only that was asked."""

    @property
    def text(self) -> str:
        """The first choice's text; empty when there is none."""
        return self.choices[0].message.text if self.choices else ""

    @property
    def complete(self) -> bool:
        """True when every choice has a finish reason, or vectors, a ranking or a count have come."""
        if self.choices:
            return all(choice.finish_reason is not None for choice in self.choices)
        return bool(self.vectors or self.ranking) or self.counted is not None


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


def events_of(reply: Reply) -> Iterable[Content]:
    """The shortest stream that folds back into ``reply``: how a stored answer is replayed."""
    yield Started(id=reply.id, model=reply.model)
    for index, choice in enumerate(reply.choices):
        yield from _said(index, choice)
        if choice.finish_reason is not None:
            yield Stopped(index=index, reason=choice.finish_reason, sequence=choice.sequence)
    for index, vector in enumerate(reply.vectors):
        yield Embedded(index=index, vector=vector)
    yield from reply.ranking
    if reply.counted is not None:
        yield Counted(tokens=reply.counted)
    if reply.usage is not None:
        yield Used(usage=reply.usage)


def _said(index: int, choice: Choice) -> Iterable[Delta]:
    """A choice's content, each block of sealed thinking at its place among text, parts and tool calls."""
    message = choice.message
    content: tuple[Part, ...] = () if isinstance(message.content, str) else message.content
    parts = [part for part in content if not isinstance(part, TextPart)]
    cited = tuple(citation for part in content if isinstance(part, TextPart) for citation in part.citations)
    pieces = [Delta(index=index, text=message.text, citations=cited)] if message.text else []
    pieces += [Delta(index=index, parts=(part,)) for part in parts]
    pieces += [
        Delta(
            index=index,
            tool_calls=(
                ToolCallDelta(
                    index=i,
                    id=call.id,
                    name=call.name,
                    arguments=call.arguments,
                    signature=call.signature,
                    custom=call.custom,
                ),
            ),
        )
        for i, call in enumerate(message.tool_calls)
    ]
    for i, thought in reversed(list(enumerate(message.thoughts))):
        block = ThoughtDelta(
            index=i, signature=thought.signature, redacted=thought.redacted, id=thought.id, format=thought.format
        )
        pieces.insert(thought.at, Delta(index=index, reasoning=thought.text, thought=block))
    if message.reasoning and not message.thoughts:
        pieces.insert(0, Delta(index=index, reasoning=message.reasoning))
    if message.refusal or choice.logprobs or not pieces:
        pieces.append(Delta(index=index, refusal=message.refusal, logprobs=choice.logprobs))
    yield from pieces
