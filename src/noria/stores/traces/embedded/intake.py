"""From the spool into the recent tables: for one thread at a time.

The spool stays the record of what the recent tables hold: the store's file keeps the position behind which nothing is
settled, and the next open takes everything from there again, under the same numbers.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import structlog

from noria.core.decoding import UNREADABLE
from noria.stores.disk import make_folder, sync_folder
from noria.stores.segments import Frame, Position
from noria.stores.spool import Spool
from noria.stores.traces.embedded.database import pattern, transaction
from noria.stores.traces.embedded.holdings import Holdings
from noria.stores.traces.embedded.keys import run_of
from noria.stores.traces.embedded.recent import Recent
from noria.stores.traces.embedded.tables import HASHES, insert
from noria.stores.traces.rows import Lines, unpack

Array = np.ndarray[Any, Any]
_OBJECT_BYTES = 16 << 20
"""DuckDB's own default for the longest JSON object."""
_BATCH_BYTES = 16 << 20
"""Taken at once."""

log = structlog.get_logger(__name__)


class _Came(NamedTuple):
    seqs: Array
    starts: Array
    traces: Array
    spans: Array


class Intake:
    """Takes what the spool holds into the recent tables.

    Arguments:
        holdings: where to.
        spool: where from.
        folder: the spool's, for files that DuckDB reads.
    """

    def __init__(self, holdings: Holdings, spool: Spool, folder: Path) -> None:
        self._holdings = holdings
        self._spool = spool
        self._folder = folder
        self.position = holdings.settled_position
        """Everything before it is taken."""
        self._skip = holdings.settled_skip
        self.drained = 0
        """Records taken since open."""
        self.recovered = 0
        """Those of them that an earlier process had appended."""
        self.refused = 0
        """Appends that DuckDB would not take; they are kept in ``refused/`` in the spool's folder."""
        self.deadline = math.inf
        """When the monotonic clock says so, no further batch is begun. What is left stays in the spool."""

    def take_some(self) -> bool:
        """Take the next batch; whether there was any. Raises what DuckDB or the disk raise; then the rest is still there."""
        batch = self._spool.read(self.position, _BATCH_BYTES)
        if batch is None:
            return False
        self._take(batch.frames, batch.segment, batch.position)
        return True

    def seal(self) -> None:
        """Let nothing more come into the table that is filled, while nothing is being taken."""
        recent = self._holdings.filled
        made = Recent(recent.number + 1, recent.end, recent.end, recent.end_score, recent.end_score, recent.position)
        made.skip = recent.skip
        with self._holdings.connection.cursor() as cursor, self._holdings.lock:
            with transaction(cursor):
                for statement in made.creation():
                    cursor.execute(statement)
            recent.sealed = True
            self._holdings.recents = (*self._holdings.recents, made)

    def carry_on(self, before: Intake) -> None:
        """Count on where another stopped; what was taken and not settled is taken again."""
        self.drained, self.recovered, self.refused = before.drained, before.recovered, before.refused
        self.deadline = before.deadline

    def _take(self, frames: Sequence[Frame], segment: int, position: Position) -> None:
        try:
            batch = [unpack(frame.payload) for frame in frames]
            self._store(batch, position)
        except (*UNREADABLE, duckdb.DataError, duckdb.InvalidInputException) as error:
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
        self.recovered += count if segment < self._spool.first_own else 0

    def _store(self, batch: Sequence[Lines], position: Position) -> None:
        recent = self._holdings.filled
        spans, scores = [lines.spans for lines in batch], [lines.scores for lines in batch]
        count, judged = (sum(part.count(b"\n") for part in parts) for parts in (spans, scores))
        skipped = min(self._skip, count)
        start, end = recent.end, recent.end + count - skipped
        came, hidden, tables = None, 0, [recent]
        with contextlib.ExitStack() as stack:
            cursor = stack.enter_context(self._holdings.connection.cursor())
            with transaction(cursor):
                if start < end:
                    came = self._insert(cursor, recent, spans, skipped)
                    hidden = self._supersede(cursor, recent, came)
                while end >= tables[-1].limit:
                    tables.append(_follow(cursor, recent, tables[-1], position))
                if len(tables) > 1:
                    cursor.execute(f"DELETE FROM {recent.spans} WHERE seq >= $1", [recent.limit])  # noqa: S608 - our table
                if judged:
                    with self._file(scores) as file:
                        cursor.execute(insert("scores").format(tables[-1].scores), [*file, recent.end_score, 0])
                # Nobody may see the rows before it is known where they are.
                stack.enter_context(self._holdings.lock)
            before, self.position, self._skip = self.position, position, self._skip - skipped
            recent.hidden += hidden
            for table in tables:
                first, table.end = table.end, min(end, table.limit)
                if came is not None:
                    mine = (came.seqs >= first) & (came.seqs < table.end)
                    table.earliest = min([table.earliest, *came.starts[mine].tolist()])
                    table.add(run_of(came.traces[mine], came.spans[mine], came.seqs[mine], first, table.end))
                if table is not tables[-1]:
                    table.sealed, table.position, table.skip = True, before, skipped + table.limit - start
            tables[-1].position, tables[-1].skip = position, self._skip
            tables[-1].end_score += judged
            if came is not None:
                self._holdings.times.add(came.seqs, came.starts)
            self._holdings.recents = (*self._holdings.recents, *tables[1:])

    def _insert(self, cursor: duckdb.DuckDBPyConnection, recent: Recent, parts: Sequence[bytes], skipped: int) -> _Came:
        with self._file(parts) as file:
            cursor.execute(insert("spans").format(recent.spans), [*file, recent.end - skipped, skipped])
        # What is spliced in is the name of a table of ours.
        wanted = f"SELECT seq, start_ns, {HASHES} FROM {recent.spans} WHERE seq >= $1 ORDER BY seq"  # noqa: S608
        found = cursor.execute(wanted, [recent.end]).fetchnumpy()
        return _Came(*(np.asarray(found[name]) for name in ("seq", "start_ns", "trace", "span")))

    def _supersede(self, cursor: duckdb.DuckDBPyConnection, recent: Recent, came: _Came) -> int:
        """Remove or hide earlier copies of spans that have come; how many were hidden."""
        earlier = self._holdings.earlier(came.traces, came.spans)
        order = np.lexsort((came.seqs, came.spans, came.traces))
        traces, spans = came.traces[order], came.spans[order]
        again = (traces[1:] == traces[:-1]) & (spans[1:] == spans[:-1])
        here = np.concatenate([earlier[earlier >= recent.first], came.seqs[order][:-1][again]])
        if len(here):
            cursor.execute(f"DELETE FROM {recent.spans} WHERE seq IN (SELECT unnest($1))", [here.tolist()])  # noqa: S608 - our table
        older = earlier[earlier < recent.first]
        if len(older):
            cursor.execute(f"INSERT INTO {recent.hides} SELECT unnest($1)", [older.tolist()])
        return len(older)

    @contextlib.contextmanager
    def _file(self, parts: Sequence[bytes]) -> Iterator[list[str | int]]:
        """The lines as a file for ``read_json``: its name, in which DuckDB looks for wildcards, and an object size."""
        path = self._folder / "batch.jsonl"
        with path.open("wb") as file:
            file.writelines(parts)
        try:
            yield [pattern(path), max(_OBJECT_BYTES, max(map(len, parts)) + 1)]
        finally:
            path.unlink(missing_ok=True)

    def _set_aside(self, frame: Frame, segment: int, position: Position, error: Exception) -> None:
        folder = self._folder / "refused"
        make_folder(folder)
        path = folder / f"{segment:016d}-{frame.end}.msgpack"
        with path.open("wb") as file:
            file.write(frame.payload)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(folder)  # before the spool may forget it
        self._holdings.filled.position = self.position = position
        self.refused += 1
        log.error("traces.refused", kept=str(path), error=str(error))


def _follow(cursor: duckdb.DuckDBPyConnection, recent: Recent, last: Recent, position: Position) -> Recent:
    """The table behind ``last``, with its part of what ``recent`` has too much."""
    made = Recent(last.number + 1, last.limit, last.limit, recent.end_score, recent.end_score, position)
    for statement in made.creation():
        cursor.execute(statement)
    moved = f"INSERT INTO {made.spans} SELECT * FROM {recent.spans} WHERE seq >= $1 AND seq < $2"  # noqa: S608 - our tables
    cursor.execute(moved, [made.first, made.limit])
    return made
