"""Intervals for metrics over a whole run, such as macro F1 and corpus BLEU: the bias-corrected cluster bootstrap.

Whole clusters are drawn with replacement (Cameron & Miller 2015, section VI.C). Such a metric is a function of sums, so
all resamples are one matrix product. BCa (Efron 1987; Efron & Tibshirani 1993, chapter 14) was chosen over the
percentile interval by simulation: docs/statistics.md has the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from statistics import NormalDist

import numpy as np

from noria.core.results import Estimate
from noria.core.scores import RunMetric
from noria.core.struct import Noun
from noria.evaluate.findings.judged import Judged
from noria.evaluate.statistics.clusters import EQUAL, Floats, positions

RESAMPLES = 2_000
"""The ends of a 95 % interval are then known to about 5 % of its width."""
SEED = 20_261_123
"""Fixed, so that the same answers always give the same interval."""
_CHUNK_CELLS = 4_000_000

ValueOf = Callable[[Floats], Floats]
"""From sums [..., k] to values [...]."""


class Statistics(Noun):
    """Sufficient statistics of a run metric, case by case, ordered by case id."""

    cases: tuple[str, ...]
    """Case ids, ascending."""
    rows: Floats
    """Mean over the repeats of each case, [cases, k]."""
    units: tuple[Hashable, ...]
    """What each case is independent of others by: its cluster, or itself."""
    calls: int
    """Observations behind the rows."""

    def by_unit(self) -> Floats:
        """Rows added up within clusters, [clusters, k]."""
        number, count = positions(self.units)
        sums = np.zeros((count, self.rows.shape[1]))
        np.add.at(sums, number, self.rows)
        return sums


def run_statistics(judged: Sequence[Judged], scorer: str, metric: RunMetric) -> Statistics | None:
    """Collect a run metric's statistics; None when the scorer gave not a single score."""
    pairs = [(one, score) for one in judged if (score := one.score(scorer)) is not None]
    if not pairs:
        return None
    pairs.sort(key=lambda pair: (pair[0].case_id, pair[0].repeat))
    rows = np.asarray(metric.statistics([score for _, score in pairs], [one.case for one, _ in pairs]), np.float64)
    number, count = positions([one.case_id for one, _ in pairs])
    sums = np.zeros((count, rows.shape[1]))
    np.add.at(sums, number, rows)
    units = {one.case_id: one.unit for one, _ in pairs}
    return Statistics(
        cases=tuple(units),
        rows=sums / np.bincount(number)[:, None],
        units=tuple(units.values()),
        calls=len(pairs),
    )


def bootstrap(rows: Floats, value: ValueOf, *, n: int, alpha: float) -> Estimate | None:
    """The value of the summed ``rows`` [clusters, k] with its BCa interval; None when the value is undefined (NaN).

    ``method`` is ``bootstrap``, ``exact`` when no resample differs, or ``single`` with one cluster. Resamples in which
    the metric is undefined are left out. With fewer than about 20 clusters the interval is too narrow.
    """
    units = len(rows)
    sums = rows.sum(axis=0)
    found = float(value(sums))
    if np.isnan(found):
        return None
    lower = upper = found
    error = 0.0
    method = "single"
    if units > 1:
        drawn = _resample(rows, value)
        method = "exact"
        if len(drawn) and np.ptp(drawn) > EQUAL * np.abs(drawn).max():
            lower, upper = _bias_corrected(drawn, found, value(sums - rows), alpha)
            error = float(np.std(drawn, ddof=1))
            method = "bootstrap"
    return Estimate(
        value=found,
        lower=min(lower, found),
        upper=max(upper, found),
        standard_error=error,
        n=n,
        clusters=units,
        method=method,
    )


def _resample(rows: Floats, value: ValueOf) -> Floats:
    """Sorted values of the resamples in which the metric is defined."""
    rng = np.random.default_rng(SEED)
    units = len(rows)
    chunk = max(1, _CHUNK_CELLS // max(rows.shape))
    drawn = []
    for start in range(0, RESAMPLES, chunk):
        size = min(chunk, RESAMPLES - start)
        weights = rng.multinomial(units, np.full(units, 1.0 / units), size=size).astype(np.float64)
        drawn.append(value(weights @ rows))
    values = np.concatenate(drawn)
    return np.sort(values[~np.isnan(values)])


def _bias_corrected(drawn: Floats, found: float, left_out: Floats, alpha: float) -> tuple[float, float]:
    """The BCa interval from sorted resamples and the jackknife values (one cluster left out)."""
    normal = NormalDist()
    count = len(drawn)
    slack = EQUAL * np.abs(drawn).max()  # rounding must not turn a tie into a side; ties count half
    below = (np.count_nonzero(drawn < found - slack) + np.count_nonzero(drawn <= found + slack)) / 2
    bias = normal.inv_cdf(min(max(below, 0.5), count - 0.5) / count)
    defined = left_out[~np.isnan(left_out)]
    influence = defined.sum() / max(1, len(defined)) - defined
    spread = float(np.sum(influence**2)) ** 1.5
    acceleration = float(np.sum(influence**3)) / (6.0 * spread) if spread > 0.0 else 0.0

    def end(tail: float) -> float:
        z = bias + normal.inv_cdf(tail)
        return float(np.quantile(drawn, normal.cdf(bias + z / max(1e-9, 1.0 - acceleration * z))))

    return end(alpha / 2.0), end(1.0 - alpha / 2.0)
