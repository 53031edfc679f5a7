"""The spool: an append-only log on disk between whoever makes records and the store that takes them.

An append returns when its bytes survive a power cut; a slow store, or its checkpoint, delays no call. Appenders that
arrive together share one ``fdatasync`` (:mod:`noria.stores.group_commit`).
It refuses while there is still some room on the disk, so that the consumer has room to take what was accepted.
The consumer keeps its own :class:`Position` in the same transaction as the records it took, and hands it back at
open; so each frame is taken exactly once whatever dies when.

The spool knows nothing about what a payload means.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import structlog

from noria.core.errors import InvalidInput, Unavailable
from noria.stores.disk import Sync, make_folder, sync_folder, to_disk
from noria.stores.group_commit import GroupCommit
from noria.stores.room import KEPT, RETRY_AFTER_S, Room, failed
from noria.stores.segment_writer import SegmentWriter, cut_off
from noria.stores.segments import LARGEST, START, SUFFIX, Damage, Frame, Position, frame_size, scan, segment_path

SEGMENT_BYTES = 32 << 20
"""A segment is closed when it has reached this size; also about the most that one read returns."""
MOST_BYTES = 8 << 30
"""When so much waits for the consumer, appends are refused instead of filling the disk."""
RESERVE_BYTES = 256 << 20
"""Appends are refused when they would leave less than this free on the disk."""

log = structlog.get_logger(__name__)


class Batch(NamedTuple):
    """What :meth:`Spool.read` found."""

    frames: list[Frame]
    """Whole frames, oldest first."""
    segment: int
    """The file they are in."""
    position: Position
    """What to keep with the records: everything before it is taken."""


class Spool:
    """An open spool; make one with :meth:`open`. One process a folder: its consumer's lock must see to that."""

    def __init__(self, folder: Path, sizes: dict[int, int], writer: SegmentWriter, most: int, reserve: int) -> None:
        self._folder = folder
        self._sizes = sizes  # durable bytes of each segment there is; the writer adds, the consumer removes
        self._writer = writer
        self._most = most
        self._taken = START
        self._behind = 0
        self._room = Room(folder, reserve)
        self._commits = GroupCommit(folder, writer, self._room)
        self.cut_bytes = 0
        """Bytes of an unfinished frame cut off the end at open: an append that a crash interrupted, never answered."""
        self.damaged_bytes = 0
        """Bytes found unreadable between whole frames while reading: records that the disk lost."""
        self.first_own = writer.next_number
        """Segments before this one were written by an earlier process."""

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        taken: Position = START,
        segment_bytes: int = SEGMENT_BYTES,
        most_bytes: int = MOST_BYTES,
        reserve_bytes: int = RESERVE_BYTES,
        sync: Sync = to_disk,
    ) -> Spool:
        """Open or create the spool in ``folder``, cut an unfinished end, and forget what the consumer has ``taken``.

        Arguments:
            folder: where it is, or will be.
            taken: what the consumer keeps as its position.
            segment_bytes: a file is closed when it has reached this size.
            most_bytes: most that may wait for the consumer.
            reserve_bytes: what appends leave free on the disk.
            sync: when an append counts as kept: ``to_disk``, or ``to_system`` for those who would rather be fast.

        Raises:
            StorageFull: the folder can't be made, read or written.
        """
        try:
            make_folder(folder)
            sizes = {int(path.stem): path.stat().st_size for path in folder.glob(f"*{SUFFIX}") if path.stem.isdigit()}
            writer = SegmentWriter(folder, sizes, max([taken.segment, *sizes]) + 1, segment_bytes, sync)
            spool = cls(folder, sizes, writer, most_bytes, reserve_bytes)
            spool._cut_end(taken)
            spool.release(taken)
            spool._settle()
        except OSError as error:
            raise failed(folder, error) from error
        spool._commits.start()
        return spool

    @property
    def end(self) -> Position:
        """Everything before it is durable."""
        last = max(self._sizes, default=0)
        return Position(last, self._sizes.get(last, 0)) if last else self._taken

    @property
    def turned_away(self) -> int:
        """Appends refused since open because the disk was full, failed, or its consumer or itself was too slow."""
        return self._behind + self._commits.turned_away

    @property
    def pending_bytes(self) -> int:
        """Durable bytes that the consumer has not taken."""
        total = sum(self._sizes.copy().values())
        return total - min(self._taken.offset, self._sizes.get(self._taken.segment, 0))

    async def append(self, payload: bytes) -> Position:
        """Make ``payload`` durable, all or nothing; returns the end of its frame.

        A caller that is cancelled while it waits has not been answered: its payload may have been kept.
        Raises as :meth:`begin` and what comes of it do.
        """
        return await self.begin(payload)

    def begin(self, payload: bytes) -> asyncio.Future[Position]:
        """The same without waiting: it goes on whether or not anybody waits for what is returned.

        Raises:
            StorageFull: the disk is full or failed; nothing of it is kept.
            InvalidInput: it is larger than a frame can be.
            Unavailable: the consumer or the disk is too far behind, or the spool is closed.
        """
        if len(payload) > LARGEST:
            raise InvalidInput(
                f"One batch of records has {len(payload):,} bytes; the spool takes {LARGEST:,}.",
                kept="This batch was not recorded.",
                hint="Send fewer records at once.",
            )
        return self._begin((payload,), moved=False)

    async def move_in(self, payloads: Sequence[bytes]) -> Position:
        """Make durable what another spool holds and can then forget, all or nothing; returns the end of the last frame.

        The reserve on the disk is open to it, because it frees as much elsewhere. Raises as :meth:`append` does.
        """
        return await self._begin(payloads, moved=True)

    def _begin(self, payloads: Sequence[bytes], *, moved: bool) -> asyncio.Future[Position]:
        size = sum(map(frame_size, payloads))
        if self.pending_bytes + self._commits.waiting_bytes + size > self._most:
            self._behind += 1
            raise Unavailable(
                f"The record spool holds {self.pending_bytes:,} bytes that the trace store has not taken yet.",
                retry_after_s=RETRY_AFTER_S,
                kept=KEPT,
                hint="Send less, or look in the log why the trace store is slow.",
            )
        return self._commits.begin(payloads, size, moved=moved)

    def tell(self, kept: Callable[[Position], None]) -> None:
        """Let ``kept`` be called by the writer's thread with the end of what is durable, before who appended is answered."""
        self._commits.kept = kept

    def check_room(self) -> None:
        """Raise ``StorageFull`` while less than the reserve is free: the consumer has to take what was accepted before."""
        self._room.check()

    def read(self, after: Position, most: int = SEGMENT_BYTES) -> Batch | None:
        """The next frames of one segment; None when everything durable is before ``after``.

        Unreadable bytes are skipped, logged and counted in ``damaged_bytes``.

        Arguments:
            after: where the last read ended.
            most: about so many bytes are read, a longer frame all the same.
        """
        for number in sorted(self._sizes.copy()):
            start = after.offset if number == after.segment else 0
            size = self._sizes[number]
            if number < after.segment or start >= size:
                continue
            found, end = self._scan(number, start, size, most)
            for lost in found:
                if isinstance(lost, Damage):
                    self.damaged_bytes += lost.end - lost.start
                    log.error("spool.damaged", segment=number, offset=lost.start, lost_bytes=lost.end - lost.start)
            return Batch([item for item in found if isinstance(item, Frame)], number, Position(number, end))
        return None

    def release(self, taken: Position) -> None:
        """Delete segments that lie wholly before ``taken``. Call it after the consumer's own commit, never before."""
        self._taken = max(taken, self._taken)
        for number, size in sorted(self._sizes.copy().items()):
            if number != self._writer.number and (number, size) <= self._taken:
                self._path(number).unlink(missing_ok=True)
                del self._sizes[number]

    def begin_anew(self) -> None:
        """Let later appends go into a new segment, so that the one that is written now can be deleted when it is taken.

        Blocks for one write at most.
        """
        self._commits.begin_anew()

    def close(self) -> None:
        """Finish what is queued, stop the thread and delete what was taken. Blocks for one write at most."""
        if self._commits.close():
            self._writer.seal()
            self.release(self._taken)

    # -- files

    def _cut_end(self, taken: Position) -> None:
        last = max(self._sizes, default=0)
        if last == 0 or last < taken.segment:
            return
        start = taken.offset if last == taken.segment else 0
        found = list(scan(self._bytes(last, start, self._sizes[last]), last, base=start))
        if found and isinstance(found[-1], Damage):
            tail = found[-1]
            self.cut_bytes = tail.end - tail.start
            cut_off(self._path(last), tail.start)
            self._sizes[last] = tail.start
            log.warning("spool.cut", segment=last, offset=tail.start, cut_bytes=self.cut_bytes)

    def _settle(self) -> None:
        """Sync what an earlier process has written: it may have been killed first, or have left that to the system."""
        for number in self._sizes:
            file = os.open(self._path(number), os.O_RDWR)
            try:
                os.fsync(file)
            finally:
                os.close(file)
        sync_folder(self._folder)

    def _scan(self, number: int, start: int, size: int, most: int) -> tuple[list[Frame | Damage], int]:
        """What is in about ``most`` bytes of a segment from ``start``, and where it ends."""
        end = min(size, start + most)
        while True:
            data = self._bytes(number, start, end)
            found = list(scan(data, number, base=start))
            if len(data) < end - start:  # someone has cut or removed the file
                return [*found, Damage(start + len(data), size)], size
            if end == size or isinstance(found[-1], Frame):
                return found, end
            if len(found) > 1:  # the last piece goes on behind what was read
                return found[:-1], found[-1].start
            end = min(size, start + 2 * (end - start))

    def _bytes(self, number: int, start: int, end: int) -> bytes:
        try:
            with self._path(number).open("rb") as file:
                file.seek(start)
                return file.read(max(0, end - start))
        except FileNotFoundError:
            return b""

    def _path(self, number: int) -> Path:
        return segment_path(self._folder, number)


class OpenSpool(Protocol):
    """:meth:`Spool.open` with some of its choices made."""

    def __call__(self, folder: Path, *, taken: Position) -> Spool:
        """Open the spool in ``folder``, of which the consumer has ``taken`` so much."""
