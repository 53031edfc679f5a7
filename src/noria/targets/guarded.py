"""Guards around a target: what they find stops a call, is replaced, or is noted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec
import structlog

from noria.core.attributes import PURPOSE
from noria.core.errors import Blocked, InvalidInput, Unavailable
from noria.core.events import Content, Event, Noted, Raw, Sent, ends_reply
from noria.core.folding import Fold
from noria.core.guards import GUARDS, Checked, Flaw, Guard, GuardRule, Place
from noria.core.protocols import Target
from noria.core.replies import Reply
from noria.core.requests import Request
from noria.targets.closing import called
from noria.targets.held_back import HeldBack, Look
from noria.targets.metering import Meter, noted
from noria.targets.texts import rewritten
from noria.wires.openai_responses.requests import STORED

_TURN_S = 0.005
"""What a shadow that was not done gets at the end: its turn, if it needs nothing else."""
_log = structlog.get_logger(__name__)


AskFor = Callable[[Request, Request], Awaitable[Reply]]
"""Calls a model because of a call: that, and what to ask."""
GUARDS_OWN = "guard"
"""Purpose of what guards ask."""


class InForce(NamedTuple):
    """A guard and the rule that puts it into force."""

    guard: Guard
    rule: GuardRule


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
        checks = _Checks(() if request.attributes.get(PURPOSE) == GUARDS_OWN else self._guards, self._ask)
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

    async def _answered(self, request: Request, checks: _Checks) -> AsyncGenerator[Event]:
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

    def __init__(self, request: Request, checks: _Checks) -> None:
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


class _Checks:
    """The checks of one call, and what they found."""

    def __init__(self, guards: Sequence[InForce], ask: AskFor | None) -> None:
        self._guards = guards
        self._ask = ask
        self._notes: list[dict[str, Any]] = []
        self._shadows: list[tuple[InForce, Place, asyncio.Task[Sequence[Flaw]]]] = []

    async def request(self, request: Request) -> Request:
        """Before the call."""
        mine = self._at("input")
        if not mine:
            return request

        async def rewrite(text: str, kind: str, role: str) -> str:
            for one in mine:
                checked = Checked(text=text, place="input", kind=kind, role=role, request=request)
                for flaw in reversed(await self._judge(one, checked, len(text))):
                    text = text[: flaw.start] + flaw.instead + text[flaw.end or len(text) :]
            return text

        checked = await rewritten(request, rewrite)
        if checked == request:
            checked = request
        elif STORED in checked.attributes:  # the caller's own words, as they were before they were replaced
            kept = {name: value for name, value in checked.attributes.items() if name != STORED}
            checked = msgspec.structs.replace(checked, attributes=kept)
        if self._notes:
            checked = msgspec.structs.replace(checked, attributes=checked.attributes | {GUARDS: self._notes})
            self._notes = []
        return checked

    def on_stream(self) -> list[InForce]:
        """Those who see the reply before it leaves."""
        mine = [one for one in self._guards if one.rule.policy != "shadow"]
        return [one for one in mine if "stream" in one.rule.places or _replaces_at_the_end(one)]

    def stream(self, request: Request) -> Any:
        """The check of what is about to leave."""
        mine = self.on_stream()

        async def check(look: Look) -> list[Flaw]:
            found: list[Flaw] = []
            for one in mine:
                checked = Checked(
                    text=look.text,
                    place="stream" if "stream" in one.rule.places else "output",
                    kind=look.kind,
                    before=look.before,
                    final=look.final,
                    request=request,
                )
                found += await self._judge(one, checked, look.leaving, look.cleared)
            return _apart(found)

        return check

    async def reply(self, reply: Reply, request: Request) -> None:
        """After the call."""
        mine = [one for one in self._guards if _judges_the_whole(one)]
        if not mine:
            return
        for choice in reply.choices:
            message = choice.message
            texts = [("text", message.text), ("reasoning", message.reasoning), ("refusal", message.refusal)]
            texts += [("tool_call", call.arguments) for call in message.tool_calls]
            for kind, text in texts:
                for one in mine if text else ():
                    await self._judge(one, Checked(text=text, place="output", kind=kind, request=request), len(text))

    async def noted(self) -> dict[str, Any]:
        """What was found since the request, for the record. No call waits for a shadow."""
        if self._shadows:
            await asyncio.wait([task for _, _, task in self._shadows], timeout=_TURN_S)
        for one, place, task in self._shadows:
            if task.done() and not task.cancelled() and task.exception() is None:
                for flaw in task.result():
                    self._note(one, place, "shadowed", flaw.reason)
            else:
                task.cancel()
                self._note(one, place, "late", "The check was not done when the call was.")
        self._shadows = []
        notes, self._notes = self._notes, []
        return {GUARDS: notes} if notes else {}

    def leave(self) -> None:
        """End the shadows of a call whose caller went away: nobody reads what they find, and they may ask models."""
        for _, _, task in self._shadows:
            task.cancel()

    def _at(self, place: Place) -> list[InForce]:
        return [one for one in self._guards if place in one.rule.places]

    async def _judge(self, one: InForce, checked: Checked, leaving: int, cleared: int = 0) -> list[Flaw]:
        """One check: what is to be replaced.

        A flaw that begins behind what leaves is looked at again later; one before what was cleared was dealt with.
        """
        rule = one.rule
        if self._ask is not None:
            checked = msgspec.structs.replace(checked, ask=partial(self._ask, checked.request))
        if rule.policy == "shadow":
            self._shadows.append((one, checked.place, asyncio.create_task(_all(one.guard, checked))))
            return []
        try:
            async with asyncio.timeout(rule.deadline_s):
                flaws = await one.guard.check(checked)
        except Exception as error:  # noqa: BLE001  # a plug-in may raise anything, and its rule says what follows
            self._failed(one, checked.place, error)
            return []
        if rule.policy == "block" and flaws:
            self._note(one, checked.place, "blocked", flaws[0].reason)
            where = "request" if checked.place == "input" else "reply"
            raise Blocked(f"The guard {rule.title!r} stopped this {where}: {flaws[0].reason}")
        flaws = [flaw for flaw in flaws if flaw.start < leaving]
        if rule.policy == "flag":
            for flaw in flaws:
                if flaw.start >= cleared:
                    self._note(one, checked.place, "flagged", flaw.reason)
            return []
        due = [flaw for flaw in flaws if not flaw.end or flaw.end > cleared]
        for flaw in due:
            self._note(one, checked.place, "redacted", flaw.reason)
        whole = len(checked.text)
        return [flaw if flaw.end else msgspec.structs.replace(flaw, start=0, end=whole) for flaw in due]

    def _failed(self, one: InForce, place: Place, error: Exception) -> None:
        late = isinstance(error, TimeoutError)
        reason = "The check took too long." if late else "The check failed."
        _log.warning("guard.failed", guard=one.rule.title, error=type(error).__name__)
        self._note(one, place, "late" if late else "failed", reason)
        if one.rule.late == "block":
            raise Unavailable(
                f"The guard {one.rule.title!r} could not check this call: {reason}",
                kept="The call was stopped.",
                hint="Try again; whoever runs Noria finds why in its log.",
            ) from error

    def _note(self, one: InForce, place: Place, action: str, reason: str) -> None:
        for note in self._notes:
            if (note["guard"], note["place"], note["action"], note["reason"]) == (
                one.rule.title,
                place,
                action,
                reason,
            ):
                note["count"] += 1
                return
        self._notes.append(
            {
                "guard": one.rule.title,
                "version": one.guard.version,
                "place": place,
                "action": action,
                "reason": reason,
                "count": 1,
            }
        )


async def _all(guard: Guard, checked: Checked) -> Sequence[Flaw]:
    return await guard.check(checked)


def _replaces_at_the_end(one: InForce) -> bool:
    """Whether it needs the whole reply before any of it leaves."""
    return "output" in one.rule.places and one.rule.policy == "redact"


def _judges_the_whole(one: InForce) -> bool:
    """Whether it looks at the reply when all of it has come. A shadow lets nothing wait, so it looks then, too."""
    places = one.rule.places
    if one.rule.policy == "shadow":
        return "output" in places or "stream" in places
    return "output" in places and not _replaces_at_the_end(one)


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


def _apart(flaws: list[Flaw]) -> list[Flaw]:
    """By their place; of those that overlap, the first, made to cover the others."""
    found: list[Flaw] = []
    for flaw in sorted(flaws, key=lambda flaw: (flaw.start, -flaw.end)):
        if found and flaw.start < found[-1].end:
            found[-1] = msgspec.structs.replace(found[-1], end=max(found[-1].end, flaw.end))
        else:
            found.append(flaw)
    return found


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
