"""All that the store holds, and where: the file, the recent tables, and what is known of both without looking.

Three threads work on it: one takes from the spool, one settles, some answer. What they share is changed under ``lock``,
and only by putting a new value in the place of an old one.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np

from noria.stores.segments import Position
from noria.stores.traces.embedded.blocks import BLOCK, Times, Words
from noria.stores.traces.embedded.keys import Run, numbers_in, spans_in
from noria.stores.traces.embedded.over import Answers, Changes
from noria.stores.traces.embedded.recent import Recent

Array = np.ndarray[Any, Any]


class Holdings:
    """The state of an open store."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.lock = threading.Lock()
        """Held for moments."""
        row = connection.execute(
            "SELECT spool_segment, spool_offset, spool_skip, next_seq, next_score FROM settled.meta"
        ).fetchall()
        [(segment, offset, skip, seq, score)] = row
        self.settled = seq
        """Numbers below it are in the file."""
        [(self.rolled,)] = connection.execute("SELECT next_seq FROM settled.rolled").fetchall()
        """Numbers below it are in the rollups."""
        self.settled_score = score
        """The same for scores."""
        self.settled_position = Position(segment, offset)
        """Before it, everything in the spool is in the file."""
        self.settled_skip = skip
        """So many spans behind that position are, too."""
        self.runs: tuple[Run, ...] = ()
        """Where the settled spans are."""
        self.judged: tuple[Run, ...] = ()
        """Where the settled scores are."""
        self.words: tuple[Words, ...] = ()
        """What is said in them, oldest first."""
        self.times = Times()
        """When the spans of each block started, settled or not."""
        self.changes = Changes()
        """Of the rollups."""
        self.answers = Answers(self.changes)
        """What the rollups were asked."""
        first = Recent(0, seq, seq, score, score, self.settled_position, skip)
        for statement in first.creation():
            connection.execute(statement)
        self.recents: tuple[Recent, ...] = (first,)
        """What is not in the file yet, oldest first; the last one is filled."""
        self._see_times()

    def _see_times(self) -> None:
        found = self.connection.execute(
            f"SELECT seq // {BLOCK} AS block, min(start_ns) AS earliest, max(start_ns) AS latest"  # noqa: S608 - a number
            " FROM settled.spans GROUP BY block"
        ).fetchnumpy()
        self.times.widen(*(np.asarray(found[name]) for name in ("block", "earliest", "latest")))

    @property
    def filled(self) -> Recent:
        """The recent table that is filled now."""
        return self.recents[-1]

    def earlier(self, traces: Array, spans: Array) -> Array:
        """Numbers of the copies, of these spans, that may be anywhere."""
        with self.lock:
            runs = [*self.runs, *(run for recent in self.recents for run in recent.runs)]
        found = [spans_in(run, traces, spans) for run in runs]
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def of_traces(self, traces: Array) -> Array:
        """Numbers of the spans of these traces, and maybe of copies that are gone."""
        with self.lock:
            runs = [*self.runs, *(run for recent in self.recents for run in recent.runs)]
        return numbers_of(runs, traces)


def numbers_of(runs: Sequence[Run], traces: Array) -> Array:
    """Numbers of everything that is of one of these traces, sorted."""
    return np.sort(np.concatenate([np.zeros(0, np.int64), *(numbers_in(run, traces) for run in runs)]))
