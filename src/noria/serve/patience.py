"""How long a connection waits for its client: to send what has to come, and to take what it is sent."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable


class Deadline:
    """When something has to have come. It has one timer, which looks when it rings whether it rings too early.

    Arguments:
        loop: whose clock counts.
        over: called when it has not come in time.
    """

    __slots__ = ("_loop", "_over", "_timer", "until")

    def __init__(self, loop: asyncio.AbstractEventLoop, over: Callable[[], None]) -> None:
        self._loop = loop
        self._over = over
        self._timer: asyncio.TimerHandle | None = None
        self.until = math.inf
        """When, by the loop's clock; infinite where nothing has to come."""

    def within(self, seconds: float) -> None:
        """It has to come within so many seconds from now on."""
        self.until = until = self._loop.time() + seconds
        if self._timer is not None:
            if self._timer.when() <= until:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(until, self._ring)

    def stop(self) -> None:
        """Nothing has to come any more."""
        self.until = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        if self._loop.time() >= self.until:
            self._over()
        elif self.until < math.inf:
            self._timer = self._loop.call_at(self.until, self._ring)


class Taking:
    """Watches whether a client takes anything of what waits for it; one that takes nothing is cut off.

    Arguments:
        loop: whose clock counts.
        transport: where it waits.
    """

    __slots__ = ("_loop", "_timer", "_transport")

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop = loop
        self._transport = transport
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, patience_s: float) -> None:
        """Look every ``patience_s`` seconds, where something waits and nobody looks yet."""
        left = self._transport.get_write_buffer_size()
        if left and self._timer is None:
            self._look_later(patience_s, left)

    def stop(self) -> None:
        """It has taken enough."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_later(self, patience_s: float, left: int) -> None:
        self._timer = self._loop.call_later(patience_s, self._look, patience_s, left)

    def _look(self, patience_s: float, left: int) -> None:
        now = self._transport.get_write_buffer_size()
        if now >= left:
            self._timer = None
            self._transport.abort()
        else:
            self._look_later(patience_s, now)
