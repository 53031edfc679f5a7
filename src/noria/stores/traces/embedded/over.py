"""Answers about hours that are over, kept for the next question of the same form.

A chart of thirty days is asked for again and again, and all but its last hours are what they were. What is kept are the
rows of whole buckets of time, as the rollups gave them. They stand as long as nothing was counted into their hours or
out of them; whoever asks leaves out the hours that something belongs to which is not settled yet.

Nothing of it is on disk, and all of it may be forgotten at any time.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

Row = tuple[Any, ...]
_MOST_ROWS = 60_000
"""Rows that are kept, of all answers; each takes some 400 bytes."""
_MOST_HOURS = 10_000
"""Hours whose changes are known one by one."""


class Period(NamedTuple):
    """A range of time."""

    first: int
    """Its first nanosecond."""
    end: int
    """Behind its last."""


class Found(NamedTuple):
    """What need not be computed."""

    rows: dict[int, list[Row]]
    """Rows by the start of their bucket."""
    periods: list[Period]
    """All buckets in here are known, in order; one without rows has none."""


class _Kept(NamedTuple):
    period: Period
    rows: dict[int, list[Row]]
    number: int
    """The last change of the rollups that they know of."""


class Changes:
    """Which hours of the rollups changed, and when, counted in changes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._number = 0
        self._going_on: list[frozenset[int] | None] = []
        self._hours: dict[int, int] = {}
        self._any = 0

    @contextlib.contextmanager
    def change(self, hours: Iterable[int] | None) -> Iterator[None]:
        """Inside, the rollups of these hours change; None for any hours."""
        mine = None if hours is None else frozenset(hours)
        with self._lock:
            self._going_on.append(mine)
        try:
            yield
        finally:
            with self._lock:
                self._going_on.remove(mine)
                self._number += 1
                self._hours.update(dict.fromkeys(mine or (), self._number))
                if mine is None or len(self._hours) > _MOST_HOURS:
                    self._any = self._number
                    self._hours.clear()

    @property
    def number(self) -> int:
        """Number of the last change. What is read afterwards has all changes until then."""
        with self._lock:
            return self._number

    def since(self, number: int) -> set[int] | None:
        """Starts of the hours that changed after this change or are changing; None where any may have."""
        with self._lock:
            if self._any > number or None in self._going_on:
                return None
            changed = {hour for hour, last in self._hours.items() if last > number}
            return changed.union(*(hours for hours in self._going_on if hours))


class Answers:
    """What is kept, by the form of the question."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    def find(self, form: bytes, period: Period, width: int, number: int) -> Found:
        """What is still right of the answers to questions of this ``form``.

        Arguments:
            form: the question but for when, its order and how many rows it wants.
            period: whole buckets that are asked for.
            width: of a bucket.
            number: the last change that whoever asks sees.
        """
        with self._lock:
            kept = self._kept.get(form)
            if kept is None or kept.number > number:
                return Found({}, [])
            self._kept.move_to_end(form)
        changed = self._changes.since(kept.number)
        first, end = max(period.first, kept.period.first), min(period.end, kept.period.end)
        if changed is None or first >= end:
            return Found({}, [])
        gone = sorted({hour // width * width for hour in changed})
        right = between(Period(first, end), [Period(start, start + width) for start in gone if first <= start < end])
        drop = set(gone)
        return Found({at: rows for at, rows in kept.rows.items() if first <= at < end and at not in drop}, right)

    def keep(self, form: bytes, period: Period, rows: dict[int, list[Row]], number: int) -> None:
        """Keep rows in the place of those that were kept for this form; the oldest forms go where it is too much."""
        with self._lock:
            self._kept[form] = _Kept(period, rows, number)
            self._kept.move_to_end(form)
            while sum(len(some) for kept in self._kept.values() for some in kept.rows.values()) > _MOST_ROWS:
                self._kept.popitem(last=False)


def between(whole: Period, known: Sequence[Period]) -> list[Period]:
    """What of ``whole`` lies in none of the periods, which are in order and do not overlap."""
    left: list[Period] = []
    at = whole.first
    for period in known:
        if at < period.first:
            left.append(Period(at, period.first))
        at = max(at, period.end)
    if at < whole.end:
        left.append(Period(at, whole.end))
    return left
