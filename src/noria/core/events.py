"""Replies as streams of events."""

from __future__ import annotations

from typing import Any

from noria.core.attributes import ATTEMPTS
from noria.core.limits import Standing
from noria.core.messages import Citation, Part
from noria.core.replies import Ranked, Reply, Usage
from noria.core.requests import Request
from noria.core.struct import Noun


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
    asked: bool = True
    """False where it was turned away here after all and nobody was asked: a limit, a ceiling, an open breaker, no place."""
    continues: int | None = None
    """For a model that goes on where another broke off: how many characters of the answer were said by then. This alone
    comes in the middle of a reply."""

    @property
    def made(self) -> int:
        """Calls that were made upstream up to here, this one counted; none where nobody was asked yet."""
        before: list[dict[str, Any]] = self.request.attributes.get(ATTEMPTS, [])
        asked = sum(1 for entry in before if entry.get("asked", True))
        return asked + 1 if self.asked and self.provider else asked


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
    """What the text so far rests on; each counts in the whole text of the choice."""
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
    dropped: tuple[str, ...] = ()
    """What of the answer was left out, because the caller's wire has no place for it."""


Event = Content | Sent | Noted | Raw | OnRecord
"""A reply is a stream of these. A call that fails raises from the iterator; it never ends as if it were complete."""


def plain(event: Event) -> tuple[Event, ...]:
    """The event, or, for raw bytes, the events that they mean."""
    return event.events if isinstance(event, Raw) else (event,)


_ENDING = frozenset({Stopped, Used, Embedded, Ranked, Counted})


def ends_reply(event: Event) -> bool:
    """Whether the event is part of what makes a reply complete, so that its record has to be durable first."""
    if type(event) is not Raw:
        return type(event) in _ENDING
    return not _ENDING.isdisjoint(map(type, event.events))
