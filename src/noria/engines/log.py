"""The log of an engine: one file, kept over restarts, bounded."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

_LINE = 240


class EngineLog:
    """A log file that an engine's process writes and its supervisor trims and quotes.

    Arguments:
        path: the file; its folder is made when needed.
        limit: bytes above which the older half is dropped.
    """

    def __init__(self, path: Path, *, limit: int = 1_000_000) -> None:
        self.path = path
        self._limit = limit

    def open(self) -> BinaryIO:
        """Trim, and open for appending: what the process gets as its standard error."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.trim()
        return self.path.open("ab", buffering=0)

    def trim(self) -> None:
        """Drop the older lines when the file is too big.

        In place, because the process holds the file open; it appends, so it goes on at the new end. A line written in
        this moment may be lost.
        """
        try:
            if self.path.stat().st_size <= self._limit:
                return
        except FileNotFoundError:
            return
        kept = self._end(self._limit // 2)
        os.truncate(self.path, 0)
        with self.path.open("ab") as file:
            file.write(kept[kept.find(b"\n") + 1 :])

    def last_lines(self, count: int = 4) -> str:
        """The last lines that say something, shortened, in one line; empty when there are none."""
        try:
            end = self._end(8_192)
        except FileNotFoundError:
            return ""
        lines = [line.strip()[:_LINE] for line in end.decode(errors="replace").splitlines() if line.strip()]
        return " | ".join(lines[-count:])

    def _end(self, size: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read(size)
