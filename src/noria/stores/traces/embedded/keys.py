"""Where the spans of a trace are: sorted runs of hashed ids, merged as they grow (a log-structured index).

A run holds, for spans that came one after another, 64 bits of the trace id's MD5, 64 of the span id's, and the span's
number (``seq``): 20 bytes a span, sorted, searched by bisection. Runs of settled spans are files that are mapped into
memory, so that only the pages touched count; they can always be made again from the table. The same search finds the
earlier copy of a span that is sent again.

Runs of scores are the same, with the score's own number in the place of a span: no score is another's copy.

It knows nothing of DuckDB. Two traces may share a hash: whoever asks for one compares the ids. Copies of a span are told
by both hashes, 128 bits; 32 of the span id's would take one of a trace's 10,000 spans for another's copy once in 86 traces.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from noria.stores.disk import replacing

Array = np.ndarray[Any, Any]
LARGEST = 1 << 21
"""A run with so many spans is not merged further: merging one takes 100 MB for a moment."""
_FAN = 4
_SPAN_BYTES = 20


class Run(NamedTuple):
    """Spans that came one after another, sorted by trace, span and number."""

    first: int
    """Number of the first span; there may be fewer spans than numbers."""
    end: int
    """Number behind the last span."""
    traces: Array
    """Hashes of trace ids, uint64."""
    spans: Array
    """Hashes of span ids, uint64."""
    offsets: Array
    """Numbers, counted from ``first``, uint32."""

    @property
    def seqs(self) -> Array:
        """The numbers."""
        return self.offsets.astype(np.int64) + self.first


def run_of(traces: Array, spans: Array, seqs: Array, first: int, end: int) -> Run:
    """A run of spans in any order; of copies of one span only the last is kept."""
    offsets = (seqs - first).astype(np.uint32)
    order = np.lexsort((offsets, spans, traces))
    traces, spans, offsets = traces[order], spans[order], offsets[order]
    last = np.ones(len(traces), bool)
    last[:-1] = (traces[1:] != traces[:-1]) | (spans[1:] != spans[:-1])
    return Run(first, end, traces[last], spans[last], offsets[last])


def merged(runs: Sequence[Run]) -> Run:
    """One run of runs that follow one another."""
    first, end = runs[0].first, runs[-1].end
    return run_of(
        np.concatenate([run.traces for run in runs]),
        np.concatenate([run.spans for run in runs]),
        np.concatenate([run.seqs for run in runs]),
        first,
        end,
    )


def to_merge(sizes: Sequence[int]) -> int:
    """How many of the last runs should become one; 0 when none. ``sizes`` are spans of each, oldest first."""
    for count in range(len(sizes), _FAN - 1, -1):
        some = sizes[-count:]
        if sum(some) <= LARGEST and max(some) < _FAN * _FAN * min(some) and some[0] * _FAN <= sum(some) + some[0]:
            return count
    return 0


def spans_in(run: Run, traces: Array, spans: Array) -> Array:
    """Numbers of the spans with these hashes that are in the run."""
    low = np.searchsorted(run.traces, traces, "left")
    high = np.searchsorted(run.traces, traces, "right")
    among = low < high
    low, high, wanted = low[among], high[among], spans[among]
    end = high.copy()
    while (open_ := low < high).any():  # bisection within each trace, all traces at once
        middle = np.where(open_, (low + high) // 2, 0)
        less = open_ & (run.spans[middle] < wanted)
        low = np.where(less, middle + 1, low)
        high = np.where(open_ & ~less, middle, high)
    inside = low < end
    low, wanted = low[inside], wanted[inside]
    found = low[run.spans[low] == wanted]
    seqs: Array = run.offsets[found].astype(np.int64) + run.first
    return seqs


def numbers_in(run: Run, traces: Array) -> Array:
    """Numbers of everything in the run that is of one of these traces, in no order."""
    low, high = (np.searchsorted(run.traces, traces, side) for side in ("left", "right"))
    counts = high - low
    places = np.repeat(low - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    numbers: Array = run.offsets[places].astype(np.int64) + run.first
    return numbers


def save(run: Run, path: Path) -> Run:
    """Write the run as a file, and give it back mapped from there."""
    with replacing(path) as file:
        for part in (run.traces, run.spans, run.offsets):
            part.tofile(file)
    return load(path, run.first, run.end)


def mapped(path: Path, kind: Any) -> Array:
    """A file as an array. Searches touch single pages of it, and the system is asked to bring no others with them."""
    with path.open("rb") as file:
        view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if hasattr(mmap, "MADV_RANDOM"):
        view.madvise(mmap.MADV_RANDOM)
    return np.frombuffer(view, kind)


def load(path: Path, first: int, end: int) -> Run:
    """Map a run. Raises ``OSError`` or ``ValueError`` where the file is none."""
    size = path.stat().st_size
    count, rest = divmod(size, _SPAN_BYTES)
    if rest or count > end - first:
        raise ValueError(f"{path.name} is no whole run")
    if not count:
        nothing = np.zeros(0, np.uint64)
        return Run(first, end, nothing, nothing, np.zeros(0, np.uint32))
    data = mapped(path, np.uint8)
    return Run(
        first,
        end,
        data[: 8 * count].view(np.uint64),
        data[8 * count : 16 * count].view(np.uint64),
        data[16 * count :].view(np.uint32),
    )
