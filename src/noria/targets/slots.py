"""Places for calls: so many at a time, a short line of those who wait, and nobody else."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import NamedTuple, Protocol

from noria.core.errors import Overloaded

LOOK_S = 0.005
"""How often who waits looks for a place that another process left."""


class Shared(Protocol):
    """The same places in other processes, which share their number, see :class:`noria.stores.places.SharedPlaces`.

    Times are microseconds of a clock that all of them share.
    """

    @property
    def taken(self) -> int:
        """Calls under way, in all processes."""
        ...

    @property
    def waiting(self) -> int:
        """Calls that wait, in all processes."""
        ...

    def take(self, most: int, since_us: int, now_us: int) -> bool:
        """Take one of ``most``, unless all are taken or somebody waits elsewhere since before ``since_us``."""
        ...

    def leave(self) -> None:
        """Give one back."""
        ...

    def wait(self, more: int, since_us: int, now_us: int) -> None:
        """So many ``more`` calls wait here, the first since then; 0 for none."""
        ...


class _Turn(NamedTuple):
    """Somebody in the line."""

    come: asyncio.Future[None]
    """Done when there is a place for them."""
    since_us: int
    """When they came."""


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
        self._line: deque[_Turn] = deque()
        self._looking: asyncio.TimerHandle | None = None
        self._shared: Shared | None = None
        self._calls: set[str] = set()  # those that have a place, where they are known
        self.taken = 0
        """Calls under way."""
        self.shed = 0
        """Calls that were turned away."""

    def resize(self, most: int, *, waiting: int) -> None:
        """Have another number of places from now on; who has one keeps it."""
        self.most, self.most_waiting = most, waiting
        self._call_next()

    def share(self, places: Shared) -> None:
        """Count them together with other processes from now on; nobody has come yet."""
        self._shared = places

    @property
    def waiting(self) -> int:
        """Calls that wait for a place."""
        return len(self._line)

    def check(self) -> None:
        """Raise ``Overloaded`` where there is neither a place nor room in the line."""
        taken = self.taken if self._shared is None else self._shared.taken
        if taken >= self.most and self._line_is_full():
            raise self._full()

    def place(self, call: str = "", caused_by: str = "") -> AbstractAsyncContextManager[None]:
        """A place for the length of the block. Raises ``Overloaded``.

        Arguments:
            call: whose place it is, for what is called because of it.
            caused_by: a call that waits for this one. Where it has a place the two share it, or each would wait for the other.
        """
        return _SHARED if caused_by in self._calls else _Place(self, call, self._calls)

    async def enter(self) -> None:
        """Take a place. Raises ``Overloaded``."""
        if self._line or not self._take():
            await self._wait()

    def leave(self) -> None:
        """Leave the place to the first in the line."""
        self.taken -= 1
        if self._shared is not None:
            self._shared.leave()
        self._call_next()

    def _take(self, since_us: int = 0) -> bool:
        """Take a place where there is one, for somebody who came just now or then."""
        if self.taken >= self.most:
            return False
        if self._shared is not None:
            now_us = _now_us()
            if not self._shared.take(self.most, since_us or now_us, now_us):
                return False
        self.taken += 1
        return True

    async def _wait(self) -> None:
        if self._line_is_full():
            raise self._full()
        turn = _Turn(asyncio.get_running_loop().create_future(), _now_us())
        self._line.append(turn)
        self._tell(1)
        try:
            async with asyncio.timeout(self._patience_s):
                await turn.come
        except BaseException as error:
            if turn.come.done() and not turn.come.cancelled():
                self.leave()  # the place came at the same moment; it goes to the next
            elif turn in self._line:
                self._line.remove(turn)
                self._tell(-1)
            if isinstance(error, TimeoutError):
                raise self._full() from None
            raise

    def _call_next(self) -> None:
        while self._line:
            if self._line[0].come.done():  # who waited there is about to leave the line
                self._line.popleft()
            elif self._take(self._line[0].since_us):
                self._line.popleft().come.set_result(None)
            else:
                break
            self._tell(-1)

    def _line_is_full(self) -> bool:
        waiting = len(self._line) if self._shared is None else self._shared.waiting
        return waiting >= self.most_waiting

    def _tell(self, more: int = 0) -> None:
        """Tell other processes who waits here, and look again soon, as none of them tells when it leaves a place."""
        if self._shared is None:
            return
        self._shared.wait(more, self._line[0].since_us if self._line else 0, _now_us())
        if self._line and self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def _look(self) -> None:
        self._looking = None
        self._call_next()
        self._tell()

    def _full(self) -> Overloaded:
        self.shed += 1
        return Overloaded(
            f"{self._of} has {self.most} calls under way, and no more room in the line of those who wait.",
            kept="Nothing was sent.",
            hint="Try again later.",
        )


def _now_us() -> int:
    """Microseconds of the machine's monotonic clock."""
    return int(asyncio.get_running_loop().time() * 1e6)


class _Place(AbstractAsyncContextManager[None]):
    """One place. A class, because a generator costs several times as much."""

    __slots__ = ("_call", "_calls", "_slots")

    def __init__(self, slots: Slots, call: str, calls: set[str]) -> None:
        self._slots = slots
        self._call = call
        self._calls = calls

    async def __aenter__(self) -> None:
        await self._slots.enter()
        if self._call:
            self._calls.add(self._call)

    async def __aexit__(self, *_: object) -> None:
        self._calls.discard(self._call)
        self._slots.leave()


_SHARED = nullcontext()
"""The place of a call that another one has already."""
