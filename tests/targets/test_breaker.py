"""A model that fails too often is left alone, and comes back carefully."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from noria.core.errors import BreakerOpen
from noria.targets.breaker import Breaker
from noria.targets.observed import Outcome


class Held:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def breaker(**options: Any) -> tuple[Breaker, Held]:
    clock = Held()
    return Breaker(
        "p/m", clock, **({"calls": 4, "window_s": 10.0, "open_s": 5.0, "longest_open_s": 15.0} | options)
    ), clock


def end(one: Breaker, *outcomes: Outcome) -> None:
    for outcome in outcomes:
        one.starts().ends(outcome)


def test_too_many_failures_open_it_and_the_error_says_for_how_long() -> None:
    one, clock = breaker()
    end(one, "answered", "answered", "failed", "failed")
    assert one.state == "open"
    clock.now += 2
    with pytest.raises(BreakerOpen, match="p/m failed too often") as caught:
        one.starts()
    assert caught.value.retry_after_s == 3


def test_few_calls_and_old_failures_say_nothing() -> None:
    one, clock = breaker()
    end(one, "failed", "failed", "failed")
    clock.now += 11
    end(one, "failed", "answered", "answered", "answered")
    assert one.state == "closed"


def test_the_first_piece_of_a_probe_closes_it_for_everybody() -> None:
    one, clock = breaker()
    end(one, *["failed"] * 4)  # type: ignore[arg-type]  # a list of the literal
    clock.now += 5
    probe = one.starts()
    with pytest.raises(BreakerOpen):
        one.starts()
    probe.speaks()
    assert one.state == "closed"
    one.starts()
    probe.ends("failed")  # in the middle of its answer: one failure in the new window
    assert one.state == "closed"
    end(one, "failed", "failed", "failed")
    assert one.state == "open"


def test_a_probe_that_fails_opens_it_for_longer() -> None:
    one, clock = breaker()
    end(one, *["failed"] * 4)  # type: ignore[arg-type]
    for wait_s in (5, 10, 15, 15):
        clock.now += wait_s - 0.1
        with pytest.raises(BreakerOpen):
            one.starts()
        clock.now += 0.1
        one.starts().ends("failed")
    clock.now += 15
    one.starts().ends("answered")
    end(one, *["failed"] * 4)  # type: ignore[arg-type]
    clock.now += 5
    one.starts()  # the first wait again


def test_a_probe_that_nobody_waits_for_leaves_its_place() -> None:
    one, clock = breaker()
    end(one, *["failed"] * 4)  # type: ignore[arg-type]
    clock.now += 5
    one.starts().ends("given_up")
    one.starts().ends("answered")
    assert one.state == "closed"


def test_calls_from_before_it_opened_change_nothing() -> None:
    one, clock = breaker()
    late = [one.starts() for _ in range(3)]
    end(one, *["failed"] * 4)  # type: ignore[arg-type]
    late[0].ends("answered")
    assert one.state == "open"
    clock.now += 5
    probe = one.starts()
    late[1].ends("failed")
    late[2].ends("given_up")
    with pytest.raises(BreakerOpen):
        one.starts()
    probe.ends("answered")
    assert one.state == "closed"


class BreakerMachine(RuleBasedStateMachine):
    """Whatever calls do, in whatever order they end."""

    running: Bundle[Any] = Bundle("running")

    def __init__(self) -> None:
        super().__init__()
        self.breaker, self.clock = breaker(error_rate=0.5)
        self.opened_at = 0.0
        self.probes: list[Any] = []

    @rule(target=running)
    def start(self) -> Any:
        state, closed_before = self.breaker.state, self.breaker.state == "closed"
        try:
            permit = self.breaker.starts()
        except BreakerOpen as error:
            assert not closed_before
            assert state == "open" or self.probes
            assert 0 < error.retry_after_s <= 15
            return None
        assert state != "open"
        if state == "half_open":
            assert not self.probes
            self.probes.append(permit)
        return permit

    @rule(permit=consumes(running), outcome=st.sampled_from(["answered", "failed", "given_up"]), speaks=st.booleans())
    def end(self, permit: Any, outcome: Outcome, speaks: bool) -> None:
        if permit is None:
            return
        before = self.breaker.opened
        if speaks:
            permit.speaks()
        permit.ends(outcome)
        if permit in self.probes:
            self.probes.remove(permit)
            if not speaks and outcome == "failed":
                assert self.breaker.opened == before + 1
        if self.breaker.opened > before:
            assert outcome == "failed"
            assert self.breaker.state == "open"

    @rule(seconds=st.floats(0, 20))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def it_always_comes_back(self) -> None:
        """However it stands, a model that is well again is called again within the longest time."""
        self.clock.now += 16
        if not self.probes:
            permit = self.breaker.starts()
            permit.ends("answered")
            assert self.breaker.state == "closed"

    @invariant()
    def one_probe_at_a_time(self) -> None:
        assert len(self.probes) <= 1


BreakerMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30)
TestBreaker = BreakerMachine.TestCase


class Memory:
    """What processes tell each other, in one of them."""

    until_s = 0.0

    def tell(self, until_s: float) -> None:
        self.until_s = max(self.until_s, until_s)


def test_what_opens_in_one_process_opens_in_all_and_each_comes_back_by_itself() -> None:
    memory = Memory()
    (one, clock), (other, clock_of_other) = breaker(elsewhere=memory), breaker(elsewhere=memory)
    end(one, *["failed"] * 4)  # type: ignore[arg-type]  # a list of the literal
    with pytest.raises(BreakerOpen) as caught:
        other.starts()
    assert (other.state, caught.value.retry_after_s, other.opened) == ("open", 5, 0)
    clock.now = clock_of_other.now = 1005.0
    one.starts().ends("failed")
    other.starts().ends("answered")
    assert (one.state, other.state) == ("open", "closed")
    other.starts().ends("answered")  # a probe that failed elsewhere is nothing to it
    end(other, *["failed"] * 3)  # type: ignore[arg-type]  # see above
    assert (other.state, memory.until_s) == ("open", 1010.0)
