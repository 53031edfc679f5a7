"""Intervals of one metric: published tables, SciPy, and simulated coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import calls
from scipy import stats

from noria.evaluate.statistics.intervals import estimate, wilson
from noria.evaluate.statistics.samples import Sample, scored


def sample(values, clusters=None, *, repeats=1, boolean=True):
    n = len(values)
    return Sample(
        cases=tuple(f"{index:05}" for index in range(n)),
        values=np.asarray(values, float),
        units=tuple(range(n)) if clusters is None else tuple(clusters),
        calls=n * repeats,
        boolean=boolean,
    )


@pytest.mark.parametrize(
    ("right", "n", "lower", "upper"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_is_newcombes_table(right, n, lower, upper):
    """Newcombe 1998, Statistics in Medicine 17:857, table I, method 3."""
    assert wilson(right / n, n, alpha=0.05) == (pytest.approx(lower, abs=5e-5), pytest.approx(upper, abs=5e-5))


@given(n=st.integers(1, 500), part=st.floats(0, 1), alpha=st.sampled_from([0.01, 0.05, 0.1]))
def test_wilson_is_scipys(n, part, alpha):
    right = round(part * n)
    expected = stats.binomtest(right, n).proportion_ci(1 - alpha, method="wilson")
    found = estimate(sample([True] * right + [False] * (n - right)), alpha=alpha)
    assert (found.lower, found.upper) == (pytest.approx(expected.low, abs=1e-9), pytest.approx(expected.high, abs=1e-9))
    assert found.method == "wilson"
    assert 0 <= found.lower <= found.value <= found.upper <= 1


def test_numbers_have_scipys_t_interval():
    values = np.random.default_rng(1).gamma(2, size=30)
    found = estimate(sample(values, boolean=False), alpha=0.05)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.lower, found.upper) == (pytest.approx(expected.low), pytest.approx(expected.high))
    assert (found.method, found.n, found.clusters) == ("t", 30, 30)


def test_an_observed_hundred_percent_is_not_certainty():
    found = estimate(sample([True] * 50), alpha=0.05)
    assert (found.value, found.upper) == (1.0, 1.0)
    assert found.lower == pytest.approx(50 / (50 + 1.959964**2))


def test_a_hundred_percent_in_clusters_is_worth_the_clusters():
    found = estimate(sample([True] * 50, np.arange(50) // 10), alpha=0.05)
    assert found.lower == pytest.approx(5 / (5 + 1.959964**2))


def test_numbers_that_do_not_vary_are_exact():
    found = estimate(sample([0.1] * 6, boolean=False), alpha=0.05)
    assert (found.method, found.lower, found.upper) == ("exact", found.value, found.value)


def test_one_number_has_no_interval_but_one_boolean_has():
    assert estimate(sample([3.5], boolean=False), alpha=0.05).method == "single"
    found = estimate(sample([True]), alpha=0.05)
    assert (found.method, found.upper) == ("wilson", 1.0)
    assert found.lower < 0.25


@given(rights=st.lists(st.booleans(), min_size=2, max_size=60), copies=st.integers(2, 4))
def test_repeating_the_same_answers_changes_nothing(rights, copies):
    once = estimate(sample(rights), alpha=0.05)
    often = estimate(sample(rights, repeats=copies), alpha=0.05)
    assert (often.lower, often.upper) == (pytest.approx(once.lower), pytest.approx(once.upper))


@given(rights=st.lists(st.booleans(), min_size=4, max_size=40), copies=st.integers(2, 4))
def test_copies_within_a_cluster_do_not_shrink_the_interval(rights, copies):
    once = estimate(sample(rights), alpha=0.05)
    often = estimate(sample(np.repeat(rights, copies), np.repeat(np.arange(len(rights)), copies)), alpha=0.05)
    assert often.upper - often.lower >= once.upper - once.lower - 1e-9


@given(order=st.permutations(range(12)))
def test_the_order_of_cases_does_not_matter(order):
    answers = calls([0.1, 0.7, 0.3, 0.9] * 3, clusters=list("aabbccddeeff"))
    shuffled = [answers[index] for index in order]
    assert estimate(scored(shuffled, "accuracy"), alpha=0.05) == estimate(scored(answers, "accuracy"), alpha=0.05)


def coverage(draw, truth, rounds=900):
    found = [estimate(draw(), alpha=0.05) for _ in range(rounds)]
    return np.mean([one.lower <= truth <= one.upper for one in found])


@pytest.mark.parametrize(("n", "p"), [(60, 0.6), (100, 0.7), (200, 0.9)])
def test_proportions_are_covered(n, p):
    rng = np.random.default_rng(5)
    assert 0.93 <= coverage(lambda: sample(rng.random(n) < p), p) <= 0.97


def test_proportions_of_repeated_cases_are_covered():
    """100 cases asked 4 times; cases differ in difficulty, Beta(2, 1)."""
    rng = np.random.default_rng(6)

    def draw():
        return sample(rng.binomial(4, rng.beta(2, 1, size=100)) / 4, repeats=4)

    assert 0.93 <= coverage(draw, 2 / 3) <= 0.97


def test_proportions_in_clusters_are_covered():
    """20 documents with 10 questions each, intraclass correlation 0.2; ignoring the clusters covers about 0.74."""
    rng = np.random.default_rng(7)
    cluster = np.repeat(np.arange(20), 10)

    def draw():
        return sample(rng.random(200) < rng.beta(2.8, 1.2, size=20)[cluster], cluster)

    assert 0.93 <= coverage(draw, 0.7) <= 0.97


def test_skewed_numbers_are_covered():
    rng = np.random.default_rng(8)
    assert 0.93 <= coverage(lambda: sample(rng.gamma(4, size=80), boolean=False), 4.0) <= 0.97
