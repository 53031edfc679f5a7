"""Paired differences: against SciPy and Bonett & Price, invariances, and simulated coverage."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judging import MacroF1, call, calls
from scipy import stats

from noria.evaluate.statistics.bootstrap import run_statistics
from noria.evaluate.statistics.paired import paired, paired_run
from noria.evaluate.statistics.samples import scored

RIGHTS = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=40)


def difference(old, new, clusters=None, alpha=0.05):
    return paired(
        scored(calls(old, clusters=clusters), "accuracy"),
        scored(calls(new, clusters=clusters), "accuracy"),
        alpha=alpha,
    )


def test_numbers_have_scipys_paired_t_interval():
    rng = np.random.default_rng(1)
    old = rng.normal(size=25)
    new = old + rng.normal(0.3, 0.5, size=25)
    found = difference(old.tolist(), new.tolist())
    expected = stats.ttest_rel(new, old).confidence_interval(0.95)
    assert found.difference.lower == pytest.approx(expected.low)
    assert found.difference.upper == pytest.approx(expected.high)
    assert found.p_value == pytest.approx(stats.ttest_rel(new, old).pvalue, abs=0.01)


@pytest.mark.parametrize(("won", "lost", "same"), [(12, 3, 85), (1, 0, 29), (0, 0, 100), (40, 25, 135)])
def test_booleans_have_bonett_and_prices_interval(won, lost, same):
    """Bonett & Price 2012 with Student's t and n - 1 in place of their normal quantile and n."""
    n = won + lost + same
    old = [False] * won + [True] * lost + [True] * same
    new = [True] * won + [False] * lost + [True] * same
    up, down = (won + 1) / (n + 2), (lost + 1) / (n + 2)
    half = stats.t.ppf(0.975, n + 1) * np.sqrt((up + down - (up - down) ** 2) / (n + 1))
    found = difference(old, new).difference
    assert (found.lower, found.upper) == (pytest.approx(up - down - half), pytest.approx(up - down + half))
    assert (found.value, found.method, found.n) == (pytest.approx((won - lost) / n), "bonett-price", n)


@given(rights=RIGHTS)
def test_booleans_without_repeats_are_mcnemars_exact_test(rights):
    old, new = zip(*rights, strict=True)
    won, lost = sum(b > a for a, b in rights), sum(a > b for a, b in rights)
    expected = stats.binomtest(won, won + lost).pvalue if won + lost else 1.0
    assert difference(old, new).p_value == pytest.approx(expected)
    assert difference(old, new).differing == won + lost


@given(pairs=st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9)), min_size=2, max_size=20))
def test_swapping_the_variants_negates_the_difference(pairs):
    old, new = zip(*pairs, strict=True)
    there, back = difference(old, new), difference(new, old)
    assert back.p_value == there.p_value
    assert back.difference.value == pytest.approx(-there.difference.value)
    assert back.difference.lower == pytest.approx(-there.difference.upper)


@given(rights=RIGHTS)
def test_swapping_negates_the_difference_of_booleans_too(rights):
    old, new = zip(*rights, strict=True)
    there, back = difference(old, new), difference(new, old)
    assert (back.p_value, back.difference.upper) == (there.p_value, pytest.approx(-there.difference.lower))


@given(pairs=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=12), by=st.integers(1, 9))
def test_a_constant_on_both_changes_nothing(pairs, by):
    old, new = zip(*pairs, strict=True)
    before, after = difference(old, new), difference([x + by for x in old], [x + by for x in new])
    assert (after.p_value, after.difference) == (before.p_value, before.difference)


@given(pairs=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=15), copies=st.integers(2, 3))
def test_more_of_the_same_repeats_add_no_evidence(pairs, copies):
    def repeated(values, times):
        return scored(
            [
                call(str(index), {"accuracy": value}, repeat=repeat)
                for index, value in enumerate(values)
                for repeat in range(times)
            ],
            "accuracy",
        )

    old, new = zip(*pairs, strict=True)
    once = paired(repeated(old, 1), repeated(new, 1), alpha=0.05)
    often = paired(repeated(old, copies), repeated(new, copies), alpha=0.05)
    assert often == once


def test_only_cases_that_both_answered_count():
    old = [call("a", {"accuracy": 1.0}), call("b", {"accuracy": 5.0}), call("c", {"accuracy": 1.0})]
    new = [call("c", {"accuracy": 3.0}), call("a", {"accuracy": 2.0}), call("d", {"accuracy": 9.0})]
    found = paired(scored(old, "accuracy"), scored(new, "accuracy"), alpha=0.05)
    assert (found.baseline, found.candidate, found.difference.value, found.difference.n) == (1.0, 2.5, 1.5, 2)
    assert paired(scored(old[1:2], "accuracy"), scored(new, "accuracy"), alpha=0.05) is None


def test_one_cluster_of_numbers_has_no_interval():
    found = difference([1.0, 2.0], [2.0, 4.0], clusters=["a", "a"])
    assert (found.difference.method, found.p_value) == ("single", 1.0)


@pytest.mark.parametrize("size", [1, 5])
def test_differences_of_booleans_are_covered(size):
    """Truth +0.05: 100 independent cases, and 40 clusters of 5 whose cases share their luck in half of the draws (a little conservative)."""
    rng = np.random.default_rng(9)
    groups = 100 if size == 1 else 40
    names = [str(index // size) for index in range(groups * size)]
    hits, rounds = 0, 250
    for _ in range(rounds):
        luck = rng.random((2, groups, size))
        luck = np.where(rng.random((2, groups, size)) < 0.5, luck[:, :, :1], luck).reshape(2, -1)
        other = np.where(rng.random(groups * size) < 0.6, luck[0], luck[1])
        found = difference((luck[0] < 0.7).tolist(), (other < 0.75).tolist(), clusters=names).difference
        hits += found.lower <= 0.05 <= found.upper
    assert 0.935 <= hits / rounds <= 0.985


def labelled(rng, truth, right):
    told = np.where(rng.random(len(truth)) < right, truth, np.where(truth == "yes", "no", "yes"))
    return [
        call(f"{index:03}", {"label": str(says)}, reference=str(is_))
        for index, (is_, says) in enumerate(zip(truth, told, strict=True))
    ]


def test_a_run_metric_is_compared_on_the_same_resamples():
    rng = np.random.default_rng(3)
    truth = np.where(rng.random(120) < 0.5, "yes", "no")
    old, new = (run_statistics(labelled(rng, truth, right), "label", MacroF1()) for right in (0.6, 0.85))
    there, back = paired_run(old, new, MacroF1(), alpha=0.05), paired_run(new, old, MacroF1(), alpha=0.05)
    assert there.difference.value == pytest.approx(there.candidate - there.baseline)
    assert there.difference.lower > 0
    assert there.p_value < 0.01
    assert (back.p_value, back.difference.value) == (there.p_value, pytest.approx(-there.difference.value))
    same = paired_run(old, old, MacroF1(), alpha=0.05)
    assert (same.p_value, same.differing, same.difference.method) == (1.0, 0, "exact")


def test_run_metrics_without_a_common_or_defined_case_have_no_difference():
    yes = run_statistics([call("a", {"label": "yes"}, reference="yes")], "label", MacroF1())
    other = run_statistics([call("b", {"label": "yes"}, reference="yes")], "label", MacroF1())
    assert paired_run(yes, other, MacroF1(), alpha=0.05) is None
    assert paired_run(yes, yes, MacroF1(), alpha=0.05) is None
