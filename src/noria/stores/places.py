"""Places for calls that processes of one machine share: how many each of them has taken, in memory that all of them see.

Taking one costs a microsecond and asks nobody. Each process writes its own numbers and reads everybody's. It counts itself in
before it looks, so that of two who come to the last place together at least one sees the other. Whoever waits longest
anywhere comes next; a process that has stood still for a second is not waited for.

There is no lock and no message: who waits has to look again and again, and a process that was killed keeps its places
until somebody says that it is gone (:func:`forget`).
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from noria.stores.disk import disk_errors
from noria.stores.page import shared_memory

STALE_US = 1_000_000
"""Microseconds after which those who wait in a process that does not look any more are passed over."""
_TRIES = 3
NUMBER = 8
"""Bytes of a number."""
COLUMNS = 4
"""Numbers that each process has at the start of a file, one behind the other."""


class Counts:
    """The places of one name, as one of the processes has them open. Making it raises ``OSError``.

    Arguments:
        path: the file; it is made where it is not there.
        row: which of the processes this one is, from 0.
        rows: how many there are.
    """

    def __init__(self, path: Path, row: int, rows: int) -> None:
        self._numbers = memoryview(shared_memory(path, COLUMNS * rows * NUMBER, os.O_CREAT)).cast("q")
        self._row = row
        self._taken, self._waiting, self._since, self._looked = (
            self._numbers[column * rows : (column + 1) * rows] for column in range(COLUMNS)
        )

    @property
    def taken(self) -> int:
        """Calls under way, in all processes."""
        return sum(self._taken)

    @property
    def waiting(self) -> int:
        """Calls that wait, in all processes."""
        return sum(self._waiting)

    def take(self, most: int, since_us: int, now_us: int) -> bool:
        """Take one of ``most`` places, unless they are all taken or somebody waits longer elsewhere.

        Arguments:
            most: places there are.
            since_us: when whoever wants it has come, in microseconds of a clock that all processes share.
            now_us: the same clock now.
        """
        for _ in range(_TRIES):
            self._taken[self._row] += 1
            if sum(self._taken) <= most and not self._longer_elsewhere(since_us, now_us):
                return True
            self._taken[self._row] -= 1
            if sum(self._taken) >= most:
                return False
        return False  # or both of two have stepped back: who waits looks again soon

    def leave(self) -> None:
        """Give one back."""
        self._taken[self._row] -= 1

    def wait(self, more: int, since_us: int, now_us: int) -> None:
        """So many ``more`` calls wait in this process, less where it is below 0, the first since ``since_us``; 0 for none."""
        self._waiting[self._row] += more
        self._since[self._row] = since_us
        self._looked[self._row] = now_us

    def _longer_elsewhere(self, since_us: int, now_us: int) -> bool:
        if not any(self._since):
            return False
        return any(
            0 < since < since_us and now_us - looked < STALE_US and row != self._row
            for row, (since, looked) in enumerate(zip(self._since, self._looked, strict=True))
        )


class SharedPlaces:
    """Shared places by name, as one of the processes has them open.

    Arguments:
        folder: where their files are; it is there.
        row: which of the processes this one is, from 0.
        rows: how many there are.
    """

    def __init__(self, folder: Path, row: int, rows: int) -> None:
        self._folder = folder
        self._row = row
        self._rows = rows
        self._open: dict[str, Counts] = {}

    def of(self, name: str) -> Counts:
        """Those of this name. Raises ``StorageFull``, ``InvalidInput``."""
        found = self._open.get(name)
        if found is None:
            file = hashlib.sha256(name.encode()).hexdigest()[:32]
            with disk_errors(self._folder):
                found = self._open[name] = Counts(self._folder / file, self._row, self._rows)
        return found


def forget(folder: Path, row: int, rows: int) -> None:
    """Free the places of a process that is gone."""
    for path in folder.glob("*"):
        with path.open("r+b", buffering=0) as file:  # and not a byte of the others'
            for column in range(COLUMNS):
                file.seek((column * rows + row) * NUMBER)
                file.write(bytes(NUMBER))
