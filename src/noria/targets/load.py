"""What routes ask about a model before they choose: calls under way, and how fast it begins to answer."""

from __future__ import annotations

import math
from collections.abc import Callable

from noria.targets.observed import Outcome

_MEMORY_S = 10.0
"""After so many seconds a measurement counts 1/e of what it did."""


class Load:
    """The load of one model. An observer of its calls.

    The time to first token is a peak-sensitive moving average: a slower answer than expected counts at once, a faster
    one by and by, and what was measured fades, so that a model that was slow gets calls again (Finagle's ``PeakEwma``).

    Arguments:
        clock: seconds, never running backwards.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ttft_s = 0.0
        self._as_of = clock()
        self.outstanding = 0
        """Calls under way."""

    @property
    def ttft_s(self) -> float:
        """Time to first token as lately seen, seconds; it fades to 0 where nothing is seen."""
        return self._ttft_s * math.exp((self._as_of - self._clock()) / _MEMORY_S)

    @property
    def expected_s(self) -> float:
        """What a further call would have to wait for its first token, seconds, if all under way wait in a line.

        A model that was never measured is expected to be fast, but not again before its first answer has come.
        """
        if self._ttft_s == 0.0:
            return math.inf if self.outstanding else 0.0
        return self.ttft_s * (self.outstanding + 1)

    def starts(self) -> _Counted:
        """A call is made."""
        self.outstanding += 1
        return _Counted(self, self._clock())

    def began(self, start_s: float) -> None:
        """The first token has come of a call that was made then."""
        now = self._clock()
        ttft_s = now - start_s
        kept = math.exp((self._as_of - now) / _MEMORY_S)
        self._ttft_s = ttft_s if ttft_s >= self._ttft_s else self._ttft_s * kept + ttft_s * (1 - kept)
        self._as_of = now


class _Counted:
    """One call under way."""

    __slots__ = ("_load", "_start_s")

    def __init__(self, load: Load, start_s: float) -> None:
        self._load = load
        self._start_s = start_s

    def speaks(self) -> None:
        """The first piece has come."""
        self._load.began(self._start_s)

    def ends(self, outcome: Outcome) -> None:
        """It is over."""
        del outcome
        self._load.outstanding -= 1
