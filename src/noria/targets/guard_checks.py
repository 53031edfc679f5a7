"""The checks of one call: what guards find in its texts, and what follows from it by their rules."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec
import structlog

from noria.core.errors import Blocked, Unavailable
from noria.core.guards import GUARDS, Checked, Flaw, Guard, GuardRule, Place
from noria.core.replies import Reply
from noria.core.requests import Request
from noria.targets.held_back import Look
from noria.targets.texts import rewritten
from noria.wires.openai_responses.requests import STORED

_TURN_S = 0.005
"""What a shadow that was not done gets at the end: its turn, if it needs nothing else."""
_log = structlog.get_logger(__name__)

AskFor = Callable[[Request, Request], Awaitable[Reply]]
"""Calls a model because of a call: that, and what to ask."""


class InForce(NamedTuple):
    """A guard and the rule that puts it into force."""

    guard: Guard
    rule: GuardRule


class Checks:
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


def _apart(flaws: list[Flaw]) -> list[Flaw]:
    """By their place; of those that overlap, the first, made to cover the others."""
    found: list[Flaw] = []
    for flaw in sorted(flaws, key=lambda flaw: (flaw.start, -flaw.end)):
        if found and flaw.start < found[-1].end:
            found[-1] = msgspec.structs.replace(found[-1], end=max(found[-1].end, flaw.end))
        else:
            found.append(flaw)
    return found
