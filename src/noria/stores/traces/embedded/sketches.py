"""Percentiles of thousands of sketches at once.

A sketch counts values in buckets whose borders grow by a constant factor (DDSketch, Masson et al., VLDB 2019). Asking
each in turn costs 80 us of interpreter, most of a second for a month of hours by model; here all of them are added up in
one table, a row for each result and a column for each bucket, and searched by one bisection.
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
_TABLE = 1 << 20
"""Cells of a table that is made at once."""


def percentiles(cells: Array, buckets: Array, counts: Array, number: int, wanted: Sequence[float]) -> Array:
    """Percentiles of merged sketches, interpolated between neighbours as exact ones are.

    Arguments:
        cells: for each sketch, which of the results it is a part of; in any order.
        buckets: of each sketch an array, ascending.
        counts: of each sketch an array, of the values in its buckets; negative ones take values away that another sketch of the cell has.
        number: of results.
        wanted: parts, such as 0.95.

    Returns:
        ``number`` rows of one value for each part; NaN where nothing was counted.
    """
    found = np.full((number, len(wanted)), np.nan)
    if not len(cells):
        return found
    order = np.argsort(cells, kind="stable")
    owners, sizes = cells[order], np.fromiter(map(len, buckets[order]), np.int64, len(order))
    bucket, count = np.concatenate(buckets[order]).astype(np.int64), np.concatenate(counts[order]).astype(np.float64)
    lowest = int(bucket.min())
    width = int(bucket.max()) - lowest + 1
    ends = np.append(0, np.cumsum(sizes))
    for first in range(0, number, max(1, _TABLE // width)):
        rows = min(max(1, _TABLE // width), number - first)
        low, high = np.searchsorted(owners, [first, first + rows])
        some = slice(ends[low], ends[high])
        places = np.repeat((owners[low:high] - first) * width - lowest, sizes[low:high]) + bucket[some]
        table = np.bincount(places, count[some], rows * width).reshape(rows, width)
        found[first : first + rows] = _searched(np.maximum(table, 0), lowest, np.asarray(wanted))
    return found


def _searched(table: Array, lowest: int, wanted: Array) -> Array:
    """Percentiles of each row of counts, whose first column is the bucket ``lowest``."""
    rows, width = table.shape
    totals = table.sum(axis=1)
    sums = np.cumsum(table)
    base = sums.reshape(rows, width)[:, -1] - totals
    rank = wanted[None, :] * (totals[:, None] - 1)
    low = np.floor(rank)
    high = np.minimum(low + 1, totals[:, None] - 1)
    lower, upper = (
        _middle(np.searchsorted(sums, base[:, None] + part, "right") % width + lowest) for part in (low, high)
    )
    found: Array = np.where(totals[:, None] > 0, lower + (upper - lower) * (rank - low), np.nan)
    return found


def _middle(buckets: Array) -> Array:
    """The values in the middle of buckets: within one per cent of all in them."""
    values: Array = np.sign(buckets) * (1 - ERROR) * np.exp(LOG_BASE * (np.abs(buckets) - ONE))
    return values
