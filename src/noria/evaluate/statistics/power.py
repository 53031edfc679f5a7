"""What a comparison of this size can see, and how many cases a difference of the size seen would need.

With standard error s and quantiles q of the t distribution, a true difference of (q[1 - alpha/2] + q[power]) s is found
with the power asked for (Bloom 1995; Miller 2024, section 5; Card et al. 2020 on why to look). The standard error
falls with the square root of the number of independent units, and the paired variance is the one measured, so the
correlation between the variants is already in it.
"""

from __future__ import annotations

import math

from noria.core.results import Estimate
from noria.evaluate.statistics.student import normal_quantile, t_quantile

POWER = 0.8
"""The custom of the field: one true difference in five of just this size is missed."""
MOST = 1_000_000
"""Forecasts stop here: beyond it the answer is "this data will not tell"."""


def detectable(difference: Estimate, *, alpha: float) -> float:
    """Minimum detectable effect: the true difference found with 80 % power at level ``alpha``.

    0 when it can't be known: a single independent unit, or differences that do not vary.
    """
    if difference.clusters < 2:
        return 0.0
    return _multiple(difference.clusters, alpha) * difference.standard_error


def more_cases(difference: Estimate, *, alpha: float) -> int | None:
    """How many further cases would find a true difference as large as the one seen, with 80 % power at ``alpha``.

    Rounded up to two digits, because it is a forecast. None when no difference was seen or nothing varies, 0 when there
    are cases enough, ``MOST`` when it would take that many or more.
    """
    units, seen = difference.clusters, abs(difference.value)
    if seen == 0.0 or units < 2:
        return None
    fewest = math.ceil(1.0 - math.log2(alpha))  # a sign test of fewer units can't reach alpha at all
    ratio = difference.standard_error / seen
    limit = normal_quantile(1.0 - alpha / 2.0) + normal_quantile(POWER)
    needed = max(2.0, float(fewest), units * (limit * ratio) ** 2)
    if needed * difference.n / units > MOST:
        return MOST
    for _ in range(20):  # the t quantiles depend on the number sought
        before, needed = needed, max(float(fewest), units * (_multiple(needed, alpha) * ratio) ** 2)
        if abs(needed - before) < 0.01:
            break
    more = (needed - units) * difference.n / units
    return min(MOST, _rounded_up(more)) if more > 0.0 else 0


def _multiple(units: float, alpha: float) -> float:
    df = max(1.0, units - 1.0)
    return t_quantile(1.0 - alpha / 2.0, df) + t_quantile(POWER, df)


def _rounded_up(number: float) -> int:
    """Two significant digits, upwards: 231.4 is 240."""
    whole = math.ceil(number)
    step = int(10 ** max(0, len(str(whole)) - 2))
    return math.ceil(whole / step) * step
