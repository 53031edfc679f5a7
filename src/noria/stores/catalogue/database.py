"""One database behind the catalogue: connections, transactions, and one writer at a time.

Catalogue writes are acts of people and finished experiments, a few a second at most. So writers queue, on both
databases, and no function has to think about another writer in between: SQLite by ``BEGIN IMMEDIATE``, PostgreSQL by
an advisory lock that ends with the transaction. Readers wait for nobody and see one snapshot.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from noria.core.errors import InvalidInput, Unavailable
from noria.stores.catalogue.failures import translated

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

_BUSY_MS = 10_000
"""Longest wait for a writer in another process, milliseconds."""

_WRITER_KEY = 0x6E6F726961
"""PostgreSQL advisory lock of the one writer: ``noria`` in ASCII."""

_PRAGMAS = (
    f"PRAGMA busy_timeout = {_BUSY_MS}",
    "PRAGMA journal_mode = WAL",  # readers and the writer don't block one another
    "PRAGMA synchronous = FULL",  # a commit survives a power cut
    "PRAGMA foreign_keys = ON",  # off by default, per connection
)


class Database:
    """Connections to one database, shared by all threads of the process."""

    def __init__(self, url: str) -> None:
        parsed = parse_url(url)
        self.place = parsed.render_as_string(hide_password=True)
        self._engine = _sqlite(parsed) if parsed.drivername == "sqlite" else _postgres(parsed)
        self._reader, self._writer = _roles(self._engine)
        self._turn = threading.Lock()
        self.changes = 0
        """Commits made through this object."""
        self.told: Callable[[int], None] = lambda _changes: None
        """Called after each commit, with their number, before whoever made it goes on."""
        self._closed = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that reads: everything in it is of one moment."""
        self._check_open()
        with self.errors(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that writes: the only one while it lasts, whole or not at all."""
        self._check_open()
        # The lock lets threads of this process queue fairly, instead of retrying against one another in SQLite.
        with self._turn:
            with self.errors(), self._writer.begin() as connection:
                yield connection
            self.changes += 1
            self.told(self.changes)

    @contextmanager
    def tally(self) -> Iterator[Connection]:
        """A transaction that changes numbers which change with every call, and nothing that people name.

        It is no change of the catalogue, so nobody reads anything anew for it. On PostgreSQL such transactions run beside
        the one writer and each other; each locks the rows that it changes.
        """
        self._check_open()
        if not self.shared:
            with self._turn, self.errors(), self._writer.begin() as connection:
                yield connection
            return
        with self.errors(), self._engine.begin() as connection:
            yield connection

    @property
    def shared(self) -> bool:
        """Whether other processes may work on it at the same time."""
        return self._engine.dialect.name != "sqlite"

    def lasting(self) -> Connection:
        """A connection for as long as its holder wants, each statement a transaction of its own."""
        self._check_open()
        with self.errors():
            return self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")

    def close(self) -> None:
        """Close all connections."""
        self._closed = True
        self._engine.dispose()

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable(f"The catalogue at {self.place} is closed.")

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Translate SQLAlchemy's errors."""
        try:
            yield
        except SQLAlchemyError as error:
            raise translated(error, self.place) from error


def inserting(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insertion that can say what happens where the row is there already; both databases spell it alike."""
    if dialect == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - slow, and loaded already where it is used

    return postgresql.insert(table)


def parse_url(url: str) -> URL:
    """Understand a database URL; ``postgresql://`` means the psycopg driver.

    Everything after ``sqlite:///`` is the file's path as it is: a folder may be called ``what?``.
    """
    if url.startswith("sqlite:///"):
        path = url.removeprefix("sqlite:///")
        if path and path != ":memory:":
            return URL.create("sqlite", database=path)
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = URL.create("unknown")  # the text is not repeated: it may hold a password
    if parsed.drivername in {"postgresql", "postgres"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername != "postgresql+psycopg":
        raise InvalidInput(
            f"The catalogue can't live in a database of the kind {parsed.drivername!r}.",
            hint="Use sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE.",
        )
    return parsed


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url, pool_size=8, max_overflow=32, pool_timeout=10)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgres(url: URL) -> Engine:
    try:
        engine = create_engine(
            url,
            pool_size=4,
            max_overflow=12,
            pool_timeout=10,
            pool_pre_ping=True,  # a restarted server costs nobody an error
            connect_args={"connect_timeout": 5},
        )
    except ImportError as error:
        raise InvalidInput(
            "PostgreSQL needs the psycopg driver.", hint="Install it with: pip install 'noria[postgres]'."
        ) from error
    event.listen(engine, "begin", _begin_postgres)
    return engine


def _roles(engine: Engine) -> tuple[Engine, Engine]:
    """The engine as a reader and as a writer, on one pool."""
    writer = engine.execution_options(noria_write=True)
    if engine.dialect.name == "sqlite":
        return engine, writer  # every SQLite transaction is serialisable
    # A reader keeps its first statement's snapshot. A writer must not: it would be of before its wait for the lock.
    return engine.execution_options(isolation_level="REPEATABLE READ"), writer.execution_options(
        isolation_level="READ COMMITTED"
    )


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Python's sqlite3 begins transactions late and not before DDL; without its help, BEGIN means what it says.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        _patiently(connection, pragma)


def _patiently(connection: sqlite3.Connection, pragma: str) -> None:
    """Run ``pragma``, again and again where that is left to us.

    Two who turn a new file to WAL at once are refused without the wait that ``busy_timeout`` names: SQLite sees that both hold what the other needs, and leaves it to them to try again.
    """
    deadline = time.monotonic() + _BUSY_MS / 1000
    while True:
        try:
            connection.execute(pragma).close()
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        time.sleep(random.uniform(0.001, 0.02))  # noqa: S311 - apart from one another, not secret


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("noria_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _begin_postgres(connection: Connection) -> None:
    if connection.get_execution_options().get("noria_write", False):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_BUSY_MS}")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITER_KEY})")
