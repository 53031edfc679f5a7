from hypothesis import given
from hypothesis import strategies as st

from noria.engines.restarts import RestartPolicy, patience_returns, pause, recent

POLICY = RestartPolicy(crash_limit=3, window_s=60, first_delay_s=0.5, longest_delay_s=8, jitter=0.5)


def test_pauses_double_up_to_the_longest():
    assert [pause(n, POLICY, 0.0) for n in range(1, 8)] == [0.5, 1, 2, 4, 8, 8, 8]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_jitter_only_shortens_and_never_to_nothing(crashes, random):
    assert 0.25 <= pause(crashes, POLICY, random) <= 8


def test_crashes_age():
    assert recent([0, 30, 59], 60, POLICY) == [30, 59]


@given(st.lists(st.floats(0, 100), max_size=8), st.floats(100, 200))
def test_patience_returns_exactly_when_one_crash_fewer_counts(crashes, now):
    wait = patience_returns(crashes, now, POLICY)
    assert (wait == 0) == (len(recent(crashes, now, POLICY)) < POLICY.crash_limit)
    assert len(recent(crashes, now + wait + 1e-6, POLICY)) < POLICY.crash_limit
