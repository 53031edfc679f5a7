"""A few places that processes of one machine tell each other: a page of memory that they share, in a file.

Telling costs a microsecond and asks nobody to listen. One process writes a slot; each slot carries its checksum, so
that who reads while it is written, or after its writer was killed in the middle, does not take half of it.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
import zlib
from pathlib import Path

from noria.stores.segments import Position

SLOTS = 4
"""Slots of a page."""
_VALUES = struct.Struct("<QQ")
_SLOT = struct.Struct("<QQI")
_APART = 64
"""Bytes from slot to slot: no two of them share a line of the processor's cache."""
_TRIES = 100


class Page:
    """A page that is open; make one with :meth:`make`, or :meth:`open` what another process made."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._memory = memory
        self._seen: dict[int, Position] = {}

    @classmethod
    def make(cls, path: Path) -> Page:
        """A new page. Raises ``OSError``."""
        return cls(shared_memory(path, SLOTS * _APART, os.O_CREAT | os.O_EXCL))

    @classmethod
    def open(cls, path: Path) -> Page:
        """Another process's page. Raises ``OSError``, and ``ValueError`` where the file is too short."""
        file = os.open(path, os.O_RDWR)
        try:
            return cls(mmap.mmap(file, SLOTS * _APART))
        finally:
            os.close(file)

    def put(self, slot: int, place: Position) -> None:
        """Tell a place."""
        _SLOT.pack_into(self._memory, slot * _APART, *place, _checksum(*place))

    def get(self, slot: int) -> Position:
        """The place that was told last; the start where none was."""
        for _ in range(_TRIES):
            segment, offset, checksum = _SLOT.unpack_from(self._memory, slot * _APART)
            if checksum == _checksum(segment, offset):
                self._seen[slot] = found = Position(segment, offset)
                return found
            if not (segment or offset or checksum):
                break
        return self._seen.get(slot, Position(0, 0))

    def close(self) -> None:
        """Let go of it; the file stays."""
        self._memory.close()


def shared_memory(path: Path, size: int, flags: int) -> mmap.mmap:
    """Memory that is a file, as large as that, opened with these flags. Raises ``OSError``."""
    file = os.open(path, os.O_RDWR | flags, 0o600)
    try:
        if sys.platform == "linux":  # with room on the disk, without which the first byte written would end the process
            os.posix_fallocate(file, 0, size)
        else:
            os.ftruncate(file, size)
        return mmap.mmap(file, size)
    finally:
        os.close(file)


def _checksum(segment: int, offset: int) -> int:
    return zlib.crc32(_VALUES.pack(segment, offset))
