"""How many calls may be tried again: a share of the traffic, so that a provider in trouble is not buried under retries.

Three tries of each call make three times the load just when a provider can bear least. A budget lets the odd failure be
tried again and keeps a general one from multiplying (Google, "Site Reliability Engineering", 2016, chapter 22; Twitter's
Finagle, ``RetryBudget``).
"""

from __future__ import annotations

from collections.abc import Callable


class RetryBudget:
    """A bucket of retries, shared by all calls to one provider.

    Whatever happens, there are no more retries than ``most + share * calls + per_s * seconds``.

    Arguments:
        clock: seconds, never running backwards.
        share: retries that each call adds.
        per_s: retries that each second adds, so that few calls can be tried again too.
        most: that it holds, and holds at the beginning.
    """

    def __init__(
        self, clock: Callable[[], float], *, share: float = 0.2, per_s: float = 0.5, most: float = 10.0
    ) -> None:
        self._clock = clock
        self._share = share
        self._per_s = per_s
        self._most = most
        self._held = most
        self._as_of = clock()
        self.taken = 0
        """Retries that were made."""
        self.refused = 0
        """Retries that were not made, because the budget was used up."""

    def called(self) -> None:
        """A call was made for the first time."""
        self._held += self._share

    def take(self) -> bool:
        """Whether one more retry may be made; it is counted as made then."""
        now = self._clock()
        self._held, self._as_of = min(self._most, self._held + self._per_s * (now - self._as_of)), now
        if self._held < 1.0:
            self.refused += 1
            return False
        self._held -= 1.0
        self.taken += 1
        return True
