"""Turns calls away while the process has no time for all that come, which no number of calls under way shows.

An event loop that has too much to do takes calls up late, and everybody waits. How late it is each call can tell by itself: how long
it lay there, read, until its turn came. While that is too long on average over half a second, the calls that lay too long are
turned away, which are the newest of each turn of the loop, and the others are answered in time. So a burst makes nobody leave, and a
standing queue does (Zhou et al., "Overload Control for Scaling WeChat Microservices", 2018, section 4.1).

What waits unread in the sockets is not seen; it is no more than one turn of the loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from noria.core.errors import Overloaded
from noria.targets.slots import Slots

AVERAGED_S = 0.5
"""Seconds over which the average is."""
_LONGEST_PART_S = 0.05
"""A call speaks for no more than this: what stood still once, for however long, is no standing queue."""


class Lateness:
    """Watches one event loop through the calls that come to it.

    Arguments:
        slots: the places that calls would have; they count who was turned away.
        most_s: how long a call may lie there, seconds; 0 for any time.
        clock: the loop's, seconds.
    """

    def __init__(self, slots: Slots, most_s: float, clock: Callable[[], float]) -> None:
        self._slots = slots
        self._clock = clock
        self._came_s = -math.inf
        self._taken_up_s = -math.inf
        self._average_s = 0.0
        self.shed = 0
        """Calls that were turned away for it."""
        self.allow(most_s)

    def allow(self, most_s: float) -> None:
        """Let calls lie there for so long from now on."""
        self._most_s = most_s or math.inf

    def check(self, came_s: float) -> None:
        """A call that was read at ``came_s`` of the loop's clock has its turn. Raises ``Overloaded``."""
        most_s, now_s = self._most_s, self._clock()
        late_s = now_s - came_s
        if came_s - self._taken_up_s > AVERAGED_S:  # nobody has called since
            self._average_s = 0.0
        # More than twice too late counts as twice, so that it has to stand for the same time, however late it is.
        part = min(max(came_s - self._came_s, 0.0), _LONGEST_PART_S) / AVERAGED_S
        self._average_s += part * (min(late_s, 2 * most_s) - self._average_s)
        self._came_s, self._taken_up_s = came_s, now_s
        if late_s > most_s and self._average_s > most_s:
            self.shed += 1
            self._slots.shed += 1
            raise Overloaded(
                f"This server has more to do than it has time for: this call lay there for {1000 * late_s:.0f} ms.",
                kept="Nothing was sent.",
                hint="Try again later.",
            )
