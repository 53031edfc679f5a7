"""What this process may use of limits without asking: leases of quota, taken in pieces from a state that all share.

Law: what is reserved by all processes together never exceeds a limit, because a lease is taken out of the shared counter
before it is used. So requests and concurrent calls never exceed theirs; tokens and dollars only by what calls under way turn
out to use beyond their estimate. What a process has used it tells within a second or two; one that is killed forgets what it used since
then, and its lease is free again after :data:`LEASE_NS`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine, Iterable
from typing import Any, NamedTuple, TypeVar

import msgspec

from noria.core.errors import NoriaError
from noria.core.limits import Ask, Grant, Limit, SharedCounters, Standing, parts
from noria.core.protocols import Clock
from noria.targets.windows import bounds

LEASE_NS = 30 * 10**9
"""How long a lease lasts that nobody renews."""
_PART = 8
"""A lease is at most one such part of what is left: that much may lie idle with one process while another runs out."""
_AGAIN_NS = 250_000_000
"""How long a refusal stands before the shared state is asked again."""

_Result = TypeVar("_Result")


class Counted(NamedTuple):
    """A limit, and the one whose use is counted."""

    limit: Limit
    """The limit."""
    counter: str
    """Name of the counter."""
    who: str
    """Whose it is, fit to be shown."""
    name: str = ""
    """The key's name, where it is a key's."""


Due = tuple[Counted, int]
"""A limit, and how many units are to be reserved of it."""


class Refusal(NamedTuple):
    """Which limit would be exceeded."""

    counted: Counted
    """The limit and whose."""
    standing: Standing
    """How it stands."""

    @property
    def resets_ns(self) -> int:
        """When its window ends; 0 for concurrency."""
        return self.standing.resets_ns


class _Purse:
    """This process's part of one counter in one window."""

    def __init__(self, counted: Counted, starts_ns: int, ends_ns: int) -> None:
        self.count(counted)
        self.starts_ns = starts_ns
        self.ends_ns = ends_ns
        self.held = 0  # units leased and not used yet, those that calls under way have reserved included
        self.reserved = 0
        self.spent = 0  # units used since the shared state was told
        self.used = 0  # by all together, when it was last asked
        self.low = 0
        self.asked_ns = 0
        self.renewed_ns = 0
        self.touched = False
        self.asking = 0  # who asks the shared state, or waits to
        self.open = 0  # reservations that are not over, also of no unit, where it is not known what a call will use
        self.kept: int | None = None  # while it is asked: of what is held, what stays whatever it grants
        self._lock = asyncio.Lock()

    def count(self, counted: Counted) -> None:
        """Whose limit it is, which may have another amount by now."""
        self.counted = counted
        self.measure = counted.limit.measure
        self.most = counted.limit.units
        self.parts = parts(self.measure)

    @property
    def free(self) -> int:
        return self.held - self.reserved

    @property
    def needed(self) -> bool:
        return bool(self.held or self.reserved or self.open or self.spent or self.touched or self.asking)

    @property
    def left(self) -> int:
        """Units that nobody has used or reserved, as far as is known here."""
        return max(0, self.most - self.used + self.held - self.reserved)

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncGenerator[None]:
        """Nobody else asks the shared state meanwhile."""
        self.asking += 1
        try:
            async with self._lock:
                yield
        finally:
            self.asking -= 1

    def ask(self, wish: int, now_ns: int) -> Ask:
        """What of the lease is still wished for is kept, and may be reserved meanwhile, unless it may have ended."""
        wish += self.reserved
        lasts = now_ns - self.renewed_ns < LEASE_NS // 2
        self.kept = max(self.reserved, min(self.held, wish)) if lasts else self.reserved
        return Ask(
            counter=self.counted.counter,
            starts_ns=self.starts_ns,
            ends_ns=self.ends_ns,
            limit=self.most,
            spent=self.spent,
            keep=self.kept,
            wish=wish,
        )

    def standing(self) -> Standing:
        """How its limit stands now."""
        limit, left = self.counted.limit, self.left
        return Standing(
            limit=limit.name,
            measure=limit.measure,
            who=self.counted.who,
            amount=limit.amount,
            used=(self.most - left) / self.parts,
            remaining=left / self.parts,
            resets_ns=0 if limit.measure == "concurrency" else self.ends_ns,
            name=self.counted.name,
        )

    def take(self, ask: Ask, grant: Grant, now_ns: int) -> None:
        self.spent -= ask.spent
        self.held = grant.held - self.spent
        self.used = grant.used
        self.low = self.free // 4
        self.asked_ns = self.renewed_ns = now_ns


