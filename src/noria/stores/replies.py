"""Kept replies: one bounded table, in a file of the data folder or in the PostgreSQL database of several servers.

Nothing in it is needed: a table of another version is dropped, and what fails here fails no call. It is not part of a
backup. A reply is deleted when it is too old, when the table is full (the oldest first), and with the record it is from.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import structlog
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    func,
    inspect,
    select,
    text,
)

from noria.core.caching import KeptReply
from noria.core.decoding import UNREADABLE
from noria.core.errors import NoriaError
from noria.core.protocols import Clock
from noria.stores.catalogue.database import Database
from noria.stores.held_replies import HeldReplies
from noria.stores.nearest import MOST_COMPARED, Questions

_VERSION = 1
_TABLE = f"kept_replies_{_VERSION}"
_SHED = 0.9
"""How full the table is after it was too full."""
_MOST_WAITING = 1000
"""Replies that wait to be written; what comes meanwhile is not kept."""
_HELD = 8
"""What part of the bytes is held in memory, too: an eighth."""
_GROUP = 200
_MANY = 500
_MOST_ABOUTS = 32
"""Sets of questions that are held in memory, 3 MB each with vectors of 384 numbers."""
_log = structlog.get_logger(__name__)

_metadata = MetaData()
_replies = Table(
    _TABLE,
    _metadata,
    Column("key", Text, primary_key=True),
    Column("trace_id", Text, nullable=False),
    Column("user_id", Text),
    Column("kept_ns", BigInteger, nullable=False),
    Column("ends_ns", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("about", Text, nullable=False),
    Column("vector", LargeBinary),
    Column("body", LargeBinary, nullable=False),
    Index(f"{_TABLE}_by_trace", "trace_id"),
    Index(f"{_TABLE}_by_age", "kept_ns"),
    Index(f"{_TABLE}_by_question", "about", "kept_ns"),
)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(KeptReply).decode


class KeptReplies:
    """An open table of replies. One thread writes, so that no call waits for it.

    Where nobody else works on it, its keys are known in memory, and a look-up that finds nothing asks nobody. A table that
    several processes share is asked each time, in a thread: another one may have kept a reply, or forgotten it.
    """

    def __init__(self, database: Database, most_bytes: int, now: Clock, held: HeldReplies | None) -> None:
        self._database = database
        self._most_bytes = most_bytes
        self._now = now
        self._held = held
        self._waiting: dict[str, KeptReply] = {}
        self._queue: queue.SimpleQueue[KeptReply | threading.Event | None] = queue.SimpleQueue()
        self._bytes = 0
        self._count = 0
        self._not_kept = 0
        self._failed = 0
        self._asked: dict[str, Questions] = {}
        self._asking = threading.Lock()
        self._thread = threading.Thread(target=self._serve, name="noria-replies", daemon=True)

    @classmethod
    def open(cls, url: str, *, most_bytes: int, now: Clock, alone: bool) -> KeptReplies:
        """Open or make the table. A file that can't be read is made anew.

        Arguments:
            url: of the database, as for the catalogue.
            most_bytes: of all kept replies together.
            now: the clock.
            alone: nobody else answers calls from it.
        """
        try:
            database = _opened(url)
        except NoriaError:
            if not url.startswith("sqlite:///"):
                raise
            _log.warning("replies.made_anew", kept="nothing but earlier replies was lost")
            for end in ("", "-wal", "-shm"):
                Path(url.removeprefix("sqlite:///") + end).unlink(missing_ok=True)
            database = _opened(url)
        held = HeldReplies(most_bytes // _HELD) if alone else None
        found = cls(database, most_bytes, now, held)
        with database.write() as connection:
            found._shed(connection)
        found._thread.start()
        return found

    async def find(self, key: str) -> KeptReply | None:
        """See :class:`noria.core.caching.Replies`."""
        found = self._waiting.get(key)
        if found is None and self._held is not None:
            if key not in self._held:
                return None
            body = self._held.body(key)
            found = None if body is None else self._read(body)
        if found is None:
            found = await asyncio.to_thread(self._find, key)
        return found if found is not None and found.ends_ns > self._now() else None

    async def near(self, about: str, embedder: str, vector: bytes, threshold: float) -> tuple[KeptReply, float] | None:
        """See :class:`noria.core.caching.Replies`."""
        return await asyncio.to_thread(self._near, f"{embedder} {about}", vector, threshold)

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
        self._asked.clear()
        ids = list(traces)
        with self._database.write() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete = ON")
            gone: list[str] = []
            if user:
                gone += _deleted(connection, _replies.c.user_id == user)
            for start in range(0, len(ids), _MANY):
                gone += _deleted(connection, _replies.c.trace_id.in_(ids[start : start + _MANY]))
        if self._held is not None:
            self._held.drop(gone)
        if gone:
            self._checkpoint()
        return len(gone)

    def traces(self) -> list[str]:
        """Traces whose replies are kept, but for those of the last minute, whose record may be under way."""
        with self._database.read() as connection:
            old = select(_replies.c.trace_id).distinct().where(_replies.c.kept_ns < self._now() - 60 * 10**9)
            return [str(row[0]) for row in connection.execute(old)]

    def numbers(self) -> Mapping[str, float]:
        """For ``/metrics``."""
        return {
            "noria_cache_replies": self._count,
            "noria_cache_bytes": self._bytes,
            "noria_cache_not_kept_total": self._not_kept,
            "noria_cache_failed_total": self._failed,
        }

    def close(self) -> None:
        """Write what waits, and stop."""
        self._queue.put(None)
        self._thread.join()
        self._database.close()

    # -- inside

    def _find(self, key: str) -> KeptReply | None:
        try:
            with self._database.read() as connection:
                body = connection.execute(select(_replies.c.body).where(_replies.c.key == key)).scalar()
        except NoriaError as error:
            self._note_failure("find", error)
            return None
        if body is not None and self._held is not None:
            self._held.hold(key, body)
        return None if body is None else self._read(body)

    def _read(self, body: bytes) -> KeptReply | None:
        try:
            return _decode(body)
        except UNREADABLE as error:
            self._note_failure("read", error)
            return None

    def _near(self, about: str, vector: bytes, threshold: float) -> tuple[KeptReply, float] | None:
        """The likest of the newest questions, all of them compared: exact, and quick enough for so many."""
        try:
            with self._database.read() as connection:
                with self._asking:  # a row must not be of one question by its name and of another by its vector
                    best = self._questions(connection, about, len(vector)).likest(vector)
                if best is None or best[1] < threshold:
                    return None
                body = connection.execute(select(_replies.c.body).where(_replies.c.key == best[0])).scalar()
            found = None if body is None else _decode(body)
            if found is None or found.ends_ns <= self._now():  # deleted by another process, or too old
                self._asked.pop(about, None)
                return None
            return found, best[1]
        except (*UNREADABLE, NoriaError) as error:
            self._note_failure("near", error)
            return None

    def _questions(self, connection: Connection, about: str, size: int) -> Questions:
        """The newest questions with the same everything else; only what is new since the last time is read."""
        known = self._asked.pop(about, None) or Questions(size)
        newer = (
            select(_replies.c.key, _replies.c.vector, _replies.c.kept_ns)
            .where(_replies.c.about == about, _replies.c.kept_ns >= known.newest_ns, _replies.c.ends_ns > self._now())
            .order_by(_replies.c.kept_ns.desc())
            .limit(MOST_COMPARED)
        )
        for key, vector, kept_ns in reversed(connection.execute(newer).all()):
            known.add(key, vector, kept_ns)
        self._asked[about] = known
        while len(self._asked) > _MOST_ABOUTS:
            self._asked.pop(next(iter(self._asked)))
        return known

    def _serve(self) -> None:
        going = True
        while going:
            group = [self._queue.get()]
            while not self._queue.empty() and len(group) < _GROUP:
                group.append(self._queue.get_nowait())
            going = None not in group
            replies = {item.key: item for item in group if isinstance(item, KeptReply)}
            try:
                self._write(replies)
            except Exception as error:  # noqa: BLE001  # the thread's boundary: nobody waits for a cache
                self._not_kept += len(replies)
                self._note_failure("keep", error)
            for key, reply in replies.items():
                if self._waiting.get(key) is reply:
                    del self._waiting[key]
            for item in group:
                if isinstance(item, threading.Event):
                    item.set()

    def _write(self, replies: Mapping[str, KeptReply]) -> None:
        if not replies:
            return
        rows = [_Row.of(reply) for reply in replies.values()]
        with self._database.write() as connection:
            same = _replies.c.key.in_(list(replies))
            before = connection.execute(select(func.coalesce(func.sum(_replies.c.size), 0)).where(same)).scalar_one()
            self._count -= connection.execute(delete(_replies).where(same)).rowcount
            connection.execute(_replies.insert(), [row._asdict() for row in rows])
            self._bytes += sum(row.size for row in rows) - int(before)
            self._count += len(rows)
            shed = self._bytes > self._most_bytes
            if shed:
                self._shed(connection)
        if self._held is not None:
            take = self._held.hold if shed else self._held.add
            for row in rows:
                take(row.key, row.body)

    def _shed(self, connection: Connection) -> None:
        """Delete what is too old, and the oldest of the rest while there is too much of it."""
        connection.execute(delete(_replies).where(_replies.c.ends_ns <= self._now()))
        self._measure(connection)
        if self._bytes <= self._most_bytes:
            return
        excess, last_ns = self._bytes - int(self._most_bytes * _SHED), 0
        for size, kept_ns in connection.execute(
            select(_replies.c.size, _replies.c.kept_ns).order_by(_replies.c.kept_ns)
        ):
            excess, last_ns = excess - size, kept_ns
            if excess <= 0:
                break
        connection.execute(delete(_replies).where(_replies.c.kept_ns <= last_ns))
        self._measure(connection)

    def _measure(self, connection: Connection) -> None:
        row = connection.execute(select(func.count(), func.coalesce(func.sum(_replies.c.size), 0))).one()
        self._count, self._bytes = int(row[0]), int(row[1])
        if self._held is not None:
            self._held.become(connection.scalars(select(_replies.c.key)))

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


def _opened(url: str) -> Database:
    database = Database(url)
    try:
        with database.write() as connection:
            for name in inspect(connection).get_table_names():
                if name.startswith("kept_replies_") and name != _TABLE:
                    Table(name, MetaData()).drop(connection)
            _metadata.create_all(connection)
    except BaseException:
        database.close()
        raise
    return database


def _deleted(connection: Connection, some: ColumnElement[bool]) -> list[str]:
    """Delete some rows; their keys."""
    keys = list(connection.scalars(select(_replies.c.key).where(some)))
    connection.execute(delete(_replies).where(some))
    return keys


class _Row(NamedTuple):
    """A row of the table."""

    key: str
    trace_id: str
    user_id: str | None
    kept_ns: int
    ends_ns: int
    size: int
    about: str
    vector: bytes | None
    body: bytes

    @classmethod
    def of(cls, reply: KeptReply) -> _Row:
        body = _encode(reply)
        return cls(
            key=reply.key,
            trace_id=reply.trace_id,
            user_id=reply.user_id,
            kept_ns=reply.kept_ns,
            ends_ns=reply.ends_ns,
            size=len(body) + len(reply.vector),
            about=reply.about and f"{reply.embedder} {reply.about}",
            vector=reply.vector or None,
            body=body,
        )
