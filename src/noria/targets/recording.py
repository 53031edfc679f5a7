"""The bookkeeping of one call: events in, one span out. The recorder and the evaluation share it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from noria.core.attributes import DROPPED, KEY_ID, REFUSED_BY, SPENT, TEAM
from noria.core.errors import BreakerOpen, CallCut, NoriaError, Overloaded, RefusedBy
from noria.core.events import Delta, Event, Noted, Raw, Sent
from noria.core.folding import Fold
from noria.core.messages import Message
from noria.core.protocols import Clock, Target
from noria.core.replies import Reply, Usage
from noria.core.requests import Request, TraceContext
from noria.core.spans import Span, Status
from noria.targets.attempts import ended
from noria.targets.closing import called
from noria.targets.metering import attributes as spent_attributes
from noria.targets.metering import estimated, estimates, said_in, spent_in

_AT_ONCE = 32
"""Pieces of a reply that are looked at together."""
NewIds = Callable[[], tuple[str, str]]
"""Makes a trace id (32 hex digits) and a span id (16)."""
Price = Callable[[Span], float | None]
"""US dollars for a recorded call; None where unknown."""


def random_ids() -> tuple[str, str]:
    """Ids as W3C Trace Context wants them: random, never all zeros."""
    both = secrets.token_hex(24)  # asking the system once is half of the price
    return both[:32], both[32:]


class RandomIds:
    """:func:`random_ids` for many calls: the system is asked once for some hundred of them. Ids are no secrets."""

    _AT_ONCE = 200

    def __init__(self) -> None:
        self._ready: list[tuple[str, str]] = []

    def __call__(self) -> tuple[str, str]:
        """A trace id and a span id."""
        if not self._ready:
            many = secrets.token_hex(24 * self._AT_ONCE)
            self._ready = [(many[at : at + 32], many[at + 32 : at + 48]) for at in range(0, len(many), 48)]
        return self._ready.pop()


class _Ending(NamedTuple):
    end_ns: int = 0
    status: Status = "ok"
    type: str | None = None
    message: str | None = None


class Recording:
    """One call while it is under way, and its span when it has ended.

    Arguments:
        request: as it came.
        now: the clock.
        new_ids: where ids come from; the trace id is used only when the request is in no trace yet.
        price: what the call cost, asked once the rest of the span is known.
    """

    def __init__(self, request: Request, *, now: Clock, new_ids: NewIds, price: Price) -> None:
        trace_id, self._span_id = new_ids()
        place = request.trace or TraceContext(trace_id=trace_id)
        self._trace = place
        self._now = now
        self._price = price
        self._heard: list[tuple[int, tuple[Event, ...]]] = []
        """What has come and was not looked at, and when: to look at some pieces together costs less, as their code is at hand then."""
        self._fold = Fold()
        self._whole: Reply | None = None
        self._start_ns = now()
        self._sent: Sent | None = None
        self._sent_ns = self._start_ns
        self._first_ns: int | None = None
        self._last_ns: int | None = None
        self._noted: dict[str, Any] = {}
        self._told = False
        self._said = 0
        self._ended = _Ending()
        inside = TraceContext(trace_id=place.trace_id, parent_id=self._span_id)
        self.request = msgspec.structs.replace(request, trace=inside)
        """The request to call on with: whatever is recorded inside hangs below this span."""

    def take(self, event: Event) -> None:
        """Note one event, at the moment it comes."""
        if isinstance(event, Sent):
            if event.continues is None:
                self._sent_ns = self._now()
            else:
                self._break_off()
            self._sent, self._told = event, False
            return
        if isinstance(event, Noted):
            self._note(event.attributes)
            return
        said = event.events if type(event) is Raw and event.whole is None else (event,)
        self._heard.append((self._now(), said))
        if len(said) != 1 or len(self._heard) == _AT_ONCE:
            self._catch_up()

    def _catch_up(self) -> None:
        """Look at what has come."""
        heard, self._heard = self._heard, []
        for at_ns, said in heard:
            for event in said:
                if _has_content(event):
                    self._last_ns = at_ns
                    self._first_ns = at_ns if self._first_ns is None else self._first_ns
                self._fold.take(event)

    def take_whole(self, reply: Reply) -> None:
        """Note a reply that came in one piece, or of which the pieces were noted before."""
        if self._heard:
            self._catch_up()
        self._whole = reply

    def finish(self, left_out: Sequence[str] = ()) -> None:
        """The events have ended. Raises ``CallCut`` when they ended before the reply was complete.

        Arguments:
            left_out: what of the reply its caller isn't shown.
        """
        self._whole = reply = self.reply()
        if not reply.complete:
            raise CallCut("The reply ended before it was complete.")
        if left_out:
            self._note({DROPPED: list(left_out)})
        self._ended = _Ending(self._now())

    def fail(self, error: Exception) -> None:
        """The call has raised. An error that is not Noria's is a defect; its text may hold anything."""
        self._break_off()
        if isinstance(error, NoriaError):
            if refused_by := self._refused_by(error):
                self._note({REFUSED_BY: refused_by})
            self._ended = _Ending(self._now(), "error", error.code, error.with_inside)
        else:
            name = type(error).__name__
            self._ended = _Ending(self._now(), "error", name, f"Unexpected {name}.")

    def cancel(self) -> None:
        """The caller went away."""
        self._break_off(given_up=True)
        self._ended = _Ending(self._now(), "cancelled")

    def span(self) -> Span:
        """The span of a call that has ended; nothing changes any more, so it may be made when it is written."""
        end_ns, status, type, message = self._ended
        sent, reply = self._sent, self.reply()
        request = sent.request if sent else self.request
        provider = (sent.provider if sent else "") or None
        model = request.model.removeprefix(f"{provider}/")
        usage, operation = reply.usage, request.operation
        ttft_s, tpot_s = self._timings(reply)
        attributes = self._attributes(request, ended(request, provider or "", type or status), usage)
        if usage is None and status != "ok" and SPENT in attributes:
            attributes |= estimates(spent_in(attributes))
        span = Span(
            trace_id=self._trace.trace_id,
            span_id=self._span_id,
            parent_id=self._trace.parent_id,
            name=f"{operation} {provider}/{model}" if provider else f"{operation} {model}",
            operation=operation,
            start_ns=self._start_ns,
            end_ns=end_ns,
            status=status,
            error_type=type,
            error_message=message,
            provider=provider,
            request_model=model,
            response_model=(reply.model or None) if sent is None or sent.continues is None else None,
            params=_params(request),
            input=_asked(request),
            output=tuple(choice.message for choice in reply.choices),
            finish_reasons=tuple(c.finish_reason for c in reply.choices if c.finish_reason is not None),
            variables=request.variables,
            input_tokens=usage.input_tokens if usage else None,
            output_tokens=usage.output_tokens if usage else None,
            cached_tokens=usage.cached_tokens if usage else None,
            reasoning_tokens=usage.reasoning_tokens if usage else None,
            ttft_s=ttft_s,
            tpot_s=tpot_s,
            request_id=sent.request_id if sent else None,
            cached=bool(sent and sent.replays),
            lineage=request.lineage,
            attributes=attributes,
        )
        msgspec.structs.force_setattr(span, "cost_usd", self._price(span))  # nobody else has seen it yet
        return span

    def reply(self) -> Reply:
        """The reply as far as it has come."""
        return self._said_so_far() if self._whole is None else self._whole

    def _said_so_far(self) -> Reply:
        self._catch_up()
        return self._fold.reply()

    def _refused_by(self, error: NoriaError) -> RefusedBy | None:
        """Who turned the call down. Where another model, or the same one before, was asked and failed, the call failed."""
        turned_away = isinstance(error, BreakerOpen | Overloaded)
        return None if turned_away and self._sent is not None and self._sent.made else error.refused_by

    def _note(self, found: Mapping[str, Any]) -> None:
        self._noted = _joined(self._noted, found)
        if SPENT in found:
            self._told, self._said = True, said_in(self._said_so_far())

    def _break_off(self, *, given_up: bool = False) -> None:
        """Note what the attempt used that ends here without a count, as :class:`noria.targets.metering.Meter` has it."""
        sent, reply = self._sent, self.reply()
        if sent is None or self._told or not sent.provider or sent.replays or sent.request.count or reply.usage:
            return
        size = said_in(reply) - self._said
        if size or given_up:
            self._note(spent_attributes(estimated(sent, size, reply.model)))

    def _attributes(self, request: Request, trail: dict[str, Any], usage: Usage | None) -> dict[str, Any]:
        sent, found = self._sent, _joined(request.attributes, self._noted)
        found.update(trail)
        if sent is not None:
            if sent.replays:
                found |= {"noria.replayed.span": sent.replays, "noria.replayed.duration_s": sent.duration_s}
            if sent.dropped:
                found = _joined({DROPPED: list(sent.dropped)}, found)
            if sent.emulated:
                found["noria.emulated"] = list(sent.emulated)
        if usage is not None and usage.cache_write_tokens is not None:
            found["gen_ai.usage.cache_creation.input_tokens"] = usage.cache_write_tokens
        if request.caller.key_id:
            found[KEY_ID] = request.caller.key_id
        if request.caller.team:
            found[TEAM] = request.caller.team
        return found

    def _timings(self, reply: Reply) -> tuple[float | None, float | None]:
        """TTFT and TPOT in seconds, None where undefined: not streamed, nothing said, fewer than two tokens."""
        sent = self._sent
        if sent is not None and sent.replays:
            return sent.ttft_s, sent.tpot_s
        if sent is None or not sent.streamed or self._first_ns is None or self._last_ns is None:
            return None, None
        ttft_s = (self._first_ns - self._sent_ns) / 1e9
        tokens = reply.usage.output_tokens if reply.usage else 0
        if tokens < 2 or self._last_ns == self._first_ns:
            return ttft_s, None
        return ttft_s, (self._last_ns - self._first_ns) / 1e9 / (tokens - 1)


