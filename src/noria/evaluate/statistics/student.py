"""The normal and Student's t distributions, without SciPy.

The t distribution's tail is a regularised incomplete beta function, evaluated by its continued fraction with the
modified Lentz method (DLMF 8.17.22; Press et al., *Numerical Recipes*, 3rd ed., section 6.4). Quantiles come from
Newton's steps on that tail. Tested against SciPy to a relative 1e-10.
"""

from __future__ import annotations

import math
from statistics import NormalDist

_TINY = 1e-300
_STEPS = 10_000


def normal_quantile(probability: float) -> float:
    """The standard normal's quantile, 0 < ``probability`` < 1."""
    return NormalDist().inv_cdf(probability)


def t_tail(t: float, df: float) -> float:
    """P(T > t) for t >= 0 and ``df`` > 0 degrees of freedom (not necessarily whole); exact far out in the tail too."""
    if t <= 0.0:
        return 0.5
    a, b = df / 2.0, 0.5
    x = df / (df + t * t)
    if x <= (a + 1.0) / (a + b + 2.0):
        return 0.5 * _front(a, b, math.log(x), -math.log1p(df / (t * t))) * _fraction(a, b, x)
    y = t * t / (df + t * t)
    return 0.5 - 0.5 * _front(b, a, math.log(y), -math.log1p(t * t / df)) * _fraction(b, a, y)


def t_cdf(t: float, df: float) -> float:
    """P(T <= t) with ``df`` degrees of freedom."""
    return 1.0 - t_tail(t, df) if t >= 0.0 else t_tail(-t, df)


def t_quantile(probability: float, df: float) -> float:
    """The value below which T falls with ``probability``, 0 < ``probability`` < 1, with ``df`` degrees of freedom."""
    if probability == 0.5:
        return 0.0
    if probability < 0.5:
        return -_upper_quantile(probability, df)
    return _upper_quantile(1.0 - probability, df)


def _upper_quantile(tail: float, df: float) -> float:
    """The t with ``t_tail(t, df) == tail`` for 0 < ``tail`` < 0.5.

    Newton's steps from the normal quantile, which lies below. The tail is convex, so they rise and never overshoot.
    """
    t = -normal_quantile(tail)
    for _ in range(_STEPS):
        step = (t_tail(t, df) - tail) / _density(t, df)
        t += step
        if step <= 1e-14 * t:
            break
    return t


def _density(t: float, df: float) -> float:
    return math.exp(
        _log_half_ratio(df / 2.0) - 0.5 * math.log(df * math.pi) - (df + 1.0) / 2.0 * math.log1p(t * t / df)
    )


def _front(a: float, b: float, log_x: float, log_rest: float) -> float:
    """x^a (1 - x)^b / (a B(a, b)), where one of ``a`` and ``b`` is a half."""
    half_ratio = _log_half_ratio(a if b == 0.5 else b)
    return math.exp(a * log_x + b * log_rest + half_ratio - 0.5 * math.log(math.pi)) / a


def _log_half_ratio(a: float) -> float:
    """ln(gamma(a + 1/2) / gamma(a)); beyond 50 by its asymptotic series, where ``lgamma``'s digits would cancel."""
    if a < 50.0:
        return math.lgamma(a + 0.5) - math.lgamma(a)
    return 0.5 * math.log(a) - 1.0 / (8.0 * a) + 1.0 / (192.0 * a**3) - 1.0 / (640.0 * a**5)


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of DLMF 8.17.22."""
    c = 1.0
    d = 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, _STEPS):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0)),
        ):
            d = 1.0 / _away_from_zero(1.0 + term * d)
            c = _away_from_zero(1.0 + term / c)
            value *= c * d
        if abs(c * d - 1.0) < 1e-16:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
