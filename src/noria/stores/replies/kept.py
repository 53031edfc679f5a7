"""Kept replies: written by one thread, read without one, bounded in all.

Nothing in the table is needed: what fails here fails no call, and it is not part of a backup. A reply is deleted when it is
too old, when the table is full (the oldest first), and with the record it is from.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import structlog
from sqlalchemy import Connection, delete, func, select, text

from noria.core.caching import KeptReply
from noria.core.decoding import UNREADABLE
from noria.core.errors import NoriaError
from noria.core.protocols import Clock
from noria.stores.catalogue.database import Database
from noria.stores.replies.nearest import MOST_COMPARED, Questions
from noria.stores.replies.postgres import PostgresReading
from noria.stores.replies.reading import Reading
from noria.stores.replies.sqlite import SQLiteReading
from noria.stores.replies.table import FILE, Row, about_of, but_forgotten, decode, delete_of, opened, replies

_SHED = 0.9
"""How full the table is after it was too full."""
_MOST_WAITING = 1000
"""Replies that wait to be written; what comes meanwhile is not kept."""
_GROUP = 200
_MOST_ABOUTS = 32
"""Sets of questions that are held in memory, 3 MB each with vectors of 384 numbers."""
_MEASURE_S = 30.0
"""How old the table's size may be, as this process knows it: others may write, too."""
_APART_NS = 5 * 10**9
"""How far the clocks of several servers may be apart."""
_log = structlog.get_logger(__name__)


