"""The trail of a call: which models were tried for it before the one that answers, and how each of them failed.

It travels inwards on the request, so that the ``Sent`` of every further attempt carries what came before it. The
recorder adds the last one, whose outcome it alone sees.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import Any

import msgspec

from noria.core.answering import Tell, tell_all
from noria.core.attributes import ATTEMPTS, SPENT
from noria.core.errors import CallFailed, NoriaError
from noria.core.events import Event, Noted, Sent, Started, plain
from noria.core.requests import Request
from noria.targets import metering


def attempts(request: Request) -> list[dict[str, Any]]:
    """What was tried so far."""
    found: list[dict[str, Any]] = request.attributes.get(ATTEMPTS, [])
    return found


def noted(request: Request, failed: Sent | None, error: NoriaError, *, wait_s: float | None = None) -> Request:
    """``request`` for the next attempt.

    Arguments:
        request: what the failed attempt was called with.
        failed: the last ``Sent`` that came of it, which knows of the attempts within; None where none came.
        error: why it failed.
        wait_s: seconds until the next attempt at the same model; None where another model is next.
    """
    tried = failed.request if failed else request
    entry: dict[str, Any] = {"model": called_model(tried, failed.provider if failed else ""), "outcome": error.code}
    if isinstance(error, CallFailed):
        entry["status"] = error.status
    if failed is None or not failed.asked:
        entry["asked"] = False
    if wait_s is not None:
        entry["wait_s"] = round(wait_s, 3)
    return msgspec.structs.replace(request, attributes=request.attributes | {ATTEMPTS: [*attempts(tried), entry]})


def ended(request: Request, provider: str, outcome: str) -> dict[str, Any]:
    """The attribute for the record: the attempts before the last, and the last. Empty where there was one alone."""
    before = attempts(request)
    if not before:
        return {}
    return {ATTEMPTS: [*before, {"model": called_model(request, provider), "outcome": outcome}]}


def called_model(request: Request, provider: str) -> str:
    """``provider/model``."""
    named = not provider or request.model.startswith(f"{provider}/")
    return request.model if named else f"{provider}/{request.model}"


class Beginning:
    """Holds back how a reply begins until something is said: an attempt that only began is no part of the reply."""

    def __init__(self) -> None:
        self._held: list[Event] = []
        self.speaking = False
        """Whether something was said."""
        self.sent: Sent | None = None
        """The last ``Sent`` of the attempt, before it spoke."""

    def take(self, event: Event) -> tuple[Event, ...]:
        """Take an event; what may go on to the caller now."""
        if self.speaking:
            return (event,)
        if isinstance(event, Sent):
            self.sent = event
        elif isinstance(event, Noted):
            if SPENT in event.attributes:
                self._held.clear()
        elif only_began(event):
            self._held.append(event)
            return ()
        else:
            self.speaking = True
            return (*self.rest(), event)
        return (event,)

    def hear(self, tell: Tell, event: Event) -> Awaitable[None] | None:
        """The same, told."""
        if self.speaking:
            return tell(event)
        let = self.take(event)
        return tell(event) if len(let) == 1 else tell_all(let, tell)

    def lost(self) -> Iterable[Event]:
        """What the attempt used that failed, where it had begun its reply: the prompt was read by then. For the record."""
        if not self._held or self.sent is None:
            return ()
        models = [inner.model for event in self._held for inner in plain(event) if isinstance(inner, Started)]
        self._held.clear()
        return (metering.noted(metering.estimated(self.sent, 0, models[-1])),)

    def rest(self) -> list[Event]:
        """What is still held back, where the reply ends without a word."""
        held, self._held = self._held, []
        return held


def only_began(event: Event) -> bool:
    """Whether nothing of an answer has come yet, so that another attempt may still be made and nobody sees it."""
    return all(isinstance(inner, Started) for inner in plain(event))
