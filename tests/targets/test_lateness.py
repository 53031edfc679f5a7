"""A burst makes nobody leave; a standing queue does, and then those who lay there longest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from noria.core.errors import Overloaded
from noria.targets.lateness import AVERAGED_S, Lateness
from noria.targets.slots import Slots

MOST_S = 0.1


class Loop:
    """An event loop in whose turns calls lie there for so long."""

    def __init__(self, most_s: float = MOST_S) -> None:
        self.now = 1000.0
        self.slots = Slots(10, waiting=0, of="This server")
        self.lateness = Lateness(self.slots, most_s, lambda: self.now)

    def turn(self, *waits_s: float) -> list[bool]:
        """One turn; which of its calls were taken."""
        came, taken = self.now, list[bool]()
        for wait in waits_s:
            self.now = came + wait
            try:
                self.lateness.check(came)
                taken.append(True)
            except Overloaded as error:
                assert (error.status, error.retryable) == (503, True)
                taken.append(False)
        self.now = max(self.now, came + 0.01)
        return taken

    def turns(self, wait_s: float, for_s: float) -> list[bool]:
        end, taken = self.now + for_s, list[bool]()
        while self.now < end:
            taken += self.turn(wait_s)
        return taken


def test_one_long_turn_makes_nobody_leave_and_neither_does_a_short_burst() -> None:
    loop = Loop()
    loop.turns(0.01, 3)
    assert all(loop.turn(*(wait / 100 for wait in range(200))))
    assert all(loop.turn(0.2, 0.4))
    loop.turns(0.01, 3)
    assert all(loop.turns(0.15, 0.3))
    assert (loop.lateness.shed, loop.slots.shed) == (0, 0)


def test_what_stands_turns_away_those_who_lay_there_too_long_and_nobody_else() -> None:
    loop = Loop()
    assert not all(loop.turns(0.2, 3))
    assert loop.turn(0.05, 0.09, 0.11, 0.2) == [True, True, False, False]
    assert loop.slots.shed == loop.lateness.shed > 3


def test_few_who_are_in_time_do_not_hide_the_many_who_are_late() -> None:
    loop = Loop()
    for _ in range(10):
        loop.turns(0.25, 1)
        loop.turn(0.01)
    assert loop.turn(0.25) == [False]


def test_it_is_over_when_most_were_in_time_or_nobody_called() -> None:
    loop = Loop()
    loop.turns(0.2, 3)
    loop.turns(0.01, 1)
    assert loop.turn(0.05, 0.3) == [True, True]
    loop.turns(0.2, 3)
    loop.now += 2 * AVERAGED_S
    assert loop.turn(0.05, 0.3) == [True, True]


def test_zero_turns_nobody_away_and_another_number_counts_from_now_on() -> None:
    loop = Loop(0)
    assert all(loop.turns(0.2, 3))
    loop.lateness.allow(MOST_S)
    loop.turns(0.01, 1)
    assert all(loop.turn(0.2))
    loop.turns(0.2, 3)
    assert loop.turn(0.2) == [False]


@given(st.lists(st.lists(st.floats(0, 1), min_size=1, max_size=5), max_size=60))
def test_whoever_was_in_time_is_taken_and_nobody_leaves_at_once(turns: list[list[float]]) -> None:
    loop = Loop()
    for number, waits in enumerate(turns):
        for wait, taken in zip(sorted(waits), loop.turn(*sorted(waits)), strict=True):
            assert taken or (wait > MOST_S - 1e-9 and number > 5)
