"""One target that stands for many: the request's model says which."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from noria.core.events import Event
from noria.core.protocols import Target
from noria.core.requests import Request
from noria.targets.closing import called


class Routed:
    """A target that calls whatever ``resolve`` finds for ``request.model``: an app, or ``provider/model``.

    ``resolve`` raises ``UnknownName`` for a name that is nobody's.
    """

    def __init__(self, resolve: Callable[[str], Target]) -> None:
        self._resolve = resolve

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        """Call on. Raises ``UnknownName``."""
        async with called(self._resolve(request.model), request) as events:
            async for event in events:
                yield event
