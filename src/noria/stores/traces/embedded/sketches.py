"""Percentiles of thousands of sketches at once.

A sketch counts values in buckets whose borders grow by a constant factor (DDSketch, Masson et al., VLDB 2019). Asking
each in turn costs 80 us of interpreter, most of a second for a month of hours by model; here all of them are merged by
one sort and searched by one bisection.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
ERROR = 0.01
"""Largest relative error of a percentile."""
LOG_BASE = math.log((1 + ERROR) / (1 - ERROR))
"""Logarithm of the factor between a bucket's borders."""
ONE = 4000
"""Bucket of the values about 1; 0 is that of zero, and negative values have those of their opposite, negative."""
_BITS = 15
"""Of a bucket's number, its sign included."""
_AT_ONCE = 1 << 19
"""Buckets that are merged together: what is made of them stays near the processor."""


def percentiles(
    cells: Array, buckets: Sequence[Array], counts: Sequence[Array], number: int, wanted: Sequence[float]
) -> Array:
    """Percentiles of merged sketches, interpolated between neighbours as exact ones are.

    Arguments:
        cells: for each sketch, which of the results it is a part of; in any order.
        buckets: of each sketch, ascending.
        counts: of values in each of them; negative ones take values away that another sketch of the cell has.
        number: of results.
        wanted: parts, such as 0.95.

    Returns:
        ``number`` rows of one value for each part; NaN where nothing was counted.
    """
    found = np.full((number, len(wanted)), np.nan)
    if not len(cells):
        return found
    order = np.argsort(cells, kind="stable")
    sizes = np.fromiter((len(buckets[index]) for index in order), np.int64, len(order))
    ends = np.cumsum(sizes)
    owners = cells[order]
    first = 0
    while first < len(order):
        before = int(ends[first - 1]) if first else 0
        last = max(first, int(np.searchsorted(ends, before + _AT_ONCE)) - 1)
        # A result is made in one go, so the part ends where its last one does.
        last = int(np.searchsorted(owners, owners[last], "right"))
        some = order[first:last]
        owner = np.repeat(owners[first:last], sizes[first:last])
        _merged(
            found,
            (owner << _BITS) + np.concatenate([buckets[index] for index in some]) + (1 << _BITS - 1),
            np.concatenate([counts[index] for index in some]).astype(np.int64),
            np.asarray(wanted),
        )
        first = last
    return found


def _merged(found: Array, places: Array, counts: Array, wanted: Array) -> None:
    """Fill in the results of whole cells. ``places`` are a cell and a bucket in one number."""
    order = np.argsort(places, kind="stable")  # of runs that are sorted already
    places = places[order]
    starts = np.flatnonzero(np.concatenate([[True], places[1:] != places[:-1]]))
    places, counts = places[starts], np.add.reduceat(counts[order], starts)
    if (counts <= 0).any():
        places, counts = places[counts > 0], counts[counts > 0]
    if not len(places):
        return
    cells, sums = places >> _BITS, np.cumsum(counts)
    firsts = np.flatnonzero(np.concatenate([[True], cells[1:] != cells[:-1]]))
    base = sums[firsts] - counts[firsts]
    total = np.diff(np.append(base, sums[-1]))
    rank = wanted[None, :] * (total[:, None] - 1)
    low = np.floor(rank)
    high = np.minimum(low + 1, total[:, None] - 1)
    lower, upper = (_middle(places[np.searchsorted(sums, base[:, None] + part, "right")]) for part in (low, high))
    found[cells[firsts]] = lower + (upper - lower) * (rank - low)


def _middle(places: Array) -> Array:
    """The values in the middle of buckets: within one per cent of all in them."""
    buckets = (places & (1 << _BITS) - 1) - (1 << _BITS - 1)
    values: Array = np.sign(buckets) * (1 - ERROR) * np.exp(LOG_BASE * (np.abs(buckets) - ONE))
    return values
