"""What a comparison can see: against the exact power of the t test (SciPy's noncentral t) and against itself."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from noria.core.results import Estimate
from noria.evaluate.statistics.power import MOST, detectable, more_cases


def difference(value, error, clusters, n=None):
    return Estimate(value=value, lower=0, upper=0, standard_error=error, n=n or clusters, clusters=clusters, method="t")


@pytest.mark.parametrize("n", [10, 30, 100, 1_000])
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_the_detectable_effect_is_found_in_four_of_five(n, alpha):
    error = 1 / np.sqrt(n)
    effect = detectable(difference(0.1, error, n), alpha=alpha)
    limit = stats.t.ppf(1 - alpha / 2, n - 1)
    assert stats.nct.sf(limit, n - 1, effect / error) == pytest.approx(0.8, abs=0.02)


def test_millers_rule_of_thumb_for_large_samples():
    """Miller 2024, section 5: (z[0.975] + z[0.8]) s = 2.80 s."""
    assert detectable(difference(0.1, 0.02, 100_000), alpha=0.05) == pytest.approx(2.8016 * 0.02, rel=1e-3)


@given(error=st.floats(0.005, 0.2), seen=st.floats(0.01, 0.2), clusters=st.integers(8, 400), size=st.integers(1, 5))
def test_with_the_cases_forecast_the_difference_seen_is_detectable(error, seen, clusters, size):
    now = difference(seen, error, clusters, clusters * size)
    more = more_cases(now, alpha=0.05)
    assume(more < MOST)
    total = clusters + more / size
    later = difference(seen, error * np.sqrt(clusters / total), round(total), round(total * size))
    assert detectable(later, alpha=0.05) <= seen * 1.005
    if more > 100 * size:  # two digits, rounded up: at most a tenth too many
        fewer = clusters + 0.85 * more / size
        earlier = difference(seen, error * np.sqrt(clusters / fewer), round(fewer))
        assert detectable(earlier, alpha=0.05) > seen


def test_the_forecast_has_two_digits():
    assert more_cases(difference(0.05, 0.03, 150), alpha=0.05) == 280


def test_few_cases_need_as_many_as_the_test_needs_to_speak():
    """Five cases that all agree have a p-value of 2/32 at best."""
    assert more_cases(difference(1.0, 0.0001, 4), alpha=0.05) == 2


@pytest.mark.parametrize(
    ("seen", "error", "clusters", "expected"),
    [(0.0, 0.1, 50, None), (0.3, 0.0, 1, None), (0.5, 0.01, 50, 0), (1e-7, 0.1, 50, MOST)],
)
def test_the_ends_of_the_scale(seen, error, clusters, expected):
    assert more_cases(difference(seen, error, clusters), alpha=0.05) == expected


def test_a_single_unit_can_detect_nothing_that_is_known():
    assert detectable(difference(0.5, 0.0, 1), alpha=0.05) == 0.0