class KeptReplies:
    """An open table of replies. One thread writes, so that no call waits for it; look-ups need none.

    Arguments:
        database: where the table is.
        reading: how it is looked up.
        most_bytes: of all kept replies together.
        now: the clock.
        alone: nobody else keeps or forgets replies there, so that those which wait to be written are found, too.
    """

    def __init__(self, database: Database, reading: Reading, most_bytes: int, now: Clock, *, alone: bool) -> None:
        self._database = database
        self._reading = reading
        self._most_bytes = most_bytes
        self._now = now
        self._alone = alone
        self._waiting: dict[str, KeptReply] = {}
        self._queue: queue.SimpleQueue[KeptReply | threading.Event | None] = queue.SimpleQueue()
        self._bytes = 0
        self._count = 0
        self._measured = 0.0
        self._not_kept = 0
        self._failed = 0
        self._asked: dict[str, Questions] = {}
        self._asking = asyncio.Lock()
        self._thread = threading.Thread(target=self._serve, name="noria-replies", daemon=True)

    @classmethod
    def open(cls, url: str, *, most_bytes: int, now: Clock, alone: bool) -> KeptReplies:
        """Open or make the table. A file that can't be read is made anew.

        Arguments:
            url: of the database, as for the catalogue.
            most_bytes: of all kept replies together.
            now: the clock.
            alone: nobody else works on it.
        """
        file = Path(url.removeprefix(FILE)) if url.startswith(FILE) else None
        try:
            database = opened(url)
        except NoriaError:
            if file is None:
                raise
            _log.warning("replies.made_anew", kept="nothing but earlier replies was lost")
            for end in ("", "-wal", "-shm"):
                Path(f"{file}{end}").unlink(missing_ok=True)
            database = opened(url)
        reading = PostgresReading(url) if file is None else SQLiteReading(file)
        found = cls(database, reading, most_bytes, now, alone=alone)
        with database.write() as connection:
            found._shed(connection)
        found._thread.start()
        return found

    async def find(self, key: str) -> KeptReply | None:
        """See :class:`noria.core.caching.Replies`."""
        found = self._waiting.get(key) if self._alone else None
        if found is None:
            try:
                body = await self._reading.body(key)
                found = None if body is None else decode(body)
            except (*UNREADABLE, NoriaError) as error:
                self._note_failure("find", error)
        return found if found is not None and found.ends_ns > self._now() else None

    async def near(self, about: str, embedder: str, vector: bytes, threshold: float) -> tuple[KeptReply, float] | None:
        """See :class:`noria.core.caching.Replies`. All of the newest questions are compared: exact, and quick enough for so many."""
        within = about_of(embedder, about)
        try:
            best = (await self._questions(within, len(vector))).likest(vector)
            if best is None or best[1] < threshold:
                return None
            body = await self._reading.body(best[0])
            found = None if body is None else decode(body)
        except (*UNREADABLE, NoriaError) as error:
            self._note_failure("near", error)
            return None
        if found is None or found.ends_ns <= self._now():  # deleted, or too old
            self._asked.pop(within, None)
            return None
        return found, best[1]

    def keep(self, reply: KeptReply) -> None:
        """See :class:`noria.core.caching.Replies`."""
        if len(self._waiting) >= _MOST_WAITING:
            self._not_kept += 1
            return
        self._waiting[reply.key] = reply
        self._queue.put(reply)

    def forget(self, *, user: str = "", traces: Iterable[str] = ()) -> int:
        """See :class:`noria.core.caching.Replies`. The file holds them no longer, when it returns."""
        self._settle()
        until_ns = self._now() + (_APART_NS if self._database.shared else 0)
        with self._database.write() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            gone = delete_of(connection, user, list(traces), until_ns)
        self._asked = {}
        self._settle()  # what was kept meanwhile is found no longer, and not written
        if gone:
            self._checkpoint()
        return gone

    def resize(self, most_bytes: int) -> None:
        """Keep at most so much from now on; what is too much goes when the next reply is kept."""
        self._most_bytes = most_bytes

    def traces(self) -> list[str]:
        """Traces whose replies are kept, but for those of the last minute, whose record may be under way."""
        with self._database.read() as connection:
            old = select(replies.c.trace_id).distinct().where(replies.c.kept_ns < self._now() - 60 * 10**9)
            return [str(row[0]) for row in connection.execute(old)]

    def numbers(self) -> Mapping[str, float]:
        """For ``/metrics``."""
        return {
            "noria_cache_replies": self._count,
            "noria_cache_bytes": self._bytes,
            "noria_cache_not_kept_total": self._not_kept,
            "noria_cache_failed_total": self._failed,
        }

    async def close(self) -> None:
        """Write what waits, and stop."""
        await self._reading.close()
        await asyncio.to_thread(self._stop)

    # -- inside

    def _stop(self) -> None:
        self._queue.put(None)
        self._thread.join()
        self._database.close()

    async def _questions(self, within: str, size: int) -> Questions:
        """The newest questions with the same everything else; only what is new since the last time is read."""
        async with self._asking:  # a set that is read for the first time is read once
            known = self._asked.pop(within, None) or Questions(size)
            newer = await self._reading.newer(within, known.newest_ns, self._now(), MOST_COMPARED)
            for key, vector, kept_ns in reversed(newer):
                known.add(key, vector, kept_ns)
            self._asked[within] = known
            while len(self._asked) > _MOST_ABOUTS:
                self._asked.pop(next(iter(self._asked)))
            return known

    def _serve(self) -> None:
        going = True
        while going:
            group = self._taken()
            going = None not in group
            kept = {item.key: item for item in group if isinstance(item, KeptReply)}
            try:
                self._write(kept) if group else self._look()
            except Exception as error:  # noqa: BLE001  # the thread's boundary: nobody waits for a cache
                self._not_kept += len(kept)
                self._note_failure("keep", error)
            for key, reply in kept.items():
                if self._waiting.get(key) is reply:
                    del self._waiting[key]
            for item in group:
                if isinstance(item, threading.Event):
                    item.set()

    def _taken(self) -> list[KeptReply | threading.Event | None]:
        """What waits, as soon as there is something; nothing where nothing came for long."""
        group: list[KeptReply | threading.Event | None] = []
        with contextlib.suppress(queue.Empty):
            group.append(self._queue.get(timeout=_MEASURE_S))
            while len(group) < _GROUP:
                group.append(self._queue.get_nowait())
        return group

    def _look(self) -> None:
        with self._database.read() as connection:
            self._measure(connection)

    def _write(self, kept: Mapping[str, KeptReply]) -> None:
        if not kept:
            return
        made = [Row.of(reply) for reply in kept.values()]
        with self._database.write() as connection:
            same = replies.c.key.in_(list(kept))
            before = connection.execute(select(func.coalesce(func.sum(replies.c.size), 0)).where(same)).scalar_one()
            self._count -= connection.execute(delete(replies).where(same)).rowcount
            rows = but_forgotten(connection, made, self._now())
            if rows:
                connection.execute(replies.insert(), [row._asdict() for row in rows])
            self._bytes += sum(row.size for row in rows) - int(before)
            self._count += len(rows)
            if time.monotonic() - self._measured > _MEASURE_S:
                self._measure(connection)
            if self._bytes > self._most_bytes:
                self._shed(connection)

    def _shed(self, connection: Connection) -> None:
        """Delete what is too old, and the oldest of the rest while there is too much of it."""
        connection.execute(delete(replies).where(replies.c.ends_ns <= self._now()))
        self._measure(connection)
        if self._bytes <= self._most_bytes:
            return
        excess, last_ns = self._bytes - int(self._most_bytes * _SHED), 0
        for size, kept_ns in connection.execute(select(replies.c.size, replies.c.kept_ns).order_by(replies.c.kept_ns)):
            excess, last_ns = excess - size, kept_ns
            if excess <= 0:
                break
        connection.execute(delete(replies).where(replies.c.kept_ns <= last_ns))
        self._measure(connection)

    def _measure(self, connection: Connection) -> None:
        row = connection.execute(select(func.count(), func.coalesce(func.sum(replies.c.size), 0))).one()
        self._count, self._bytes = int(row[0]), int(row[1])
        self._measured = time.monotonic()

    def _settle(self) -> None:
        """Wait until what was kept so far is written."""
        if self._thread.is_alive():
            done = threading.Event()
            self._queue.put(done)
            done.wait()

    def _checkpoint(self) -> None:
        connection = self._database.lasting()
        try:
            if connection.dialect.name == "sqlite":
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        finally:
            connection.close()

    def _note_failure(self, what: str, error: Exception) -> None:
        self._failed += 1
        _log.warning("replies.failed", what=what, error=type(error).__name__)
