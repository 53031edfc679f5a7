"""Group commit: appenders that arrive together share one ``fdatasync``.

One thread writes all that waits, syncs once and answers all. It knows segments only by their writer, and nothing of who
reads them.
"""

from __future__ import annotations

import asyncio
import itertools
import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import structlog

from noria.core.errors import StorageFull, Unavailable
from noria.stores.room import KEPT, Room, failed
from noria.stores.segment_writer import SegmentWriter
from noria.stores.segments import Position

MOST_WAITING = 128 << 20
"""When so much waits in memory for the disk, appends are refused instead of filling the memory."""

log = structlog.get_logger(__name__)


_Answer = Position | Exception


class _Waiting(NamedTuple):
    payloads: Sequence[bytes]
    size: int
    moved: bool
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Position]


class GroupCommit:
    """The thread and what waits for it.

    Arguments:
        folder: where the segments are, for what is said about its disk.
        writer: writes and syncs; called by the thread alone once it is started.
        room: what is free on the disk.
    """

    def __init__(self, folder: Path, writer: SegmentWriter, room: Room) -> None:
        self._folder = folder
        self._writer = writer
        self._room = room
        self._refusing = False
        self._queue: queue.SimpleQueue[_Waiting | threading.Event | None] = queue.SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()  # so that nothing is queued behind the end mark, where nobody answers it
        self._thread = threading.Thread(target=self._serve, name="noria-spool", daemon=True)
        self.kept: Callable[[Position], None] = lambda _end: None
        """Called by the thread with the end of what is durable, before whoever appended it is answered."""
        self.waiting_bytes = 0
        """Bytes that are not durable yet."""
        self.turned_away = 0
        """Appends refused because the disk was full, failed, or is too slow."""

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def begin(self, payloads: Sequence[bytes], size: int, *, moved: bool) -> asyncio.Future[Position]:
        """Queue an append of ``size`` bytes, all or nothing: its future has the end of the last frame.

        What is ``moved`` from another place may use the last of the room, because it frees as much there. Raises
        ``Unavailable`` where too much waits, or after the end.
        """
        if self.waiting_bytes and self.waiting_bytes + size > MOST_WAITING:
            self.turned_away += 1
            raise Unavailable(
                f"{self.waiting_bytes:,} bytes of records wait for the disk already.",
                kept=KEPT,
                hint="Send less, or use a faster disk.",
            )
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Position] = loop.create_future()
        with self._closing:
            if self._closed:
                raise Unavailable("The record spool is closed.", kept="This batch was not recorded.")
            self.waiting_bytes += size
            self._queue.put(_Waiting(payloads, size, moved, loop, done))
        return done

    def begin_anew(self) -> None:
        """Let later appends go into a new segment. Blocks for one write at most."""
        done = threading.Event()
        with self._closing:
            if self._closed:
                return
            self._queue.put(done)
        done.wait()

    def close(self) -> bool:
        """Finish what is queued and end the thread; whether it was not ended before. Blocks for one write at most."""
        with self._closing:
            if self._closed:
                return False
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        return True

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
                if new := sum(item.size for item in waiting if not item.moved):
                    self._room.check(new)
                positions = self._writer.write([payload for item in waiting for payload in item.payloads])
                self.kept(positions[-1])
            except StorageFull as error:
                self._refuse(waiting, error)
            except OSError as error:
                self._refuse(waiting, failed(self._folder, error))
            except (
                Exception
            ) as error:  # the thread's boundary: if it ended here, every later append would wait for ever
                name = type(error).__name__
                self._refuse(waiting, Unavailable(f"The record spool failed ({name}).", kept=KEPT))
                log.exception("spool.write_failed", refused=len(waiting))
            else:
                if self._refusing:
                    self._refusing = False
                    log.info("spool.writes_again", turned_away=self.turned_away)
                self._answer(waiting, _ends(waiting, positions))
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
        self._answer(waiting, itertools.repeat(error))

    def _answer(self, waiting: Sequence[_Waiting], answers: Iterable[_Answer]) -> None:
        """Wake each event loop once, however many of its tasks wait."""
        loops: dict[asyncio.AbstractEventLoop, list[tuple[_Waiting, _Answer]]] = {}
        for pair in zip(waiting, answers, strict=False):
            loops.setdefault(pair[0].loop, []).append(pair)
        for loop, pairs in loops.items():
            try:
                loop.call_soon_threadsafe(self._resolve, pairs)
            except RuntimeError:  # the loop was closed while its task waited: nobody is left to answer
                log.warning("spool.unanswered", appends=len(pairs))

    def _resolve(self, pairs: Sequence[tuple[_Waiting, _Answer]]) -> None:
        for item, answer in pairs:
            self.waiting_bytes -= item.size
            if item.done.done():  # cancelled meanwhile
                continue
            if isinstance(answer, Position):
                item.done.set_result(answer)
            else:
                item.done.set_exception(answer)


def _ends(waiting: Iterable[_Waiting], positions: Sequence[Position]) -> list[Position]:
    """Of the ends of all frames, the last one of each append."""
    counts = itertools.accumulate(len(item.payloads) for item in waiting)
    return [positions[count - 1] for count in counts]
