"""Requests in flight, and whether new ones are still taken: how a server stops without cutting anybody off."""

from __future__ import annotations

import asyncio

from noria.core.errors import Unavailable


class Traffic:
    """Counts the requests of one server, on its event loop."""

    def __init__(self) -> None:
        self._running = 0
        self._idle = asyncio.Event()  # set once nothing runs and nothing new is taken
        self.draining = False
        """True once the server has been told to stop: new requests are refused."""

    def begin(self) -> None:
        """A request begins with its head. Raises ``Unavailable`` while draining."""
        if self.draining:
            raise Unavailable("The server is stopping.", kept="Nothing of this request was kept.", hint="Try again.")
        self._running += 1

    def end(self) -> None:
        """Its response has ended."""
        self._running -= 1
        if self.draining and not self._running:
            self._idle.set()

    async def drain(self, within_s: float) -> bool:
        """Take nothing new and wait for what runs; False when some of it still runs after ``within_s``."""
        self.draining = True
        if not self._running:
            return True
        try:
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True
