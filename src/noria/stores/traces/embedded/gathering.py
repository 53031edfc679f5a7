"""What workers have spooled, moved into the holder's spool, from which the store takes everything: each record once.

A moved frame carries its origin. So after a crash the holder's own spool says what was moved last; and before anything of
it is taken, and can be forgotten there, the same is written down beside the frames it came from. A worker that is gone, of
this holder or of one before it, leaves its folder behind: all of it is moved, then it is deleted.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import structlog

from noria.core.errors import Unavailable
from noria.stores.disk import sync_folder, write_whole
from noria.stores.folder_lock import try_lock
from noria.stores.page import Page
from noria.stores.segments import START, SUFFIX, Damage, Position, scan, segment_path
from noria.stores.spool import Spool
from noria.stores.traces.rows import count_in, moved, unpack
from noria.stores.worker_spool import ANEW, DURABLE, FOLDER, LOCK, MOVED, PAGE

_AT_ONCE = 4 << 20
"""About so many bytes are moved at once, so that what is appended meanwhile does not wait for long."""
_PATIENCE_S = 5.0
"""How long workers may take to let go of what was moved."""
_LOOK_S = 0.05
_MARK = "moved"

log = structlog.get_logger(__name__)


class _Frame(NamedTuple):
    payload: bytes
    end: Position


class _Source:
    """The folder of one worker."""

    def __init__(self, folder: Path, moved: Position) -> None:
        self.folder = folder
        self.moved = max(moved, _mark_in(folder))
        try:
            self.page: Page | None = Page.open(folder / PAGE)
        except (OSError, ValueError):  # copied without it, so nobody is there who would read it
            self.page = None

    def gone(self) -> bool:
        """Whether nobody writes here any more."""
        try:
            lock = os.open(self.folder / LOCK, os.O_RDWR)
        except FileNotFoundError:
            return True
        try:
            return try_lock(lock, shared=True)
        finally:
            os.close(lock)

    def durable(self) -> Position:
        """Up to where the worker that lives has said that all is durable."""
        page = self.page
        return page.get(DURABLE) if page is not None else START

    def segments(self) -> list[int]:
        return sorted(int(path.stem) for path in self.folder.glob(f"*{SUFFIX}") if path.stem.isdigit())

    def read(self, until: Position | None) -> tuple[list[_Frame], Position]:
        """The frames of the next segment that has any, and what is moved with them; of all there is without ``until``."""
        for number in self.segments():
            start = self.moved.offset if number == self.moved.segment else 0
            if number < self.moved.segment or (until is not None and number > until.segment):
                continue
            stop = until.offset if until is not None and number == until.segment else None
            data = _bytes(segment_path(self.folder, number), start, stop)
            if not data:
                continue
            end = start + len(data)
            frames: list[_Frame] = []
            for item in scan(data, number, base=start):
                if not isinstance(item, Damage):
                    frames.append(_Frame(item.payload, Position(number, item.end)))
                elif until is None and item.end == end:  # the append that the worker's end cut off
                    log.warning("spool.cut", spool=self.folder.name, segment=number, cut_bytes=item.end - item.start)
                else:
                    lost = item.end - item.start
                    log.error("spool.damaged", spool=self.folder.name, segment=number, lost_bytes=lost)
            return frames, Position(number, end)
        return [], self.moved

    def keep(self) -> None:
        """Write down what was moved, and tell the worker, who deletes it."""
        write_whole(self.folder / _MARK, b"%d %d" % self.moved)
        if self.page is not None:
            self.page.put(MOVED, self.moved)

    def delete_moved(self) -> None:
        """Delete what was moved, where nobody else does."""
        for number in self.segments():
            path = segment_path(self.folder, number)
            if (number, path.stat().st_size) <= self.moved:
                path.unlink()
        sync_folder(self.folder)

    def remove(self) -> None:
        """Delete the folder. What was moved is forgotten last."""
        self.page = None
        self.delete_moved()
        shutil.rmtree(self.folder)
        sync_folder(self.folder.parent)


class Gathering:
    """Moves what the workers of a folder have made durable.

    Arguments:
        spool: the holder's.
        spool_folder: where it is.
        taken: before it nothing is of interest.
    """

    def __init__(self, spool: Spool, spool_folder: Path, taken: Position) -> None:
        self._spool = spool
        self._folder = spool_folder / FOLDER
        self._sources: dict[str, _Source] = {}
        self._one_at_a_time = asyncio.Lock()
        self.records = 0
        """Records that were moved since open."""
        self.end = START
        """Where in the holder's spool the last of them ends."""
        self._moved_before: dict[str, Position] = {}
        if self._names():
            self._moved_before = dict(_origins(spool, taken))
        for unfinished in self._folder.glob(".*"):  # a worker that was killed before it could take anything
            shutil.rmtree(unfinished, ignore_errors=True)

    def behind(self) -> bool:
        """Whether there is something to move, or a worker is gone."""
        return any(source.gone() or source.durable() > source.moved for source in self._all())

    def holds_more(self, taken: Position) -> bool:
        """Whether there may be records of workers that are not before ``taken`` in the holder's spool."""
        return self.end > taken or bool(self._names())

    async def gather(self) -> None:
        """Move everything that is durable now. Raises ``Unavailable``, ``StorageFull``: what was not moved stays.

        A caller who goes away does not end it: what is moved must be noted.
        """
        if self._names():
            await asyncio.shield(asyncio.create_task(self._gather()))

    async def empty(self) -> None:
        """Move everything, and return when no worker's file holds any of it any more. Raises ``Unavailable``."""
        before = {source: source.durable().segment for source in self._all()}
        for source in before:
            if source.page is not None:
                source.page.put(ANEW, Position(source.page.get(ANEW).segment + 1, 0))
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            await self.gather()
            if not any(number <= last for source, last in before.items() for number in source.segments()):
                return
            if time.monotonic() > deadline:
                raise Unavailable(
                    "A worker still holds records in its spool.",
                    kept="Nothing was deleted.",
                    hint="Ask again; if it stays so, look in the log what that worker does.",
                )
            await asyncio.sleep(_LOOK_S)

    async def _gather(self) -> None:
        async with self._one_at_a_time:
            try:
                for source in self._all():
                    await self._move(source)
            except OSError as error:
                raise Unavailable(
                    f"What workers have recorded can't be moved now: {error}.", kept="It is safe in their spools."
                ) from error

    async def _move(self, source: _Source) -> None:
        gone = source.gone()  # first: what is found afterwards is then all there will be
        until = None if gone else source.durable()
        while gone or source.durable() > source.moved:
            frames, end = await asyncio.to_thread(source.read, until)
            if not frames and end == source.moved:
                break
            for some in _portions(frames):
                payloads = [moved(frame.payload, (source.folder.name, *frame.end)) for frame in some]
                self.end = await self._spool.move_in(payloads)
                source.moved = some[-1].end
                self.records += sum(count_in(frame.payload) for frame in some)
            source.moved = end
            await asyncio.to_thread(source.keep)
            if gone:
                await asyncio.to_thread(source.delete_moved)
            elif end >= source.durable():
                break
        if gone:
            await asyncio.to_thread(source.remove)
            del self._sources[source.folder.name]

    def _all(self) -> list[_Source]:
        for name in self._names():
            if name not in self._sources:
                self._sources[name] = _Source(self._folder / name, self._moved_before.get(name, START))
        return list(self._sources.values())

    def _names(self) -> list[str]:
        try:
            return sorted(path.name for path in self._folder.iterdir() if not path.name.startswith("."))
        except FileNotFoundError:
            return []


def _origins(spool: Spool, after: Position) -> Iterator[tuple[str, Position]]:
    """Where the moved frames in the holder's spool came from, in the order in which they were moved."""
    while (batch := spool.read(after)) is not None:
        for frame in batch.frames:
            origin = unpack(frame.payload).origin
            if origin is not None:
                yield origin[0], Position(*origin[1:])
        after = batch.position


def _bytes(path: Path, start: int, end: int | None) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read() if end is None else file.read(max(0, end - start))
    except FileNotFoundError:  # deleted by its worker, because it was moved
        return b""


def _mark_in(folder: Path) -> Position:
    try:
        segment, offset = (folder / _MARK).read_text().split()
    except FileNotFoundError:
        return START
    return Position(int(segment), int(offset))


def _portions(frames: list[_Frame]) -> Iterator[list[_Frame]]:
    some: list[_Frame] = []
    size = 0
    for frame in frames:
        some.append(frame)
        size += len(frame.payload)
        if size >= _AT_ONCE:
            yield some
            some, size = [], 0
    if some:
        yield some
