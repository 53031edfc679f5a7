"""Room for records on the disk: some is left free, so that their consumer can take what was accepted before.

How an append is refused that finds none, or whose writing fails, is said here too.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from noria.core.errors import StorageFull

ROOM_S = 0.05
"""How long a disk that had room is taken to have it."""
RETRY_AFTER_S = 5.0
"""Seconds after which an append that was refused is worth another try."""
KEPT = "Everything recorded before is safe; this batch was not recorded."


class Room:
    """What is free on a folder's disk.

    Arguments:
        folder: the folder.
        reserve: bytes that stay free.
    """

    def __init__(self, folder: Path, reserve: int) -> None:
        self._folder = folder
        self._reserve = reserve
        self._until = 0.0
        self._granted = 0.0

    def check(self, size: int = 0) -> None:
        """Refuse while the consumer still has room to take what was accepted before.

        It is asked before every call of a model and every append, so an answer of a moment ago is good enough, as long as
        what is appended meanwhile fits into half of what was free: others write to the disk, too.

        Raises:
            StorageFull: with ``size`` bytes more, less than the reserve would be free.
        """
        now = time.monotonic()
        if now < self._until and size <= self._granted:
            self._granted -= size
            return
        free = shutil.disk_usage(self._folder).free
        if free - size < self._reserve:
            raise StorageFull(
                f"Only {free / 1e6:,.0f} MB are free on the disk of {self._folder}, and {self._reserve / 1e6:,.0f} MB"
                " have to stay free for the work on what was recorded before.",
                retry_after_s=RETRY_AFTER_S,
                kept=KEPT,
                hint="Free disk space, or shorten retention; recording goes on by itself.",
            )
        self._until, self._granted = now + ROOM_S, (free - size - self._reserve) / 2


def failed(folder: Path, error: OSError) -> StorageFull:
    """What it means to who appends that the disk refuses."""
    return StorageFull(
        f"Records can't be written to {folder}: {error.strerror or error}.",
        retry_after_s=RETRY_AFTER_S,
        kept=KEPT,
        hint="Free disk space or make the folder writable, then try again.",
    )
