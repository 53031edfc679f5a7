"""Differences between two variants, case by case.

Variants answer the same cases, and hard cases are hard for both: pairing takes that shared variance out (Miller 2024,
section 4). Only cases that both answered count; repeats are averaged within the case, cases of a cluster stay together.
"""

from __future__ import annotations

import math

import numpy as np

from noria.core.results import Estimate
from noria.core.scores import RunMetric
from noria.core.struct import Noun
from noria.evaluate.statistics.bootstrap import Statistics, bootstrap
from noria.evaluate.statistics.clusters import Floats, Indices, clustered_mean, positions
from noria.evaluate.statistics.intervals import from_mean
from noria.evaluate.statistics.permutation import sign_flip_p, swap_p
from noria.evaluate.statistics.samples import Sample


class Paired(Noun):
    """Two variants on the cases that both answered."""

    baseline: float
    """The baseline's value on these cases."""
    candidate: float
    """The candidate's."""
    difference: Estimate
    """Candidate minus baseline; ``n`` counts cases."""
    p_value: float
    """Two-sided, against no difference."""
    differing: int
    """Cases on which the variants differ."""


def paired(baseline: Sample, candidate: Sample, *, alpha: float) -> Paired | None:
    """The difference of two means; None when no case was answered by both.

    The interval is Student's t on the differences, clustered. Booleans get two pretended cases first, one that each
    variant won (Bonett & Price 2012): without them the interval of a few, or no, differing cases is too narrow.
    """
    first, second = _shared(baseline.cases, candidate.cases)
    if not len(first):
        return None
    differences = candidate.values[second] - baseline.values[first]
    cluster, count = positions([baseline.units[index] for index in first])
    totals = np.bincount(cluster, weights=differences, minlength=count).astype(np.float64)
    if baseline.boolean and candidate.boolean:
        difference = _boolean(differences, cluster, alpha)
    else:
        difference = from_mean(clustered_mean(differences, cluster), n=len(differences), alpha=alpha)
    return Paired(
        baseline=float(baseline.values[first].mean()),
        candidate=float(candidate.values[second].mean()),
        difference=difference,
        p_value=sign_flip_p(totals),
        differing=int(np.count_nonzero(differences)),
    )


def paired_run(baseline: Statistics, candidate: Statistics, metric: RunMetric, *, alpha: float) -> Paired | None:
    """The difference of two values of a run metric; None when no case is shared or a value is undefined.

    The interval draws whole clusters, the same for both variants (paired bootstrap).
    """
    first, second = _shared(baseline.cases, candidate.cases)
    if not len(first):
        return None
    cases = tuple(baseline.cases[index] for index in first)
    units = tuple(baseline.units[index] for index in first)
    old = Statistics(cases=cases, rows=baseline.rows[first], units=units, calls=len(cases))
    new = Statistics(cases=cases, rows=candidate.rows[second], units=units, calls=len(cases))
    width = old.rows.shape[1]

    def difference(sums: Floats) -> Floats:
        return metric.value(sums[..., width:]) - metric.value(sums[..., :width])

    found = bootstrap(np.hstack([old.by_unit(), new.by_unit()]), difference, n=len(cases), alpha=alpha)
    if found is None:
        return None
    return Paired(
        baseline=float(metric.value(old.rows.sum(axis=0))),
        candidate=float(metric.value(new.rows.sum(axis=0))),
        difference=found,
        p_value=swap_p(new.by_unit(), old.by_unit(), metric.value),
        differing=int(np.count_nonzero(np.any(old.rows != new.rows, axis=1))),
    )


def _boolean(differences: Floats, cluster: Indices, alpha: float) -> Estimate:
    count = int(cluster.max()) + 1
    size = max(1, round(math.sqrt(len(differences) / count)))  # chosen by simulation: docs/statistics.md
    pretended = np.concatenate([differences, np.ones(size), -np.ones(size)])
    mean = clustered_mean(pretended, np.concatenate([cluster, np.full(size, count), np.full(size, count + 1)]))
    wide = from_mean(mean, n=len(differences), alpha=alpha)
    value = float(differences.mean())
    return Estimate(
        value=value,
        lower=max(-1.0, min(wide.lower, value)),
        upper=min(1.0, max(wide.upper, value)),
        standard_error=wide.standard_error,
        n=len(differences),
        clusters=count,
        method="bonett-price",
    )


def _shared(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[Indices, Indices]:
    """Positions in both of the ids that both have, in ascending order of ids."""
    _, left, right = np.intersect1d(
        np.array(first, dtype=object), np.array(second, dtype=object), assume_unique=True, return_indices=True
    )
    return left, right
