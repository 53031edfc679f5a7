"""The DuckDB file, and the memory beside it: one DuckDB instance with two databases.

``settled`` is the file. What is not in it yet lives in tables in memory, see :mod:`recent`. The file is written in whole
row groups, which DuckDB compresses and writes at once, past its log: a checkpoint then has next to nothing to do (5 ms
where it took up to 4.6 s), and nobody waits for it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import duckdb

from noria.core.errors import Conflict, InvalidInput, Unavailable
from noria.stores.traces.embedded import migrate, rollups
from noria.stores.traces.embedded.tables import ROW_GROUP, schema
from noria.stores.traces.schema import VERSION

MEMORY = "400MB"
"""By default DuckDB would take 80 % of the machine, which a local model needs; beyond this it spills to disk."""
_ATTACHED = f"(ROW_GROUP_SIZE {ROW_GROUP}, STORAGE_VERSION 'v2.0.0')"


def connect(path: Path, readable: Path) -> duckdb.DuckDBPyConnection:
    """Open or create the trace file. Beside it, its statements reach the files of the folder ``readable``, and no others.

    Raises:
        Conflict: another process has it open.
        InvalidInput: a newer Noria wrote it, or it is no trace file.
        Unavailable: it can't be opened or made.
    """
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "memory_limit": MEMORY,
        "temp_directory": str(path.with_name(path.name + ".tmp")),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(":memory:", config=config)
    except OSError as error:
        raise Unavailable(f"The folder of the trace file {path} can't be made: {error.strerror}.") from error
    try:
        _attach(connection, path)
        _prepare(connection, path)
        with transaction(connection):
            for statement in rollups.schema():
                connection.execute(statement)
        _confine(connection, readable)
    except BaseException:
        connection.close()
        raise
    return connection


def _attach(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    try:
        connection.execute(f"ATTACH {_quoted(path)} AS settled {_ATTACHED}")
    except duckdb.Error as error:
        if "set lock on file" in str(error) or "used by another process" in str(error):
            raise Conflict(
                f"The trace file {path} is open in another process.",
                hint="Stop that process, or talk to it over HTTP.",
            ) from error
        raise Unavailable(f"The trace file {path} can't be opened: {error}.") from error


def _prepare(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    found = connection.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'settled'").fetchall()
    names = {name for (name,) in found}
    if not names:
        with transaction(connection):
            for statement in schema():
                connection.execute(statement)
        return
    if "meta" not in names:
        raise InvalidInput(f"{path} is a DuckDB file, but no trace file of Noria.", kept="It was not changed.")
    [(version,)] = connection.execute("SELECT schema_version FROM settled.meta").fetchall()
    if version > VERSION:
        raise InvalidInput(
            f"The trace file {path} has schema version {version}; this Noria knows up to {VERSION}.",
            kept="It was not changed.",
            hint="Use the Noria that wrote it, or a newer one.",
        )
    if version < VERSION:
        try:
            migrate.from_version_1(connection, path, _ATTACHED)
        except (duckdb.Error, OSError) as error:
            raise Unavailable(
                f"The trace file {path} can't be brought to schema version {VERSION}: {error}.",
                kept="It was not changed.",
            ) from error
        _attach(connection, path)


def _confine(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Take the disk and the network away from SQL for good: should a question ever inject some, it reads no file."""
    # Compared as texts: the names of the folder's files come with its wildcards escaped, see ``pattern``.
    connection.execute("SET allowed_directories = $1", [[str(folder), pattern(folder)]])
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def pattern(path: Path) -> str:
    """A path for functions that look for wildcards in it."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in str(path))


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


@contextlib.contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All of what is done inside, or nothing of it."""
    connection.execute("BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(duckdb.Error):  # a failed commit has rolled back already
            connection.execute("ROLLBACK")
        raise
