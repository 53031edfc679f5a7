"""Metrics over a run: against scikit-learn and SciPy, and simulated coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from judging import MacroF1, call
from scipy import stats
from sklearn.metrics import f1_score

from noria.evaluate.statistics.bootstrap import bootstrap, run_statistics

METRIC = MacroF1()


def mean(sums):
    return sums[..., 0] / sums[..., 1]


def answers(truth, told, clusters=None):
    return [
        call(f"{index:03}", {"label": says}, reference=is_, cluster=clusters and clusters[index])
        for index, (is_, says) in enumerate(zip(truth, told, strict=True))
    ]


def labels(rng, n, right=0.8):
    truth = np.where(rng.random(n) < 0.6, "yes", "no")
    told = np.where(rng.random(n) < right, truth, np.where(truth == "yes", "no", "yes"))
    return truth.tolist(), told.tolist()


def test_the_value_is_scikit_learns():
    truth, told = labels(np.random.default_rng(1), 80)
    statistics = run_statistics(answers(truth, told), "label", METRIC)
    found = bootstrap(statistics.by_unit(), METRIC.value, n=80, alpha=0.05)
    assert found.value == pytest.approx(f1_score(truth, told, average="macro"))
    assert (found.method, found.n, found.clusters) == ("bootstrap", 80, 80)
    assert found.lower < found.value < found.upper


def test_the_interval_is_scipys_bca_within_the_draws():
    values = np.random.default_rng(2).gamma(1.5, size=40)
    found = bootstrap(np.stack([values, np.ones(40)], 1), mean, n=40, alpha=0.05)
    expected = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="BCa", rng=3).confidence_interval
    width = expected.high - expected.low
    assert found.lower == pytest.approx(expected.low, abs=0.06 * width)
    assert found.upper == pytest.approx(expected.high, abs=0.06 * width)


def test_the_same_answers_always_give_the_same_interval():
    truth, told = labels(np.random.default_rng(3), 50)
    judged = answers(truth, told)
    first = run_statistics(judged, "label", METRIC)
    second = run_statistics(judged[::-1], "label", METRIC)
    assert bootstrap(first.by_unit(), METRIC.value, n=50, alpha=0.05) == bootstrap(
        second.by_unit(), METRIC.value, n=50, alpha=0.05
    )


def test_repeats_are_averaged_and_clusters_kept_together():
    judged = [
        call(case, {"label": "yes"}, reference="yes", repeat=repeat, cluster="one")
        for case in ("a", "b")
        for repeat in range(3)
    ]
    statistics = run_statistics([*judged, call("c", {"label": "no"}, reference="yes")], "label", METRIC)
    assert statistics.cases == ("a", "b", "c")
    assert statistics.by_unit().tolist() == [[0, 0, 0, 2], [0, 0, 1, 0]]
    assert statistics.calls == 7


@settings(max_examples=25)
@given(rows=st.lists(st.integers(0, 50), min_size=3, max_size=15), copies=st.integers(2, 3))
def test_copies_within_a_cluster_do_not_shrink_the_interval(rows, copies):
    values = np.stack([np.array(rows), np.ones(len(rows))], 1)
    once = bootstrap(values, mean, n=len(rows), alpha=0.05)
    often = bootstrap(values * copies, mean, n=len(rows) * copies, alpha=0.05)
    assert (often.lower, often.upper) == (pytest.approx(once.lower), pytest.approx(once.upper))


def test_what_cannot_be_known():
    alone = bootstrap(np.array([[1.0, 2.0, 3.0, 4.0]]), METRIC.value, n=1, alpha=0.05)
    assert (alone.method, alone.lower, alone.upper) == ("single", alone.value, alone.value)
    assert bootstrap(np.array([[0.0, 0, 0, 1]] * 4), METRIC.value, n=4, alpha=0.05) is None, "no answer is no"
    perfect = np.array([[1.0, 0, 0, 1.0]] * 4)
    assert bootstrap(perfect, METRIC.value, n=8, alpha=0.05).method == "exact"
    assert run_statistics([call("a", {"label": None})], "label", METRIC) is None


def test_resamples_without_a_class_are_left_out():
    rows = np.array([[0.0, 0, 0, 1]] * 5 + [[1.0, 0, 0, 0]] + [[0.0, 1, 0, 0]])
    found = bootstrap(rows, METRIC.value, n=7, alpha=0.05)
    assert np.isfinite([found.lower, found.upper, found.standard_error]).all()


@pytest.mark.parametrize("size", [1, 4])
def test_macro_f1_is_covered(size):
    """100 independent answers, and 60 clusters of 4 that agree more than chance would have it."""
    rng = np.random.default_rng(4)
    units = 100 if size == 1 else 60
    truth = METRIC.value(np.array([0.32, 0.08, 0.12, 0.48]))
    hits = 0
    for _ in range(150):
        cells = rng.choice(4, p=[0.32, 0.08, 0.12, 0.48], size=(units, size))
        cells = np.where(rng.random((units, size)) < 0.5, cells[:, :1], cells)
        rows = np.stack([(cells == cell).sum(1) for cell in range(4)], 1).astype(float)
        found = bootstrap(rows, METRIC.value, n=units * size, alpha=0.05)
        hits += found.lower <= truth <= found.upper
    assert 0.915 <= hits / 150 <= 0.985
