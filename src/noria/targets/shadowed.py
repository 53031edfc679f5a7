"""Mirrored traffic: a part of the calls is made once more, of somebody else, and nobody waits for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import NamedTuple

import msgspec

from noria.core.attributes import SHADOW
from noria.core.events import Event
from noria.core.keys import Caller
from noria.core.protocols import Target
from noria.core.requests import Request, replace_lineage
from noria.targets.closing import called
from noria.targets.released import fraction, sticky_key


class Shadow(NamedTuple):
    """Somebody whom calls are mirrored to."""

    name: str
    """Tells the shadows of one app apart."""
    target: Target
    """Is called."""
    rate: float
    """Part of the calls, above 0, at most 1."""


class Shadowed:
    """A target whose calls are mirrored once they have ended, so that a shadow takes nothing from the call itself.

    Calls that their callers gave up are not mirrored. A mirrored call names no app and no key, so that no number, monitor
    or budget of theirs counts it; its variant, and what it repeats, are on it.

    Arguments:
        inner: what is called.
        of: the app or route.
        shadows: whom else.
        mirror: makes a call in the background; returns at once and raises nothing.
    """

    def __init__(
        self, inner: Target, *, of: str, shadows: Sequence[Shadow], mirror: Callable[[Target, Request], None]
    ) -> None:
        self._inner = inner
        self._of = of
        self._shadows = shadows
        self._mirror = mirror

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        """Call on, then have the call mirrored."""
        try:
            async with called(self._inner, request) as events:
                async for event in events:
                    yield event
        except Exception:  # whatever it failed of: a shadow may show that another would not have
            self._cast(request)
            raise
        self._cast(request)

    def _cast(self, request: Request) -> None:
        for shadow in self._shadows:
            if fraction(f"shadow\0{self._of}\0{shadow.name}", sticky_key(request)) < shadow.rate:
                once_more = msgspec.structs.replace(
                    replace_lineage(request, app=None),
                    attributes={SHADOW: self._of},
                    caller=Caller(),
                    may_continue=False,
                )
                self._mirror(shadow.target, once_more)
