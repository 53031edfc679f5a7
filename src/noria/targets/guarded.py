"""Guards around a target: what they find stops a call, is replaced, or is noted."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence

import msgspec

from noria.core.attributes import PURPOSE
from noria.core.errors import Blocked, InvalidInput, Unavailable
from noria.core.events import Content, Event, Noted, Raw, Sent, ends_reply
from noria.core.folding import Fold
from noria.core.protocols import Target
from noria.core.requests import Request
from noria.targets.closing import called
from noria.targets.guard_checks import AskFor, Checks, InForce
from noria.targets.held_back import HeldBack
from noria.targets.metering import Meter, noted

GUARDS_OWN = "guard"
"""Purpose of what guards ask."""


class Guarded:
    """A target whose calls are checked.

    Before the call every text that the model would read. On the stream what is about to leave: as many characters stay back
    as the guards' reach, so that no unchecked one leaves, and none leaves of a flaw that is replaced or stops the call.
    After it every text as a whole, before the reply's end leaves. A rule that replaces something in the whole text holds
    the reply back until its end.

    Only texts are checked: pictures and sound pass, as do citations. A reply that may be changed leaves as events, not as
    its provider's bytes; log-probabilities, which spell the text out, can't be had with it.

    What was done is on the record under ``noria.guards``. A call that is stopped fails with ``Blocked``, before its reply
    or in the middle of it, and never ends as if it were complete.

    Arguments:
        inner: what is called.
        guards: in the order in which they check.
        ask: calls a model for a guard, because of a call. What it calls is checked by nobody, so that no guard waits for itself.
    """

    def __init__(self, inner: Target, guards: Sequence[InForce], ask: AskFor | None = None) -> None:
        self._inner = inner
        self._guards = guards
        self._ask = ask

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        """Check, call on, check. Raises ``Blocked``, and ``Unavailable`` where a check that must not fail does."""
        checks = Checks(() if request.attributes.get(PURPOSE) == GUARDS_OWN else self._guards, self._ask)
        try:
            checked = await checks.request(request)
            if checked is not request:  # so that what was taken out is on no record, whatever follows
                yield Sent(request=checked, provider="")
            async with contextlib.aclosing(self._answered(checked, checks)) as events:
                async for event in events:
                    yield event
        except Exception:  # whatever it was, what guards did before is on record, and the error goes on its way
            if found := await checks.noted():
                yield Noted(attributes=found)
            raise
        finally:
            checks.leave()

    async def _answered(self, request: Request, checks: Checks) -> AsyncGenerator[Event]:
        reply, meter = _Reply(request, checks), Meter()
        try:
            async with called(self._inner, reply.request) as events:
                async for event in events:
                    meter.take(event)
                    if isinstance(event, Content | Raw):
                        for ready in await reply.take(event):
                            yield ready
                    else:
                        yield event
            for event in await reply.end():
                yield event
            await checks.reply(reply.fold.reply(), request)
        except Exception as error:
            for last in await _cut(error, reply, meter):
                yield last
            raise
        if found := await checks.noted():
            yield Noted(attributes=found)
        for event in reply.ending:
            yield event


async def _cut(error: Exception, reply: _Reply, meter: Meter) -> list[Event]:
    """What may still leave of a reply that breaks off with an error, and what it used: what was held back was paid, too."""
    rest: list[Event] = [] if isinstance(error, Blocked | Unavailable) else [*await reply.rest()]
    spent = meter.broken()
    return [*rest, noted(spent)] if spent else rest


class _Reply:
    """A reply on its way through the checks."""

    def __init__(self, request: Request, checks: Checks) -> None:
        guards = checks.on_stream()
        changes = any(one.rule.policy == "redact" for one in guards)
        self.request = _without_logprobs(request) if changes else request
        self.fold = Fold()
        self._held = HeldBack(_reach(guards, request), checks.stream(request), changes=changes) if guards else None
        self._ending: list[Content | Raw] = []
        self._untouched: list[Content | Raw] | None = [] if changes and request.stream is False else None

    async def take(self, event: Content | Raw) -> list[Content | Raw]:
        """What may leave now."""
        if self._untouched is not None:
            self._untouched.append(event)
        return self._passed(await self._held.take(event) if self._held else [event])

    async def rest(self) -> list[Content | Raw]:
        """What may leave of a reply that was cut."""
        return [] if self._held is None or self._untouched is not None else await self._held.end()

    async def end(self) -> list[Content | Raw]:
        """What may leave before the end."""
        return self._passed(await self._held.end() if self._held else [])

    @property
    def ending(self) -> list[Content | Raw]:
        """What leaves last, the reply being complete; in the provider's bytes where nothing of it was replaced."""
        untouched = self._untouched if self._held is not None and not self._held.changed else None
        return self._ending if untouched is None else untouched

    def _passed(self, events: list[Content | Raw]) -> list[Content | Raw]:
        passed: list[Content | Raw] = []
        for event in events:
            self.fold.take(event)
            last = self._untouched is not None or bool(self._ending) or ends_reply(event)
            (self._ending if last else passed).append(event)
        return passed


def _reach(guards: Sequence[InForce], request: Request) -> int | None:
    """How much of a stream stays back; of a reply in one piece, all."""
    if request.stream is False:
        return None
    most = 0
    for one in guards:
        if one.guard.reach is None or "stream" not in one.rule.places:
            return None
        most = max(most, one.guard.reach)
    return most


def _without_logprobs(request: Request) -> Request:
    """Log-probabilities spell the text out that a guard may replace."""
    if request.params.logprobs is None:
        return request
    if "*" not in request.may_drop and "logprobs" not in request.may_drop:
        raise InvalidInput(
            "`logprobs` can't be had here: a guard may change the reply, and they spell it out.",
            kept="Nothing was sent.",
            hint="Leave them out, or allow them to be left out: noria-may-drop: logprobs.",
        )
    return msgspec.structs.replace(request, params=msgspec.structs.replace(request.params, logprobs=None))