async def recorded_call(
    target: Target,
    request: Request,
    *,
    now: Clock,
    new_ids: NewIds,
    price: Price,
    cut: Callable[[Span], None] = lambda _: None,
) -> tuple[Span, Reply]:
    """Call ``target`` to the end and return its span with the reply, as far as it came.

    A call that fails is a result too: its span has the status ``error``, and nothing is raised. Cancellation passes
    through, after ``cut`` was handed the span of what had come, and defects do. Nothing is stored; that is the caller's
    to do.
    """
    recording = Recording(request, now=now, new_ids=new_ids, price=price)
    try:
        async with called(target, recording.request) as events:
            async for event in events:
                recording.take(event)
        recording.finish()
    except NoriaError as error:
        recording.fail(error)
    except asyncio.CancelledError:
        recording.cancel()
        cut(recording.span())
        raise
    return recording.span(), recording.reply()


def _has_content(event: Event) -> bool:
    if isinstance(event, Delta):
        return bool(event.text or event.reasoning or event.tool_calls or event.refusal or event.parts)
    if isinstance(event, Raw):
        for inner in event.events:
            if _has_content(inner):
                return True
    return False


def _params(request: Request) -> dict[str, Any]:
    """Everything beside the messages that decides the answer, provider-specific fields level with the others.

    Through JSON, so that a span is the same before and after it was stored.
    """
    params: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(request.params))
    if request.unread or "extra" in params:
        params = request.unread | params.pop("extra", {}) | params
    if request.tools:
        params["tools"] = msgspec.json.decode(msgspec.json.encode(request.tools))
    if request.tool_choice is not None:
        params["tool_choice"] = request.tool_choice
    if request.n != 1:
        params["n"] = request.n
    return params


def _joined(before: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Both; a list goes behind one of the same name."""
    found = dict(before)
    for name, value in more.items():
        there = found.get(name)
        found[name] = [*there, *value] if isinstance(there, list) and isinstance(value, list) else value
    return found


def _asked(request: Request) -> tuple[Message, ...]:
    """The conversation; texts to embed, or a query and its documents, as what a user says."""
    if request.embed is not None:
        return tuple(
            Message(role="user", content=text if isinstance(text, str) else "") for text in request.embed.inputs
        )
    if request.rank is not None:
        return tuple(Message(role="user", content=text) for text in (request.rank.query, *request.rank.documents))
    return request.messages
