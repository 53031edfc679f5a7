"""What breakers of several processes tell each other: which opened, and until when, in memory that all of them see.

A process has a row of the latest that opened in it. Whoever is about to call adds up how many each has told, which costs half a
microsecond, and reads the rows only where that has changed. There is no lock and no message.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from noria.stores.disk import disk_errors
from noria.stores.page import shared_memory
from noria.stores.places import COLUMNS, NUMBER

LATEST = 64
"""Openings that a process remembers to have told; older ones are over, or are found out by each process for itself."""
_PAIR = 2
_MICRO = 1e6


class Openings:
    """Openings of breakers, as one of the processes has them open. Making it raises ``StorageFull``, ``InvalidInput``.

    Arguments:
        folder: where their file is; it is there.
        row: which of the processes this one is, from 0.
        rows: how many there are.
    """

    def __init__(self, folder: Path, row: int, rows: int) -> None:
        head = COLUMNS * rows  # as those of places, so that a process that is gone is forgotten here in the same way
        size = (head + rows * LATEST * _PAIR) * NUMBER
        with disk_errors(folder):
            numbers = memoryview(shared_memory(folder / "breakers", size, os.O_CREAT)).cast("q")
        self._told = numbers[:rows]
        self._rows = numbers[head:]
        self._row = row
        # More than a process ever told that was killed in this row: no sum comes twice.
        self._told[row] = time.monotonic_ns()
        self._told_before = 0
        self._until: dict[int, float] = {}

    def of(self, name: str) -> Opening:
        """Those of one breaker."""
        return Opening(self, int.from_bytes(hashlib.sha256(name.encode()).digest()[:7]))

    def tell(self, breaker: int, until_s: float) -> None:
        """One has opened here."""
        at = (self._row * LATEST + self._told[self._row] % LATEST) * _PAIR
        self._rows[at + 1] = 0  # whoever reads just now, the time first, takes no breaker's time for another's
        self._rows[at] = breaker
        self._rows[at + 1] = int(until_s * _MICRO)
        self._told[self._row] += 1

    def until_s(self, breaker: int) -> float:
        """Until when it was opened last anywhere; 0 where nobody has told of it."""
        told = sum(self._told)
        if told != self._told_before:
            self._told_before, self._until = told, {}
            for at in range(0, len(self._rows), _PAIR):
                until_s = self._rows[at + 1] / _MICRO  # before the name, see tell
                name = self._rows[at]
                self._until[name] = max(until_s, self._until.get(name, 0.0))
        return self._until.get(breaker, 0.0)


class Opening:
    """One breaker's, see :class:`noria.targets.breaker.Elsewhere`."""

    def __init__(self, openings: Openings, breaker: int) -> None:
        self._openings = openings
        self._breaker = breaker

    def tell(self, until_s: float) -> None:
        """It has opened here."""
        self._openings.tell(self._breaker, until_s)

    @property
    def until_s(self) -> float:
        """Until when it was opened last anywhere."""
        return self._openings.until_s(self._breaker)
