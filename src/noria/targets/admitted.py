"""A call that could not be recorded is refused before a model is asked, and paid, for it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from noria.core.events import Event
from noria.core.protocols import Target
from noria.core.requests import Request
from noria.targets.closing import called


class Admitted:
    """Calls the target inside while ``check`` lets it.

    Arguments:
        inner: the target.
        check: raises ``Unavailable`` when there is no room for a record. It is asked for every call, so it is quick.
    """

    def __init__(self, inner: Target, check: Callable[[], None]) -> None:
        self._inner = inner
        self._check = check

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        """Call on. Raises what ``check`` raises."""
        self._check()
        async with called(self._inner, request) as events:
            async for event in events:
                yield event
