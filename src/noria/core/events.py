"""Replies as streams of events, and the fold that makes a plain reply of a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from noria.core.messages import Message, ToolCall
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
    logprobs: dict[str, Any] | None = None
    """Token log-probabilities in the OpenAI wire's shape (natural logarithm)."""


class Stopped(Noun, tag="stopped", tag_field="event"):
    """A choice is complete."""

    index: int = 0
    """Which choice."""
    reason: str = "stop"
    """``stop``, ``length``, ``tool_calls``, ``content_filter``, or the provider's own word."""


class Used(Noun, tag="used", tag_field="event"):
    """The provider's token count."""

    usage: Usage
    """The count for the whole call."""


Event = Sent | Started | Delta | Stopped | Used
"""A reply is a stream of these. A call that fails raises from the iterator; it never ends as if it were complete."""


class Choice(Noun):
    """One of the answers of a reply."""

    message: Message
    """What the model said."""
    finish_reason: str | None = None
    """Why it stopped; None when it was cut off."""
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

    @property
    def text(self) -> str:
        """The first choice's text; empty when there is none."""
        return self.choices[0].message.text if self.choices else ""

    @property
    def complete(self) -> bool:
        """True when every choice has a finish reason."""
        return bool(self.choices) and all(choice.finish_reason is not None for choice in self.choices)


class _Draft:
    """A choice while it grows."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.refusal: list[str] = []
        self.calls: dict[int, list[str]] = {}
        self.logprobs: dict[str, list[Any]] = {}
        self.reason: str | None = None

    def take(self, delta: Delta) -> None:
        self.text.append(delta.text)
        self.reasoning.append(delta.reasoning)
        self.refusal.append(delta.refusal)
        for piece in delta.tool_calls:
            call = self.calls.setdefault(piece.index, ["", "", ""])
            call[0] = call[0] or piece.id
            call[1] = call[1] or piece.name
            call[2] += piece.arguments
        for key, tokens in (delta.logprobs or {}).items():
            self.logprobs.setdefault(key, []).extend(tokens or ())

    def choice(self) -> Choice:
        calls = tuple(ToolCall(id=c[0], name=c[1], arguments=c[2]) for _, c in sorted(self.calls.items()))
        message = Message(
            role="assistant",
            content="".join(self.text),
            tool_calls=calls,
            reasoning="".join(self.reasoning),
            refusal="".join(self.refusal),
        )
        return Choice(message=message, finish_reason=self.reason, logprobs=self.logprobs or None)


class Fold:
    """Folds events into a reply, one by one, so that what came before a cut is still there."""

    def __init__(self) -> None:
        self._id = ""
        self._model = ""
        self._usage: Usage | None = None
        self._drafts: dict[int, _Draft] = {}

    def take(self, event: Event) -> None:
        """Add one event."""
        match event:
            case Started():
                self._id, self._model = event.id or self._id, event.model or self._model
            case Delta():
                self._drafts.setdefault(event.index, _Draft()).take(event)
            case Stopped():
                self._drafts.setdefault(event.index, _Draft()).reason = event.reason
            case Used():
                self._usage = event.usage
            case Sent():
                pass

    def reply(self) -> Reply:
        """The reply as far as it has come."""
        choices = tuple(draft.choice() for _, draft in sorted(self._drafts.items()))
        return Reply(id=self._id, model=self._model, choices=choices, usage=self._usage)


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


def events_of(reply: Reply) -> Iterable[Event]:
    """The shortest stream that folds back into ``reply``: how a stored answer is replayed."""
    yield Started(id=reply.id, model=reply.model)
    for index, choice in enumerate(reply.choices):
        message = choice.message
        calls = tuple(
            ToolCallDelta(index=i, id=call.id, name=call.name, arguments=call.arguments)
            for i, call in enumerate(message.tool_calls)
        )
        yield Delta(
            index=index,
            text=message.text,
            reasoning=message.reasoning,
            refusal=message.refusal,
            tool_calls=calls,
            logprobs=choice.logprobs,
        )
        if choice.finish_reason is not None:
            yield Stopped(index=index, reason=choice.finish_reason)
    if reply.usage is not None:
        yield Used(usage=reply.usage)