class Reservation(msgspec.Struct):
    """Units of one counter that a call holds."""

    purse: _Purse
    """What they are of."""
    units: int
    """How many."""

    def settle(self, used: int) -> None:
        """Give back what was reserved, and count what was used. A second call does nothing more than count."""
        purse = self.purse
        purse.reserved -= self.units
        self.units = 0
        purse.touched = True
        if purse.measure != "concurrency":
            purse.held -= used
            purse.spent += used
            if purse.kept is not None:
                purse.kept -= used

    def end(self, used: int) -> None:
        """The same, at last: nothing is settled after it."""
        self.settle(used)
        self.purse.open -= 1


class Allowances:
    """Reserves and settles. All methods belong to one event loop; the shared state is asked in a thread.

    Arguments:
        shared: the counters of all processes.
        holder: this process's name among them.
        now: the clock.
    """

    def __init__(self, shared: SharedCounters, holder: str, now: Clock) -> None:
        self._shared = shared
        self._holder = holder
        self._now = now
        self._purses: dict[str, _Purse] = {}
        self._past: list[_Purse] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self.asks = 0
        """Times that the shared state was asked."""

    def held(self, due: Iterable[Due]) -> list[Reservation]:
        """Reserve of what this process has leased, in this order, up to the first that nobody can tell without asking."""
        now = self._now()
        found: list[Reservation] = []
        for counted, wanted in due:
            purse = self._purses.get(counted.counter)
            if purse is None or purse.counted is not counted or not purse.starts_ns <= now < purse.ends_ns:
                purse = self._purse(counted, now)
            purse.touched = True
            free = (purse.held if purse.kept is None else purse.kept) - purse.reserved - wanted
            if free < 0:
                break
            purse.reserved += wanted
            if free < purse.low and purse.left > free and purse.kept is None:
                purse.low = 0
                self._started(self._refilled(purse))
            purse.open += 1
            found.append(Reservation(purse, wanted))
        return found

    async def reserve(self, counted: Counted, wanted: int) -> Reservation | Refusal:
        """Hold so many units, or say that there are not so many left.

        Raises:
            Unavailable: this process's lease does not do, and the shared state can't be reached.
        """
        if at_hand := self.held([(counted, wanted)]):
            return at_hand[0]
        now = self._now()
        purse = self._purse(counted, now)
        if wanted > purse.left and now - purse.asked_ns < _AGAIN_NS:
            return self._refusal(purse)
        # A task of its own: whoever asked for it may go away in the middle, and what was agreed must be noted.
        task = self._started(self._leased(purse, wanted))
        try:
            enough = await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(lambda done: _returned(done, purse, wanted))
            raise
        if not enough:
            return self._refusal(purse)
        purse.open += 1
        return Reservation(purse, wanted)

    def _purse(self, counted: Counted, now: int) -> _Purse:
        purse = self._purses.get(counted.counter)
        if purse is None or not purse.starts_ns <= now < purse.ends_ns:
            if purse is not None:
                self._past.append(purse)
            purse = self._purses[counted.counter] = self._of_window(counted, now)
        if purse.counted is not counted:
            purse.count(counted)
        return purse

    def _of_window(self, counted: Counted, now: int) -> _Purse:
        """A new one, unless the clock was set back: the shared state knows one lease of a process in a window."""
        starts_ns, ends_ns = bounds(counted.limit, now)
        for past in self._past:
            if past.counted.counter == counted.counter and past.starts_ns == starts_ns:
                self._past.remove(past)
                return past
        return _Purse(counted, starts_ns, ends_ns)

    async def tend(self, *, all: bool = False) -> None:
        """Tell what was used, keep leases alive, and give back what lies idle; to be called about every second.

        Arguments:
            all: give back everything that no call under way holds.
        """
        if all and self._tasks:
            await asyncio.wait(set(self._tasks))
        # As a call's: whoever waits for it may stop waiting, and what was told must be noted, or it is told again.
        await asyncio.shield(self._started(self._tended(all)))

    async def _tended(self, all: bool) -> None:
        now = self._now()
        due: list[_Purse] = []
        for purse in (*self._past, *self._purses.values()):
            over = now >= purse.ends_ns or all
            stale = purse.held > 0 and now - purse.renewed_ns > LEASE_NS // 3
            unused = not purse.touched and purse.free > 0
            if (purse.spent or over or stale or unused) and (all or not purse.asking):
                due.append(purse)
        async with contextlib.AsyncExitStack() as alone:
            for purse in due:
                await alone.enter_async_context(purse.alone())
            idle = [p for p in due if all or now >= p.ends_ns or not p.touched]
            for purse in due:
                purse.touched = False  # whoever touches one from now on may be about to ask for more, so it has to stay
            if due:
                await self._renew(due, 0, give_back=idle)
        self._past = [purse for purse in self._past if purse.needed]
        self._purses = {counter: purse for counter, purse in self._purses.items() if purse.needed}

    async def close(self) -> None:
        """Tell everything, and give back all leases."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self.tend(all=True)

    def _started(self, work: Coroutine[Any, Any, _Result]) -> asyncio.Task[_Result]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _leased(self, purse: _Purse, wanted: int) -> bool:
        """Reserve, after asking for more where that may help; whether there was enough."""
        async with purse.alone():
            known = wanted > purse.left and self._now() - purse.asked_ns < _AGAIN_NS
            if purse.free < wanted and not known:
                await self._renew([purse], wanted)
            if purse.free < wanted:
                return False
            purse.reserved += wanted
            return True

    async def _refilled(self, purse: _Purse) -> bool:
        """Ask for more before it is needed. A failure shows when it is."""
        async with purse.alone():
            with contextlib.suppress(NoriaError):
                await self._renew([purse], 0)
        return True

    @staticmethod
    def _refusal(purse: _Purse) -> Refusal:
        return Refusal(purse.counted, purse.standing())

    async def _renew(self, purses: Iterable[_Purse], wanted: int, give_back: Iterable[_Purse] = ()) -> None:
        """Ask the shared state; nobody else does for these purses. Calls settle meanwhile, and reserve what is kept."""
        idle, now = set(map(id, give_back)), self._now()
        asked = [(purse, purse.ask(0 if id(purse) in idle else max(wanted, _part(purse)), now)) for purse in purses]
        self.asks += 1
        try:
            grants = await asyncio.to_thread(
                self._shared.renew, self._holder, [ask for _, ask in asked], now_ns=now, until_ns=now + LEASE_NS
            )
        finally:
            for purse, _ in asked:
                purse.kept = None
        for (purse, ask), grant in zip(asked, grants, strict=True):
            purse.take(ask, grant, now)


def _returned(done: asyncio.Task[bool], purse: _Purse, wanted: int) -> None:
    """Give back what was reserved for a caller who did not wait for it."""
    if not done.cancelled() and done.exception() is None and done.result():
        purse.reserved -= wanted


def _part(purse: _Purse) -> int:
    """A part of what is left, at least one unit's worth of asking."""
    return -(-purse.left // _PART)
