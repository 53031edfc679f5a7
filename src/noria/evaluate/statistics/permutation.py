"""Permutation tests of paired differences: were the two variants exchangeable, how often would chance differ so much?

Under the null hypothesis a case's two answers could as well have come from either variant, so the sign of its
difference is a coin toss (Fisher 1935, section 21; Pitman 1937). Cases of a cluster toss one coin (Canay, Romano & Shaikh
2017). No distribution is assumed. For booleans without repeats this is McNemar's exact test. For metrics over a run the
coin swaps the two answers themselves: approximate randomisation (Noreen 1989; Dror et al. 2018, section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from noria.evaluate.statistics.clusters import EQUAL, Floats

EXACT_UNITS = 30
"""Up to so many differences, every assignment of signs is counted."""
DRAWS = 9_999
"""Random assignments otherwise: a p-value of 0.05 is then known to 0.004 (two standard errors)."""
SEED = 20_261_123
"""Fixed, so that the same answers always give the same p-value."""
_CHUNK_CELLS = 2_000_000
_LATTICE_CELLS = 100_000_000
_LATTICE_SCALES = range(1, 61)


def sign_flip_p(totals: Floats) -> float:
    """Two-sided p-value that the sum of ``totals``, one difference a unit (its cases added), is 0 but for chance.

    Exact up to 30 non-zero totals, and for any number of them where they are multiples of one fraction (booleans,
    grades, averages of a few repeats); otherwise (b + 1) / (m + 1) over m = 9,999 random assignments (Phipson & Smyth
    2010), which never claims a p-value of 0. Signs carry no information beyond the sum, so that swapping the variants
    gives the same p-value to the last digit.
    """
    sizes = np.sort(np.abs(totals[totals != 0.0]))
    observed = abs(float(np.sum(totals)))
    limit = observed - EQUAL * float(sizes.sum())
    if len(sizes) == 0 or limit <= 0.0:
        return 1.0
    if len(sizes) <= EXACT_UNITS:
        return _counted_p(sizes, limit)
    whole = _whole(sizes)
    if whole is not None:
        return _lattice_p(whole, round(observed * whole[-1] / sizes[-1]))
    hits = sum(
        int(np.count_nonzero(np.abs(2.0 * (swaps @ sizes) - sizes.sum()) >= limit))
        for swaps in _assignments(len(sizes), exact=False)
    )
    return (hits + 1) / (DRAWS + 1)


def swap_p(candidate: Floats, baseline: Floats, value: Callable[[Floats], Floats]) -> float:
    """Two-sided p-value of a difference between two values of a run metric.

    ``candidate`` and ``baseline`` are sufficient statistics [units, k]; ``value`` maps sums [..., k] to [...].
    Assignments under which the metric is undefined (NaN) count as differing as much: they never help significance.
    """
    differs = np.any(candidate != baseline, axis=1)
    moves = (candidate - baseline)[differs]
    top, bottom = candidate.sum(axis=0), baseline.sum(axis=0)
    observed = abs(float(value(top) - value(bottom)))
    scale = max(abs(float(value(top))), abs(float(value(bottom))))
    limit = observed - 1e-9 * scale
    if len(moves) == 0 or limit <= 0.0:
        return 1.0
    exact = 2 ** (len(moves) - 1) <= DRAWS
    hits = draws = 0
    for swaps in _assignments(len(moves), exact=exact, width=moves.shape[1]):
        moved = swaps @ moves
        differences = np.abs(value(top - moved) - value(bottom + moved))
        hits += int(np.count_nonzero(~(differences < limit)))
        draws += len(swaps)
    return hits / draws if exact else (hits + 1) / (draws + 1)


def _assignments(units: int, *, exact: bool, width: int = 1) -> Iterator[Floats]:
    """Rows of zeros (as it was) and ones (swapped), in chunks; all of them, one of each mirror pair, or at random."""
    total = 2 ** (units - 1) if exact else DRAWS
    chunk = max(1, _CHUNK_CELLS // max(units, width))
    rng = np.random.default_rng(SEED)
    for start in range(0, total, chunk):
        stop = min(start + chunk, total)
        if exact:  # the last unit never swaps: swapping all units changes the sign alone
            numbers = np.arange(start, stop, dtype=np.int64)[:, None]
            yield ((numbers >> np.arange(units)) & 1).astype(np.float64)
        else:
            yield rng.integers(0, 2, size=(stop - start, units), dtype=np.int8).astype(np.float64)


def _counted_p(sizes: Floats, limit: float) -> float:
    """The exact p-value by counting all 2^n assignments: the signed sums of one half meet those of the other half."""
    halves = []
    for part in (sizes[::2], sizes[1::2]):
        sums = np.zeros(1)
        for size in part:
            sums = np.concatenate([sums - size, sums + size])
        halves.append(np.sort(sums))
    first, second = halves
    above = len(second) * len(first) - int(np.searchsorted(second, limit - first).sum())
    return min(1.0, 2 * above / (len(first) * len(second)))


def _whole(sizes: Floats) -> list[int] | None:
    """The sizes as whole numbers of a common fraction; None where there is none, or the sums would be too many."""
    for scale in _LATTICE_SCALES:
        scaled = sizes * scale
        rounded = np.rint(scaled)
        if len(sizes) * float(scaled.sum()) > _LATTICE_CELLS:
            return None
        if np.all(np.abs(scaled - rounded) <= 1e-9 * np.maximum(1.0, scaled)):
            return [int(size) for size in rounded]
    return None


def _lattice_p(sizes: list[int], observed: int) -> float:
    """The exact p-value from the distribution of a sum of signed whole numbers (Pagano & Tritchler 1983)."""
    total = sum(sizes)
    chance = np.zeros(total + 1)  # of the sum of those that keep their sign
    chance[0] = 1.0
    reached = 0
    for size in sizes:
        reached += size
        chance[: reached + 1] *= 0.5
        chance[size : reached + 1] += chance[: reached + 1 - size].copy()
    signed = np.abs(2 * np.arange(total + 1) - total)
    return min(1.0, float(chance[signed >= observed].sum()))
