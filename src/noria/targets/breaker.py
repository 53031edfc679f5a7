"""A circuit breaker: a model that fails too often is left alone for some time, and then tried carefully.

Callers are answered at once meanwhile, or by another model, and the provider gets time to recover (Nygard, "Release
It!", 2nd edition, 2018, chapter 5). States and how they follow each other:

    closed      calls go through; opens when, within the window, enough calls ended and too many of them failed
    open        no call goes through, for ``open_s`` seconds, each time in a row twice as long
    half-open   one call at a time goes through: its first piece closes the breaker, its failure opens it again
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal, Protocol

from noria.core.errors import BreakerOpen
from noria.targets.observed import Outcome

_SLICES = 10
"""Parts of the window; results leave it a part at a time."""


class Elsewhere(Protocol):
    """The same breaker in other processes of this machine. Times are seconds of a clock that all of them share."""

    @property
    def until_s(self) -> float:
        """Until when it was opened last anywhere."""
        ...

    def tell(self, until_s: float) -> None:
        """It has opened here, until then."""
        ...


class Breaker:
    """The breaker of one model. An observer of its calls.

    What opens it in one process opens it in all. Each tries by itself whether the model is back, and closes its own: a process that
    alone can't reach the model keeps the others from it once, and not for ever.

    Arguments:
        name: ``provider/model``, for the error.
        clock: seconds, never running backwards.
        error_rate: opens at this part of failed calls, above 0, at most 1.
        calls: opens only once so many calls ended within the window.
        window_s: how far back it looks, seconds.
        open_s: how long it stays open the first time, seconds.
        longest_open_s: how long it stays open at most.
        elsewhere: other processes'; None where there are none.
    """

    def __init__(
        self,
        name: str,
        clock: Callable[[], float],
        *,
        error_rate: float = 0.5,
        calls: int = 20,
        window_s: float = 30.0,
        open_s: float = 5.0,
        longest_open_s: float = 60.0,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._elsewhere = elsewhere
        self._name = name
        self._clock = clock
        self._error_rate = error_rate
        self._calls = calls
        self._slice_s = window_s / _SLICES
        self._first_open_s = open_s
        self._longest_open_s = longest_open_s
        self._slices: deque[list[int]] = deque()  # of each: its number, calls, failures
        self._open_s = open_s
        self._opened_until: float | None = None
        self._probe: _Permit | None = None
        self._era = 0  # what calls of an earlier era came to says nothing about this one
        self._pass = _Permit(self, 0, probing=False)
        self.opened = 0
        """How many times it opened."""

    @property
    def state(self) -> Literal["closed", "open", "half_open"]:
        """Where it stands."""
        if self._opened_until is None:
            return "closed"
        return "open" if self._clock() < self._opened_until else "half_open"

    @property
    def seen(self) -> tuple[int, int]:
        """Calls that ended within the window, and how many of them failed."""
        self._forget(int(self._clock() / self._slice_s))
        return sum(one[1] for one in self._slices), sum(one[2] for one in self._slices)

    def starts(self) -> _Permit:
        """A call is to be made. Raises ``BreakerOpen``."""
        if self._opened_until is None and self._elsewhere is not None:
            self._heed(self._elsewhere)
        if self._opened_until is None:
            return self._pass
        left_s = self._opened_until - self._clock()
        if left_s > 0 or self._probe is not None:
            raise BreakerOpen(
                f"{self._name} failed too often, and is not called for some time.", retry_after_s=max(left_s, 1.0)
            )
        self._probe = _Permit(self, self._era, probing=True)
        return self._probe

    def succeeded(self, permit: _Permit) -> None:
        """A call came to its end, or as a probe to its first piece."""
        if permit.era != self._era:
            return
        if permit.probing:
            self._begin_era()
            self._opened_until, self._probe, self._open_s = None, None, self._first_open_s
            self._slices.clear()
        else:
            self._count(failed=False)

    def failed(self, permit: _Permit) -> None:
        """A call failed."""
        if permit.era != self._era:
            return
        if permit.probing:
            self._open_s = min(self._longest_open_s, self._open_s * 2)
            self._open()
        else:
            self._count(failed=True)
            ended, broken = self.seen
            if ended >= self._calls and broken >= self._error_rate * ended:
                self._open()
                if self._elsewhere is not None and self._opened_until is not None:
                    self._elsewhere.tell(self._opened_until)

    def given_up(self, permit: _Permit) -> None:
        """Nobody waited for what a call would come to. Where it was the probe, the next call is."""
        if permit is self._probe:
            self._probe = None

    def _open(self) -> None:
        self.opened += 1
        self._open_until(self._clock() + self._open_s)

    def _open_until(self, end: float) -> None:
        self._begin_era()
        self._opened_until, self._probe = end, None
        self._slices.clear()

    def _begin_era(self) -> None:
        self._era += 1
        self._pass = _Permit(self, self._era, probing=False)

    def _heed(self, elsewhere: Elsewhere) -> None:
        """Open it where another process has."""
        if (until_s := elsewhere.until_s) > self._clock():
            self._open_until(until_s)

    def _count(self, *, failed: bool) -> None:
        number = int(self._clock() / self._slice_s)
        if not self._slices or self._slices[-1][0] != number:
            self._forget(number)
            self._slices.append([number, 0, 0])
        newest = self._slices[-1]
        newest[1] += 1
        newest[2] += failed

    def _forget(self, number: int) -> None:
        while self._slices and self._slices[0][0] <= number - _SLICES:
            self._slices.popleft()


class _Permit:
    """Calls that the breaker let through: one, or while it is closed all of an era."""

    def __init__(self, breaker: Breaker, era: int, *, probing: bool) -> None:
        self._breaker = breaker
        self.era = era
        self.probing = probing

    def speaks(self) -> None:
        """A model that begins to answer is back; whether it ends well is for the window to tell."""
        if self.probing:
            self._breaker.succeeded(self)
            self.probing, self.era = False, self.era + 1

    def ends(self, outcome: Outcome) -> None:
        """The call is over."""
        match outcome:
            case "answered":
                self._breaker.succeeded(self)
            case "failed":
                self._breaker.failed(self)
            case "given_up":
                self._breaker.given_up(self)
