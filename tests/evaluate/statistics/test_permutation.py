"""Permutation tests: against SciPy's exact tests, and their error rate under the null hypothesis."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from noria.evaluate.statistics.permutation import DRAWS, sign_flip_p, swap_p

DIFFERENCES = st.lists(st.integers(-30, 30).map(lambda whole: whole / 7), min_size=1, max_size=11)


def column(sums):
    return sums[..., 0]


@given(won=st.integers(0, 60), lost=st.integers(0, 60), same=st.integers(0, 5))
def test_booleans_are_mcnemars_exact_test(won, lost, same):
    expected = stats.binomtest(won, won + lost).pvalue if won + lost else 1.0
    assert sign_flip_p(np.repeat([1.0, -1.0, 0.0], [won, lost, same])) == pytest.approx(expected, rel=1e-9)


@given(won=st.integers(0, 900), lost=st.integers(0, 900))
def test_many_booleans_are_still_exact(won, lost):
    expected = stats.binomtest(won, won + lost).pvalue if won + lost else 1.0
    assert sign_flip_p(np.repeat([1.0, -1.0], [won, lost])) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_few_numbers_are_scipys_exact_permutation_test(seed):
    values = np.random.default_rng(seed).normal(0.4, 1, 11)
    expected = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip_p(values) == pytest.approx(expected.pvalue)


def test_grades_in_thirds_are_exact_beyond_enumeration():
    """50 sums in thirds by dynamic programming, against 400,000 random assignments (standard error below 0.0008)."""
    rng = np.random.default_rng(3)
    values = rng.integers(-2, 4, 50) / 3
    signs = rng.integers(0, 2, size=(400_000, 50), dtype=np.int8) * 2 - 1
    by_chance = np.mean(np.abs(signs @ values) >= abs(values.sum()) - 1e-9)
    assert sign_flip_p(values) == pytest.approx(by_chance, abs=0.003)


def test_many_numbers_agree_with_the_t_test_within_the_draws():
    values = np.random.default_rng(4).normal(0.2, 1, 100)
    p = stats.ttest_1samp(values, 0).pvalue
    assert sign_flip_p(values) == pytest.approx(p, abs=4 * np.sqrt(p / DRAWS) + 0.003)


def test_a_drawn_p_value_is_never_zero():
    assert sign_flip_p(np.random.default_rng(5).normal(10, 1, 100)) == 1 / (DRAWS + 1)


@given(values=st.lists(st.floats(-5, 5), min_size=1, max_size=40), order=st.randoms())
def test_neither_the_order_nor_the_direction_matters(values, order):
    shuffled = list(values)
    order.shuffle(shuffled)
    assert sign_flip_p(np.array(shuffled)) == pytest.approx(sign_flip_p(np.array(values)))
    assert sign_flip_p(-np.array(values)) == sign_flip_p(np.array(values))


def test_no_difference_is_no_evidence():
    assert sign_flip_p(np.zeros(10)) == 1.0
    assert sign_flip_p(np.array([1.0, -1.0])) == 1.0


@given(values=DIFFERENCES)
def test_swapping_is_flipping_for_a_sum(values):
    found = swap_p(np.array(values)[:, None] + 5, np.full((len(values), 1), 5.0), column)
    assert found == pytest.approx(sign_flip_p(np.array(values)), abs=1e-6)


def test_swapping_many_answers_is_flipping_within_the_draws():
    rng = np.random.default_rng(6)
    old, new = rng.random((80, 2)), rng.random((80, 2)) + 0.08
    assert swap_p(new, old, column) == pytest.approx(sign_flip_p((new - old)[:, 0]), abs=0.012)
    assert swap_p(old, new, column) == swap_p(new, old, column)


def test_an_undefined_assignment_never_helps():
    """The metric is undefined unless the first variant keeps all its answers: no p-value below 1 can come of it."""

    def value(sums):
        return np.where(np.asarray(sums)[..., 1] % 2 == 0, np.asarray(sums)[..., 0], np.nan)

    new = np.array([[1.0, 2.0]] * 6)
    old = np.array([[0.0, 1.0]] * 6)
    every_other = swap_p(new, old, value)
    assert every_other > swap_p(new, old, column)


def test_equal_answers_are_no_evidence_for_a_run_metric():
    assert swap_p(np.ones((5, 2)), np.ones((5, 2)), column) == 1.0


@pytest.mark.parametrize("kind", ["booleans", "few", "many", "clusters"])
def test_false_alarms_are_no_more_than_promised(kind):
    rng = np.random.default_rng(7)
    rounds = 1_000 if kind != "many" else 200

    def draw():
        if kind == "booleans":
            return (rng.random(60) < 0.7).astype(float) - (rng.random(60) < 0.7)
        if kind == "few":
            return rng.laplace(size=9)
        if kind == "many":
            return rng.laplace(size=35)
        sizes = rng.integers(1, 8, 12)
        return sizes * rng.normal(size=12) + np.sqrt(sizes) * rng.normal(size=12)

    alarms = np.mean([sign_flip_p(draw()) < 0.05 for _ in range(rounds)])
    assert alarms <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / rounds)
    assert alarms > 0.01
