"""From the spool into DuckDB: the synchronous half of the store, for one thread at a time.

Rows and spool position are committed in one transaction, so a record is taken exactly once whatever dies when.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import msgspec
import structlog

from noria.core.errors import Conflict, InvalidInput, NoriaError, Unavailable
from noria.stores.segments import Frame, Position
from noria.stores.spool import OpenSpool, Spool
from noria.stores.traces import tables
from noria.stores.traces.compile import Sql
from noria.stores.traces.rows import Lines, unpack, without_texts
from noria.stores.traces.schema import VERSION

_OBJECT_BYTES = 16 << 20
"""DuckDB's own default for the longest JSON object."""
_STRIPPED_AT_ONCE = 1000

log = structlog.get_logger(__name__)


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
        # Checkpoints stall writers; at the default of 16 MB one comes every few seconds under load.
        "checkpoint_threshold": "64MB",
        # By default DuckDB would take 80 % of the machine, which a local model needs; beyond this it spills to disk.
        "memory_limit": "1GB",
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(str(path), config=config)
    except OSError as error:
        raise Unavailable(f"The folder of the trace file {path} can't be made: {error.strerror}.") from error
    except duckdb.Error as error:
        if "set lock on file" in str(error) or "used by another process" in str(error):
            raise Conflict(
                f"The trace file {path} is open in another process.",
                hint="Stop that process, or talk to it over HTTP.",
            ) from error
        raise Unavailable(f"The trace file {path} can't be opened: {error}.") from error
    try:
        _confine(connection, readable)
        _prepare(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _confine(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Take the disk and the network away from SQL for good: should a question ever inject some, it reads no file."""
    # Compared as texts: the names of the folder's files come with its wildcards escaped, see ``_pattern``.
    connection.execute("SET allowed_directories = $1", [[str(folder), _pattern(folder)]])
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _pattern(path: Path) -> str:
    """A path for functions that look for wildcards in it."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in str(path))


def _prepare(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    names = {name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    if not names:
        with _transaction(connection):
            for statement in tables.schema():
                connection.execute(statement)
        return
    if "meta" not in names:
        raise InvalidInput(f"{path} is a DuckDB file, but no trace file of Noria.", kept="It was not changed.")
    [(version,)] = connection.execute("SELECT schema_version FROM meta").fetchall()
    if version > VERSION:
        raise InvalidInput(
            f"The trace file {path} has schema version {version}; this Noria knows up to {VERSION}.",
            kept="It was not changed.",
            hint="Use the Noria that wrote it, or a newer one.",
        )
    if version < VERSION:
        with _transaction(connection):
            for statement in tables.migration():
                connection.execute(statement)


def stored_position(connection: duckdb.DuckDBPyConnection) -> Position:
    """What the file says it has taken."""
    [(segment, offset)] = connection.execute("SELECT spool_segment, spool_offset FROM meta").fetchall()
    return Position(segment, offset)


@contextlib.contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(duckdb.Error):  # a failed commit has rolled back already
            connection.execute("ROLLBACK")
        raise


class Intake:
    """Takes what the spool holds into the file."""

    def __init__(self, path: Path, spool_folder: Path, open_spool: OpenSpool = Spool.open) -> None:
        """Open both. The file comes first: its lock keeps a second process away from the spool, too."""
        self._path = path
        self._folder = spool_folder
        self.connection = connect(path, spool_folder)
        try:
            self.position = stored_position(self.connection)
            self.spool = open_spool(spool_folder, taken=self.position)
        except BaseException:
            self.connection.close()
            raise
        self.drained = 0
        """Records taken since open."""
        self.recovered = 0
        """Those of them that an earlier process had appended."""
        self.refused = 0
        """Appends that DuckDB would not take; they are kept in ``refused/`` in the spool's folder."""
        self.deadline = math.inf
        """When the monotonic clock says so, no further batch is begun. What is left stays in the spool."""

    def take(self, until: Position) -> None:
        """Take everything before ``until``. Everything stays in the spool when it raises ``Unavailable``."""
        try:
            # Asked again each time: after a commit that failed half-way only the file knows.
            self.position = stored_position(self.connection)
            while self.position < until and time.monotonic() < self.deadline:
                batch = self.spool.read(self.position)
                if batch is None:
                    break
                self._take(batch.frames, batch.segment, batch.position)
                self.spool.release(self.position)
        except (duckdb.FatalException, duckdb.InternalException, duckdb.ConnectionException) as error:
            # DuckDB refuses all further work on this connection; a new one replays its log from disk. Where that fails
            # the closed one stays, and the next take comes here again.
            self.connection.close()
            try:
                self.connection = connect(self._path, self._folder)
            except NoriaError as still:
                raise _behind(still) from error
            raise _behind(error) from error
        except (duckdb.Error, OSError) as error:
            raise _behind(error) from error

    def delete(self, matching: Sql) -> int:
        """Delete the spans whose ``trace_id`` and ``span_id`` the statement selects, with their scores; their count."""
        try:
            with _transaction(self.connection):
                self.connection.execute(f"CREATE OR REPLACE TEMP TABLE doomed AS {matching.text}", matching.parameters)
                [(count,)] = self.connection.execute(tables.DELETE_SPANS).fetchall()
                self.connection.execute(tables.DELETE_SCORES)
            self.connection.execute("CHECKPOINT")
        except duckdb.Error as error:
            raise Unavailable(f"The trace store can't delete now: {error}.") from error
        return int(count)

    def strip(self, matching: Sql) -> int:
        """Delete the texts of the spans that the statement selects; how many had any.

        It selects ``seq``, ``attributes``, and whether there are texts beside the attributes.
        """
        try:
            with _transaction(self.connection):
                rows = self.connection.execute(matching.text, matching.parameters).fetchall()
                left = [(seq, attributes, without_texts(attributes), others) for seq, attributes, others in rows]
                kept = [(seq, after) for seq, before, after, others in left if others or after != before]
                for at in range(0, len(kept), _STRIPPED_AT_ONCE):
                    document = msgspec.json.encode(kept[at : at + _STRIPPED_AT_ONCE]).decode()
                    self.connection.execute(tables.STRIP, [document])
            self.connection.execute("CHECKPOINT")
        except duckdb.Error as error:
            raise Unavailable(f"The trace store can't delete now: {error}.") from error
        return len(kept)

    def close(self) -> None:
        """Checkpoint and close both."""
        try:
            self.connection.execute("CHECKPOINT")
        except duckdb.Error as error:  # its log is replayed at the next open
            log.warning("traces.checkpoint_failed", error=str(error))
        finally:
            self.connection.close()
            self.spool.close()

    def _take(self, frames: Sequence[Frame], segment: int, position: Position) -> None:
        try:
            batch = [unpack(frame.payload) for frame in frames]
            self._store(batch, position)
        except (duckdb.DataError, duckdb.InvalidInputException, msgspec.DecodeError) as error:
            # One bad append must neither block nor sink the others: halve until it is alone, then set it aside.
            if len(frames) > 1:
                middle = len(frames) // 2
                self._take(frames[:middle], segment, Position(segment, frames[middle - 1].end))
                self._take(frames[middle:], segment, position)
                return
            self._set_aside(frames[0], segment, position, error)
            return
        count = sum(lines.records for lines in batch)
        self.drained += count
        self.recovered += count if segment < self.spool.first_own else 0
        self.position = position

    def _store(self, batch: Sequence[Lines], position: Position) -> None:
        spans, scores = [lines.spans for lines in batch], [lines.scores for lines in batch]
        with _transaction(self.connection):
            if any(spans):
                self._insert_spans(spans)
            if any(scores):
                with self._file(scores) as file:
                    self.connection.execute(tables.insert("scores"), file)
            self._keep(position)

    def _insert_spans(self, parts: Sequence[bytes]) -> None:
        with self._file(parts) as file:
            self.connection.execute(tables.KEYS, file)
            [(repeated,)] = self.connection.execute(tables.REPEATED).fetchall()
            [(earliest,)] = self.connection.execute(tables.EARLIEST).fetchall()
            if earliest is not None:
                self.connection.execute(tables.REPLACE, [earliest])
            self.connection.execute(tables.insert("spans", last_wins=repeated), file)
            self.connection.execute(tables.NUMBERED)

    def _keep(self, position: Position) -> None:
        self.connection.execute("UPDATE meta SET spool_segment = $1, spool_offset = $2", list(position))

    @contextlib.contextmanager
    def _file(self, parts: Sequence[bytes]) -> Iterator[list[str | int]]:
        """The lines as a file for ``read_json``: its name, in which DuckDB looks for wildcards, and an object size."""
        path = self._folder / "batch.jsonl"
        with path.open("wb") as file:
            file.writelines(parts)
        try:
            yield [_pattern(path), max(_OBJECT_BYTES, max(map(len, parts)) + 1)]
        finally:
            path.unlink(missing_ok=True)

    def _set_aside(self, frame: Frame, segment: int, position: Position, error: Exception) -> None:
        folder = self._folder / "refused"
        folder.mkdir(exist_ok=True)
        path = folder / f"{segment:016d}-{frame.end}.msgpack"
        with path.open("wb") as file:
            file.write(frame.payload)
            file.flush()
            os.fsync(file.fileno())
        with _transaction(self.connection):
            self._keep(position)
        self.refused += 1
        self.position = position
        log.error("traces.refused", kept=str(path), error=str(error))


def _behind(error: Exception) -> Unavailable:
    return Unavailable(f"The trace store can't take records now: {error}.", kept="They are safe in the spool.")
