"""Against SciPy, and where SciPy loses digits, against closed forms."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from noria.evaluate.statistics.student import normal_quantile, t_cdf, t_quantile, t_tail

FREEDOMS = [0.7, 1, 2, 4.5, 10, 29.3, 100, 1_000, 1e4, 1e6]


@pytest.mark.parametrize("df", FREEDOMS)
@pytest.mark.parametrize("p", [1e-9, 1e-4, 0.025, 0.2, 0.499, 0.5, 0.6, 0.975, 0.999999])
def test_the_quantile_is_scipys(p, df):
    assert t_quantile(p, df) == pytest.approx(stats.t.ppf(p, df), rel=1e-10, abs=1e-14)


@pytest.mark.parametrize("df", FREEDOMS)
@pytest.mark.parametrize("t", [0.0, 0.01, 0.5, 1.96, 5.0, 12.0])
def test_the_distribution_is_scipys(t, df):
    assert t_tail(t, df) == pytest.approx(stats.t.sf(t, df), rel=1e-10)
    assert t_cdf(t, df) == pytest.approx(stats.t.cdf(t, df), rel=1e-10)
    assert t_cdf(-t, df) == pytest.approx(stats.t.cdf(-t, df), rel=1e-10)


@pytest.mark.parametrize("t", [1e-8, 0.3, 2.0, 1e4])
def test_one_degree_of_freedom_is_cauchys_distribution(t):
    assert t_tail(t, 1) == pytest.approx(math.atan2(1, t) / math.pi, rel=1e-12)


@given(p=st.floats(1e-8, 1 - 1e-8), df=st.floats(0.5, 1e5))
def test_quantile_and_distribution_undo_each_other(p, df):
    assert t_cdf(t_quantile(p, df), df) == pytest.approx(p, rel=1e-9)


def test_the_normal_quantile():
    assert normal_quantile(0.975) == pytest.approx(1.959963984540054, rel=1e-12)
