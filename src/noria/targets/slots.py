"""Places for calls: so many at a time, a short line of those who wait, and nobody else."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import AbstractAsyncContextManager

from noria.core.errors import Overloaded


class Slots:
    """Bounds how many calls are under way, on one event loop.

    Who comes first is served first; when the line is full the newest is turned away at once. A caller that is told so
    can go elsewhere, and what is held in memory stays bounded. A line that is long helps nobody: it only makes all wait.

    Arguments:
        most: calls at a time.
        waiting: calls that may wait for a place.
        patience_s: how long one may wait, seconds.
        of: whose places these are, for the error: ``This server``.
    """

    def __init__(self, most: int, *, waiting: int, patience_s: float = 10.0, of: str) -> None:
        self.most = most
        """Calls at a time."""
        self.most_waiting = waiting
        """Calls that may wait."""
        self._patience_s = patience_s
        self._of = of
        self._line: deque[asyncio.Future[None]] = deque()
        self.taken = 0
        """Calls under way."""
        self.shed = 0
        """Calls that were turned away."""

    def resize(self, most: int, *, waiting: int) -> None:
        """Have another number of places from now on; who has one keeps it."""
        self.most, self.most_waiting = most, waiting
        self._call_next()

    @property
    def waiting(self) -> int:
        """Calls that wait for a place."""
        return len(self._line)

    def check(self) -> None:
        """Raise ``Overloaded`` where there is neither a place nor room in the line."""
        if self.taken >= self.most and len(self._line) >= self.most_waiting:
            raise self._full()

    def place(self) -> AbstractAsyncContextManager[None]:
        """A place for the length of the block. Raises ``Overloaded``."""
        return _Place(self)

    async def enter(self) -> None:
        """Take a place. Raises ``Overloaded``."""
        if self.taken < self.most and not self._line:
            self.taken += 1
        else:
            await self._wait()

    async def _wait(self) -> None:
        if len(self._line) >= self.most_waiting:
            raise self._full()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            async with asyncio.timeout(self._patience_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.leave()  # the place came at the same moment; it goes to the next
            elif turn in self._line:
                self._line.remove(turn)
            if isinstance(error, TimeoutError):
                raise self._full() from None
            raise

    def leave(self) -> None:
        """Leave the place to the first in the line."""
        self.taken -= 1
        self._call_next()

    def _call_next(self) -> None:
        while self.taken < self.most and self._line:
            turn = self._line.popleft()
            if not turn.done():
                self.taken += 1
                turn.set_result(None)

    def _full(self) -> Overloaded:
        self.shed += 1
        return Overloaded(
            f"{self._of} has {self.most} calls under way, and no more room in the line of those who wait.",
            kept="Nothing was sent.",
            hint="Try again later.",
        )


class _Place(AbstractAsyncContextManager[None]):
    """One place. A class, because a generator costs several times as much."""

    __slots__ = ("_slots",)

    def __init__(self, slots: Slots) -> None:
        self._slots = slots

    async def __aenter__(self) -> None:
        await self._slots.enter()

    async def __aexit__(self, *_: object) -> None:
        self._slots.leave()
