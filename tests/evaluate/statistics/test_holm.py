"""Holm's correction: a published example, its definition, and its family-wise error rate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.evaluate.statistics.holm import holm, levels

P_VALUES = st.lists(st.floats(0, 1), max_size=12)


def test_the_textbook_example():
    """0.01, 0.04, 0.03, 0.005 at 0.05: statsmodels' multipletests(method="holm") and R's p.adjust give these."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_the_levels_are_those_of_holms_table():
    """Holm 1979: alpha/n for the smallest, alpha/(n-1) for the next ... alpha for the largest."""
    assert levels([0.01, 0.04, 0.03, 0.005], 0.05) == pytest.approx([0.05 / 3, 0.05, 0.025, 0.0125])


@given(p_values=P_VALUES)
def test_it_lies_between_the_raw_and_bonferronis(p_values):
    for raw, adjusted in zip(p_values, holm(p_values), strict=True):
        assert raw <= adjusted <= min(1.0, len(p_values) * raw) or adjusted == pytest.approx(raw)


@given(p_values=P_VALUES)
def test_a_smaller_p_value_is_never_adjusted_above_a_larger(p_values):
    adjusted = holm(p_values)
    ordered = [adjusted[index] for index in np.argsort(p_values, kind="stable")]
    assert ordered == sorted(ordered)


@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=12), order=st.randoms())
def test_the_order_does_not_matter(p_values, order):
    paired = list(zip(p_values, holm(p_values), strict=True))
    order.shuffle(paired)
    assert holm([raw for raw, _ in paired]) == [adjusted for _, adjusted in paired]


def test_one_comparison_is_left_alone():
    assert holm([0.03]) == [0.03]
    assert holm([]) == []


def test_any_false_alarm_in_a_family_is_as_rare_as_promised():
    """Six comparisons, two of them true effects: an error among the four true null hypotheses in at most 5 %."""
    rng = np.random.default_rng(1)
    families = rng.random((4_000, 6))
    families[:, :2] *= 1e-4
    wrong = np.mean([min(holm(list(family))[2:]) < 0.05 for family in families])
    assert 0.03 <= wrong <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / 4_000)
