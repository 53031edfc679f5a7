"""Writing the spool's segments: frames appended and synced together, and nothing left of what failed.

One thread writes. It knows nothing about who waits, nor about who reads.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from noria.stores.disk import Sync, sync_folder
from noria.stores.segments import Position, frame, segment_path


class SegmentWriter:
    """The file that is written now, and those after it.

    Arguments:
        folder: where the segments are.
        sizes: durable bytes of each segment there is, shared with whoever reads; written segments are added.
        next_number: number of the first segment to begin; no number is used twice.
        segment_bytes: a segment is closed when it has reached this size.
        sync: makes what was written durable.
    """

    def __init__(self, folder: Path, sizes: dict[int, int], next_number: int, segment_bytes: int, sync: Sync) -> None:
        self._sync = sync
        self._folder = folder
        self._sizes = sizes
        self._segment_bytes = segment_bytes
        self._file: int | None = None
        self._spoiled: dict[Path, int] = {}
        self.next_number = next_number
        """The segment that will be begun next."""
        self.number = 0
        """The segment that is being written; 0 when none is."""

    def write(self, payloads: Sequence[bytes]) -> list[Position]:
        """Append a frame for each payload and sync once; returns the frames' ends.

        Raises:
            OSError: they could not all be made durable; none is kept.
        """
        self._mend()
        file = self._open()
        number, size = self.number, self._sizes[self.number]
        frames, positions, end = [], [], size
        for payload in payloads:
            frames.append(frame(payload, number, end))
            end += len(frames[-1])
            positions.append(Position(number, end))
        try:
            rest = memoryview(b"".join(frames))
            while rest:
                rest = rest[os.write(file, rest) :]
            self._sync(file)
        except BaseException:
            # After a failed sync the kernel may have dropped the pages, so this file is not written again:
            # what was synced before stays, the rest is cut off, and the next append starts a new file.
            self._spoiled[segment_path(self._folder, number)] = size
            self.seal()
            self._mend(quiet=True)
            raise
        self._sizes[number] = end
        return positions

    def seal(self) -> None:
        """Close the file that is written; the next write begins another."""
        if self._file is not None:
            file, self._file, self.number = self._file, None, 0
            with contextlib.suppress(OSError):  # what was answered is synced already; the descriptor is gone either way
                os.close(file)

    def _open(self) -> int:
        if self._file is not None and self._sizes[self.number] >= self._segment_bytes:
            self.seal()
        if self._file is None:
            number, self.next_number = self.next_number, self.next_number + 1
            path = segment_path(self._folder, number)
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            try:
                sync_folder(self._folder)
            except OSError:
                os.close(file)
                path.unlink(missing_ok=True)
                raise
            # Being written before it is listed, so that there is no moment at which a reader takes it for finished.
            self.number = number
            self._sizes[number] = 0
            self._file = file
        return self._file

    def _mend(self, *, quiet: bool = False) -> None:
        """Cut off what a failed write left behind, so that no refused record comes back after a restart."""
        for path, size in list(self._spoiled.items()):
            try:
                cut_off(path, size)
            except FileNotFoundError:  # taken and released meanwhile
                pass
            except OSError:
                if quiet:  # the write that failed is being reported already; the next append tries again
                    return
                raise
            del self._spoiled[path]


def cut_off(path: Path, size: int) -> None:
    """Make a file ``size`` bytes long, durably."""
    with path.open("r+b") as file:
        file.truncate(size)
        os.fsync(file.fileno())
