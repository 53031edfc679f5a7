"""A share of the traffic may be tried again, whatever the traffic is."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from noria.targets.retry_budget import RetryBudget

SHARE, PER_S, MOST = 0.25, 0.5, 4.0


class BudgetMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.calls = 0
        self.budget = RetryBudget(lambda: self.now, share=SHARE, per_s=PER_S, most=MOST)

    @rule()
    def call(self) -> None:
        self.budget.called()
        self.calls += 1

    @rule()
    def retry(self) -> None:
        before = self.budget.taken + self.budget.refused
        self.budget.take()
        assert self.budget.taken + self.budget.refused == before + 1

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def a_quiet_time_fills_it(self) -> None:
        self.now += MOST / PER_S + 0.001  # sums of floats fall a little short
        assert [self.budget.take() for _ in range(5)] == [True] * 4 + [False]

    @precondition(lambda self: self.budget.taken == 0)
    @rule()
    def the_odd_failure_may_be_tried_again(self) -> None:
        assert self.budget.take()

    @invariant()
    def retries_stay_a_share(self) -> None:
        assert self.budget.taken <= MOST + SHARE * self.calls + PER_S * self.now + 1e-6


BudgetMachine.TestCase.settings = settings(max_examples=30, stateful_step_count=30)
TestBudget = BudgetMachine.TestCase


@given(st.integers(1, 2000))
def test_an_outage_multiplies_calls_by_less_than_one_and_a_half(calls: int) -> None:
    budget = RetryBudget(lambda: 0.0, share=0.2, most=10)
    made = 0
    for _ in range(calls):
        budget.called()
        made += 1
        for _ in range(2):
            made += budget.take()
    assert made <= 1.2 * calls + 10
