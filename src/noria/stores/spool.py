"""The spool: an append-only log on disk between whoever makes records and the store that takes them.

An append returns when its bytes survive a power cut; a slow store, or its checkpoint, delays no call. Appenders that
arrive together share one ``fdatasync`` (group commit): one thread writes all that waits, syncs once and answers all.
It refuses while there is still some room on the disk, so that the consumer has room to take what was accepted.
The consumer keeps its own :class:`Position` in the same transaction as the records it took, and hands it back at
open; so each frame is taken exactly once whatever dies when.

The spool knows nothing about what a payload means.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import queue
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import structlog

from noria.core.errors import InvalidInput, StorageFull, Unavailable
from noria.stores.disk import Sync, make_folder, sync_folder, to_disk
from noria.stores.segment_writer import SegmentWriter, cut_off
from noria.stores.segments import LARGEST, START, SUFFIX, Damage, Frame, Position, frame_size, scan, segment_path

SEGMENT_BYTES = 32 << 20
"""A segment is closed when it has reached this size; also about the most that one read returns."""
MOST_BYTES = 8 << 30
"""When so much waits for the consumer, appends are refused instead of filling the disk."""
MOST_WAITING = 128 << 20
"""When so much waits in memory for the disk, appends are refused instead of filling the memory."""
RESERVE_BYTES = 256 << 20
"""Appends are refused when they would leave less than this free on the disk."""
ROOM_S = 0.05
"""How long a disk that had room is taken to have it."""
RETRY_AFTER_S = 5.0
"""Seconds after which an append that was refused is worth another try."""
_KEPT = "Everything recorded before is safe; this batch was not recorded."

log = structlog.get_logger(__name__)


class Batch(NamedTuple):
    """What :meth:`Spool.read` found."""

    frames: list[Frame]
    """Whole frames, oldest first."""
    segment: int
    """The file they are in."""
    position: Position
    """What to keep with the records: everything before it is taken."""


class _Waiting(NamedTuple):
    payloads: Sequence[bytes]
    moved: bool
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Position]


class Spool:
    """An open spool; make one with :meth:`open`. One process a folder: its consumer's lock must see to that."""

    def __init__(self, folder: Path, sizes: dict[int, int], writer: SegmentWriter, most: int, reserve: int) -> None:
        self._folder = folder
        self._sizes = sizes  # durable bytes of each segment there is; the writer adds, the consumer removes
        self._writer = writer
        self._most = most
        self._reserve = reserve
        self._refusing = False
        self._room_until = 0.0
        self._taken = START
        self._queue: queue.SimpleQueue[_Waiting | threading.Event | None] = queue.SimpleQueue()
        self._waiting_bytes = 0
        self._closed = False
        self._closing = threading.Lock()  # so that nothing is queued behind the end mark, where nobody answers it
        self._thread = threading.Thread(target=self._serve, name="noria-spool", daemon=True)
        self.kept: Callable[[Position], None] = lambda _end: None
        """Called by the writer's thread with the end of what is durable, before whoever appended it is answered."""
        self.cut_bytes = 0
        """Bytes of an unfinished frame cut off the end at open: an append that a crash interrupted, never answered."""
        self.damaged_bytes = 0
        """Bytes found unreadable between whole frames while reading: records that the disk lost."""
        self.turned_away = 0
        """Appends refused since open because the disk was full, failed, or its consumer or itself was too slow."""
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
            raise _full(folder, error) from error
        spool._thread.start()
        return spool

    @property
    def end(self) -> Position:
        """Everything before it is durable."""
        last = max(self._sizes, default=0)
        return Position(last, self._sizes.get(last, 0)) if last else self._taken

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
        if self.pending_bytes + self._waiting_bytes + size > self._most:
            self.turned_away += 1
            raise Unavailable(
                f"The record spool holds {self.pending_bytes:,} bytes that the trace store has not taken yet.",
                retry_after_s=RETRY_AFTER_S,
                kept=_KEPT,
                hint="Send less, or look in the log why the trace store is slow.",
            )
        if self._waiting_bytes and self._waiting_bytes + size > MOST_WAITING:
            self.turned_away += 1
            raise Unavailable(
                f"{self._waiting_bytes:,} bytes of records wait for the disk already.",
                kept=_KEPT,
                hint="Send less, or use a faster disk.",
            )
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Position] = loop.create_future()
        with self._closing:
            if self._closed:
                raise Unavailable("The record spool is closed.", kept="This batch was not recorded.")
            self._waiting_bytes += size
            self._queue.put(_Waiting(payloads, moved, loop, done))
        return done

    def check_room(self, size: int = 0) -> None:
        """Refuse while the consumer still has room to take what was accepted before.

        Without a ``size`` it is asked before every call of a model, so an answer of a moment ago is good enough.

        Raises:
            StorageFull: with ``size`` bytes more, less than the reserve would be free.
        """
        now = time.monotonic()
        if not size and now < self._room_until:
            return
        free = shutil.disk_usage(self._folder).free
        if free - size < self._reserve:
            raise StorageFull(
                f"Only {free / 1e6:,.0f} MB are free on the disk of {self._folder}, and {self._reserve / 1e6:,.0f} MB"
                " have to stay free for the work on what was recorded before.",
                retry_after_s=RETRY_AFTER_S,
                kept=_KEPT,
                hint="Free disk space, or shorten retention; recording goes on by itself.",
            )
        self._room_until = now + ROOM_S

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
        done = threading.Event()
        with self._closing:
            if self._closed:
                return
            self._queue.put(done)
        done.wait()

    def close(self) -> None:
        """Finish what is queued, stop the thread and delete what was taken. Blocks for one write at most."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        self._writer.seal()
        self.release(self._taken)

    # -- the writer's thread

    def _serve(self) -> None:
        going = True
        while going:
            group = [self._queue.get()]
            while not self._queue.empty():
                group.append(self._queue.get_nowait())
            going = None not in group
            waiting = [item for item in group if isinstance(item, _Waiting)]
            if not waiting:
                self._seal(group)
                continue
            try:
                if new := [item for item in waiting if not item.moved]:
                    self.check_room(sum(frame_size(payload) for item in new for payload in item.payloads))
                positions = self._writer.write([payload for item in waiting for payload in item.payloads])
                self.kept(positions[-1])
            except StorageFull as error:
                self._refuse(waiting, error)
            except OSError as error:
                self._refuse(waiting, _full(self._folder, error))
            except (
                Exception
            ) as error:  # the thread's boundary: if it ended here, every later append would wait for ever
                name = type(error).__name__
                self._refuse(waiting, Unavailable(f"The record spool failed ({name}).", kept=_KEPT))
                log.exception("spool.write_failed", refused=len(waiting))
            else:
                if self._refusing:
                    self._refusing = False
                    log.info("spool.writes_again", turned_away=self.turned_away)
                self._answer(waiting, ends=_ends(waiting, positions))
            self._seal(group)

    def _seal(self, group: Sequence[_Waiting | threading.Event | None]) -> None:
        """Begin anew for those who asked for it."""
        for item in group:
            if isinstance(item, threading.Event):
                self._writer.seal()
                item.set()

    def _refuse(self, waiting: Sequence[_Waiting], error: Unavailable) -> None:
        """Tell the callers each time, the log once: a full disk must not be filled with sentences about it."""
        self.turned_away += len(waiting)
        if not self._refusing:
            self._refusing = True
            log.error("spool.refuses", error=str(error), refused=len(waiting))
        self._answer(waiting, error=error)

    def _answer(
        self, waiting: Sequence[_Waiting], *, ends: list[Position] | None = None, error: Exception | None = None
    ) -> None:
        """Wake each event loop once, however many of its tasks wait."""
        loops: dict[asyncio.AbstractEventLoop, list[tuple[_Waiting, Position | None]]] = {}
        for index, item in enumerate(waiting):
            loops.setdefault(item.loop, []).append((item, ends[index] if ends else None))
        for loop, pairs in loops.items():
            try:
                loop.call_soon_threadsafe(self._resolve, pairs, error)
            except RuntimeError:  # the loop was closed while its task waited: nobody is left to answer
                log.warning("spool.unanswered", appends=len(pairs))

    def _resolve(self, pairs: list[tuple[_Waiting, Position | None]], error: Exception | None) -> None:
        for item, position in pairs:
            self._waiting_bytes -= sum(map(frame_size, item.payloads))
            if item.done.done():  # cancelled meanwhile
                continue
            if position is not None:
                item.done.set_result(position)
            elif error is not None:
                item.done.set_exception(error)

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


def _ends(waiting: Iterable[_Waiting], positions: Sequence[Position]) -> list[Position]:
    """Of the ends of all frames, the last one of each append."""
    counts = itertools.accumulate(len(item.payloads) for item in waiting)
    return [positions[count - 1] for count in counts]


def _full(folder: Path, error: OSError) -> StorageFull:
    return StorageFull(
        f"Records can't be written to {folder}: {error.strerror or error}.",
        retry_after_s=RETRY_AFTER_S,
        kept=_KEPT,
        hint="Free disk space or make the folder writable, then try again.",
    )
