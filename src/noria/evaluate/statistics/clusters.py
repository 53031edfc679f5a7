"""Means of observations that are not independent: cluster-robust standard errors and their degrees of freedom.

Two levels repeat themselves in an evaluation. Repeats of a case are averaged first, so that a case weighs one however
often it was asked. Cases of one cluster (one document, one conversation) stay, and the standard error is clustered
(Miller 2024, section 2.2). The plain sandwich is too small when clusters are few or unequal, so this is the
bias-reduced one, CR2 (Bell & McCaffrey 2002; Cameron & Miller 2015, section VI.B), with the degrees of freedom of
Imbens & Kolesár (2016), who fit a common correlation within clusters. With clusters of one size both reduce to the
textbook: the standard error of the cluster means, with clusters - 1 degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from noria.core.struct import Noun

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

EQUAL = 1e-12
"""Relative difference below which two results of floating-point sums count as the same number."""


class ClusteredMean(Noun):
    """A mean with what its interval needs."""

    value: float
    """Every unit weighs the same."""
    standard_error: float
    """CR2; 0 with a single cluster, where there is none to be had."""
    df: float
    """Degrees of freedom of the t distribution; 0 with a single cluster."""
    clusters: int
    """Independent units."""
    varies: bool
    """Whether any two units differ."""


def positions(keys: Sequence[Hashable]) -> tuple[Indices, int]:
    """Number equal keys alike, from 0 in order of appearance: the numbers, and how many there are."""
    known: dict[Hashable, int] = {}
    numbers = np.fromiter((known.setdefault(key, len(known)) for key in keys), np.intp, len(keys))
    return numbers, len(known)


def clustered_mean(values: Floats, cluster: Indices) -> ClusteredMean:
    """Mean of ``values`` (n), whose clusters are numbered from 0 without gaps in ``cluster`` (n), n >= 1."""
    n = len(values)
    mean = math.fsum(values) / n
    sizes = np.bincount(cluster).astype(np.float64)
    groups = len(sizes)
    varies = bool(np.ptp(values) > EQUAL * np.abs(values).max())
    if groups == 1:
        return ClusteredMean(value=mean, standard_error=0.0, df=0.0, clusters=1, varies=varies)
    residuals = np.bincount(cluster, weights=values - mean)
    leverage = 1.0 / (1.0 - sizes / n)
    error = math.sqrt(float(np.sum(residuals**2 * leverage))) / n if varies else 0.0
    correlation = _correlation(values, cluster, sizes)
    return ClusteredMean(
        value=mean, standard_error=error, df=_freedom(sizes, correlation), clusters=groups, varies=varies
    )


def _correlation(values: Floats, cluster: Indices, sizes: Floats) -> float:
    """Intraclass correlation by analysis of variance (Donner & Koval 1980), kept within 0 and 1."""
    n, groups = len(values), len(sizes)
    if n == groups:
        return 0.0
    means = np.bincount(cluster, weights=values) / sizes
    between = float(np.sum(sizes * (means - values.mean()) ** 2)) / (groups - 1)
    within = float(np.sum((values - means[cluster]) ** 2)) / (n - groups)
    typical = (n - float(np.sum(sizes**2)) / n) / (groups - 1)
    spread = between + (typical - 1.0) * within
    return min(1.0, max(0.0, (between - within) / spread)) if spread > 0.0 else 0.0


def _freedom(sizes: Floats, correlation: float) -> float:
    """Satterthwaite's degrees of freedom of the CR2 variance, tr(M)^2 / tr(M^2).

    M[g, h] is the covariance of the adjusted residuals of clusters g and h under the common-correlation model: a
    diagonal plus a matrix of rank two, so both traces cost no more than the clusters.
    """
    n = sizes.sum()
    adjust = 1.0 / np.sqrt(1.0 - sizes / n)
    variance = (1.0 - correlation) * sizes + correlation * sizes**2  # of a cluster's sum, unit variance
    total = float(variance.sum())
    p, q, diagonal = adjust * sizes / n, adjust * variance, adjust**2 * variance
    pp, pq, qq = float(p @ p), float(p @ q), float(q @ q)
    trace = float(diagonal.sum()) - 2.0 * pq + total * pp
    square = (
        float(diagonal @ diagonal)
        + 2.0 * float(diagonal @ (total * p**2 - 2.0 * p * q))
        + 2.0 * (pq**2 + pp * qq)
        - 4.0 * total * pp * pq
        + total**2 * pp**2
    )
    return trace**2 / square
