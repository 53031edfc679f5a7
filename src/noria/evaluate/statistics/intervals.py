"""Confidence intervals of one metric of one variant.

Proportions of booleans have Wilson's interval (1927), which stays honest near 0 and 1 and for few cases, where the
normal approximation does not (Bowyer et al. 2025). Numbers have Student's t interval. Both honour clusters.
"""

from __future__ import annotations

import math

from noria.core.results import Estimate
from noria.evaluate.statistics.clusters import ClusteredMean, clustered_mean
from noria.evaluate.statistics.samples import Sample
from noria.evaluate.statistics.student import normal_quantile, t_quantile


def estimate(sample: Sample, *, alpha: float) -> Estimate:
    """The mean over cases with an interval of coverage 1 - ``alpha``.

    ``method`` says how the interval was made: ``wilson`` (booleans), ``t`` (numbers), ``exact`` (numbers that do not
    vary, so that the interval is a point) or ``single`` (numbers from one independent unit: ``lower`` and ``upper``
    repeat the value, because JSON has no infinity, and nothing is decided by them); a sample is never empty.
    """
    mean = clustered_mean(sample.values, sample.cluster)
    if sample.boolean:
        return _proportion(sample, mean, alpha=alpha)
    return from_mean(mean, n=sample.calls, alpha=alpha)


def from_mean(mean: ClusteredMean, *, n: int, alpha: float) -> Estimate:
    """Student's t interval around a clustered mean of numbers, from ``n`` observations."""
    half = 0.0
    method = "exact"
    if mean.clusters == 1:
        method = "single"
    elif mean.varies:
        half = t_quantile(1.0 - alpha / 2.0, mean.df) * mean.standard_error
        method = "t"
    return Estimate(
        value=mean.value,
        lower=mean.value - half,
        upper=mean.value + half,
        standard_error=mean.standard_error,
        n=n,
        clusters=mean.clusters,
        method=method,
    )


def wilson(proportion: float, n: float, *, alpha: float) -> tuple[float, float]:
    """Wilson's score interval (Wilson 1927; Newcombe 1998a, method 3), for ``n`` > 0 independent observations.

    ``n`` need not be whole: with clusters it is the effective sample size.
    """
    z = normal_quantile(1.0 - alpha / 2.0)
    centre = (proportion + z * z / (2.0 * n)) / (1.0 + z * z / n)
    half = z / (1.0 + z * z / n) * math.sqrt(proportion * (1.0 - proportion) / n + z * z / (4.0 * n * n))
    lower = 0.0 if proportion == 0.0 else max(0.0, centre - half)
    upper = 1.0 if proportion == 1.0 else min(1.0, centre + half)
    return lower, upper


def _proportion(sample: Sample, mean: ClusteredMean, *, alpha: float) -> Estimate:
    value = min(1.0, max(0.0, mean.value))
    lower, upper = wilson(value, effective_size(sample, mean, alpha=alpha), alpha=alpha)
    return Estimate(
        value=value,
        lower=lower,
        upper=upper,
        standard_error=mean.standard_error,
        n=sample.calls,
        clusters=mean.clusters,
        method="wilson",
    )


def effective_size(sample: Sample, mean: ClusteredMean, *, alpha: float) -> float:
    """How many independent observations would know the proportion as well (Korn & Graubard 1998).

    The n that solves value (1 - value) / (n - 1) = standard error squared: exactly the number of cases without
    clusters and repeats. Never more than the observations; reduced by the t quantiles' ratio when clusters are few.
    Where every observation agrees, nothing is known of the correlation within clusters, so each cluster counts once.
    """
    cases = len(sample.values)
    spread = mean.value * (1.0 - mean.value)
    if mean.clusters == 1 or spread <= 0.0:
        return float(mean.clusters)
    variance = mean.standard_error**2
    size = 1.0 + spread / variance if variance > 0.0 else math.inf
    size = min(size, float(sample.calls))
    if mean.clusters < cases:
        size *= (t_quantile(1.0 - alpha / 2.0, cases - 1.0) / t_quantile(1.0 - alpha / 2.0, mean.df)) ** 2
    return size
