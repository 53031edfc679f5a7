"""Cluster-robust means: against textbook formulas, brute-force matrices, and simulated coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from noria.evaluate.statistics.clusters import clustered_mean, positions
from noria.evaluate.statistics.student import t_quantile

NUMBERS = st.lists(st.floats(-100, 100), min_size=3, max_size=30).filter(lambda xs: np.ptp(xs) > 1e-3)


def test_without_clusters_it_is_the_textbook_standard_error():
    values = np.random.default_rng(1).normal(size=40)
    mean = clustered_mean(values, np.arange(40))
    assert mean.standard_error == pytest.approx(stats.sem(values))
    assert (mean.value, mean.df, mean.clusters) == (pytest.approx(values.mean()), pytest.approx(39), 40)


def test_clusters_of_one_size_are_a_t_test_of_their_means():
    values = np.random.default_rng(2).normal(size=(12, 5))
    mean = clustered_mean(values.reshape(-1), np.repeat(np.arange(12), 5))
    assert mean.standard_error == pytest.approx(stats.sem(values.mean(axis=1)))
    assert mean.df == pytest.approx(11)


def test_unequal_clusters_are_bell_and_mccaffreys_matrices():
    """CR2 with A = (I - H)^(-1/2) by eigenvectors, and Satterthwaite's df from the full n x n projection."""
    sizes = np.array([3, 1, 5, 2, 2])
    n, cluster = sizes.sum(), np.repeat(np.arange(5), sizes)
    values = np.random.default_rng(3).normal(size=n)
    values[cluster == 2] = values[cluster == 2] - values[cluster == 2].mean() + values.mean()  # correlation below 0: 0
    projection = np.eye(n) - np.ones((n, n)) / n
    variance, columns = 0.0, []
    for group, size in enumerate(sizes):
        own = cluster == group
        roots, vectors = np.linalg.eigh(np.eye(size) - np.ones((size, size)) / n)
        adjust = vectors @ np.diag(roots**-0.5) @ vectors.T
        variance += (adjust @ (values - values.mean())[own]).sum() ** 2 / n**2
        columns.append(projection[:, own] @ adjust @ np.ones(size) / n)
    gram = np.stack(columns, 1).T @ np.stack(columns, 1)
    mean = clustered_mean(values, cluster)
    assert mean.standard_error == pytest.approx(np.sqrt(variance))
    assert mean.df == pytest.approx(np.trace(gram) ** 2 / np.trace(gram @ gram))


@given(values=NUMBERS, shift=st.floats(-50, 50))
def test_a_constant_moves_the_mean_alone(values, shift):
    cluster = np.arange(len(values)) // 2
    before, after = clustered_mean(np.array(values), cluster), clustered_mean(np.array(values) + shift, cluster)
    assert after.value == pytest.approx(before.value + shift, abs=1e-9)
    assert after.standard_error == pytest.approx(before.standard_error, abs=1e-9)


@given(values=NUMBERS, copies=st.integers(2, 4))
def test_copies_of_a_cluster_add_no_certainty(values, copies):
    once = clustered_mean(np.array(values), np.arange(len(values)))
    often = clustered_mean(np.repeat(values, copies), np.repeat(np.arange(len(values)), copies))
    assert often.standard_error == pytest.approx(once.standard_error)
    assert often.df == pytest.approx(once.df)


def test_one_cluster_has_no_error_to_speak_of():
    mean = clustered_mean(np.array([1.0, 2.0]), np.array([0, 0]))
    assert (mean.value, mean.standard_error, mean.df, mean.clusters) == (1.5, 0.0, 0.0, 1)


def test_equal_values_do_not_vary_whatever_the_rounding():
    assert not clustered_mean(np.full(7, 0.1), np.arange(7)).varies


def test_positions_number_keys_in_order_of_appearance():
    numbers, count = positions(["b", "a", "b", "c"])
    assert (numbers.tolist(), count) == ([0, 1, 0, 2], 3)


@pytest.mark.parametrize("correlation", [0.0, 0.4, 0.9])
def test_few_unequal_clusters_are_covered(correlation):
    """Ten clusters of 20, 10, 6 ... 2 cases: the plain sandwich with clusters - 1 covers 0.87 to 0.92 here."""
    rng = np.random.default_rng(4)
    sizes = (20 / np.arange(1, 11)).astype(int)
    cluster = np.repeat(np.arange(10), sizes)
    shared, own = rng.normal(size=(1_500, 10)), rng.normal(size=(1_500, sizes.sum()))
    means = [
        clustered_mean(row, cluster)
        for row in np.sqrt(correlation) * shared[:, cluster] + np.sqrt(1 - correlation) * own
    ]
    covered = np.mean([abs(mean.value) <= t_quantile(0.975, mean.df) * mean.standard_error for mean in means])
    assert 0.94 <= covered <= 0.995
