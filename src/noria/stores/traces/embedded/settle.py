"""From the recent tables into the file: for one thread at a time.

A whole recent table goes in one transaction, with the spool position behind which nothing is settled. DuckDB writes a
full one as a row group, straight into the file; its log then holds 6 kB, and the checkpoint that follows is short.
Afterwards the spool is released up to there.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator

import duckdb
import numpy as np
import structlog

from noria.stores.traces.embedded import blocks, keys, rollups
from noria.stores.traces.embedded.blocks import BLOCK, Said, Words
from noria.stores.traces.embedded.database import transaction
from noria.stores.traces.embedded.holdings import Holdings
from noria.stores.traces.embedded.keys import Run
from noria.stores.traces.embedded.recent import Recent
from noria.stores.traces.embedded.sidecar import RunKind, Sidecar
from noria.stores.traces.embedded.tables import HASHES, JUDGED, ROW_GROUP

log = structlog.get_logger(__name__)

_MENDED = 30 * BLOCK
"""Numbers whose words are made again at once."""
_PATIENCE = 30
"""So often is a checkpoint that must be made tried, over nine seconds."""
_ROLLED = 8 * ROW_GROUP
"""Numbers that are counted into the rollups at once when they are missing there."""
_PLAIN = ("name", "tool_name", "error_message")
_JSON = ("input", "output", "documents")
_ESCAPES = (r"\\", r"\"", r"\n", r"\t", r"\r", r"\b", r"\f")
"""The first one first: after it, a backslash that is left begins an escape."""
_CODE = re.compile(r"\\u[0-9a-f]{4}")


class Settler:
    """Moves the oldest recent table into the file, and keeps the index beside it."""

    def __init__(self, holdings: Holdings, sidecar: Sidecar) -> None:
        self._holdings = holdings
        self._sidecar = sidecar

    def settle(self, recent: Recent) -> None:
        """Settle the oldest recent table, which is sealed. Raises ``duckdb.Error``, ``OSError``: it stays as it is."""
        holdings = self._holdings
        with holdings.connection.cursor() as cursor:
            if not _in_file(cursor, recent):  # else an earlier try came so far, and failed at the index
                self._write(cursor, recent)
            checkpoint(cursor)
            run, words = self._index(cursor, recent)
            judged = self._judged(cursor, recent)
            with holdings.lock:
                holdings.recents = holdings.recents[1:]
                holdings.settled, holdings.settled_score = recent.end, recent.end_score
                holdings.settled_position, holdings.settled_skip = recent.position, recent.skip
                holdings.runs = (*holdings.runs, *run)
                holdings.words = (*holdings.words, *words)
                holdings.judged = (*holdings.judged, *judged)
            try:
                if holdings.rolled == recent.first:  # else parts are missing before it, which :meth:`roll` counts
                    self._count(cursor, recent.spans, recent.end)
            finally:
                for statement in recent.removal():
                    cursor.execute(statement)
        self._merge()

    def _write(self, cursor: duckdb.DuckDBPyConnection, recent: Recent) -> None:
        if recent.hidden:
            gone = f"SELECT * FROM settled.spans WHERE seq IN (SELECT seq FROM {recent.hides})"  # noqa: S608 - our table
            cursor.execute(f"CREATE OR REPLACE TABLE memory.main.gone AS {gone}")
        with contextlib.ExitStack() as stack:
            if recent.hidden:
                stack.enter_context(self._holdings.changes.change(rollups.hours(cursor, "memory.main.gone")))
            stack.enter_context(transaction(cursor))
            # What is spliced in are names of tables of ours, and a number.
            cursor.execute(f"INSERT INTO settled.spans SELECT * FROM {recent.spans}")  # noqa: S608
            cursor.execute(f"INSERT INTO settled.scores SELECT * FROM {recent.scores}")  # noqa: S608
            if recent.hidden:
                # Out of the rollups together with the file: whatever dies when, the two say the same.
                counted = f"(SELECT * FROM memory.main.gone WHERE seq < {self._holdings.rolled})"  # noqa: S608
                rollups.count(cursor, counted, -1)
                cursor.execute(f"DELETE FROM settled.spans WHERE seq IN (SELECT seq FROM {recent.hides})")  # noqa: S608
            cursor.execute(
                "UPDATE settled.meta SET spool_segment = $1, spool_offset = $2, spool_skip = $3, next_seq = $4,"
                " next_score = $5",
                _marks(recent),
            )

    def word(self, recent: Recent) -> None:
        """Note the words of the blocks that a recent table has filled, so that a search need not read them all."""
        with self._holdings.connection.cursor() as cursor:
            while (end := (recent.worded // BLOCK + 1) * BLOCK) <= recent.end:
                made = _words(cursor, recent.spans, recent.worded, end)
                with self._holdings.lock:
                    recent.words, recent.worded = (*recent.words, made), end

    def roll(self) -> bool:
        """Count some spans into the rollups that are not in them yet; whether there may be more."""
        first = self._holdings.rolled
        end = min(self._holdings.settled, first + _ROLLED)
        if first < end:
            rows = f"(SELECT * FROM settled.spans WHERE seq >= {first} AND seq < {end})"  # noqa: S608 - numbers
            with self._holdings.connection.cursor() as cursor:
                self._count(cursor, rows, end)
        return bool(first < end)

    def _count(self, cursor: duckdb.DuckDBPyConnection, rows: str, end: int) -> None:
        with self._holdings.changes.change(rollups.hours(cursor, rows)), contextlib.ExitStack() as stack:
            with transaction(cursor):
                rollups.count(cursor, rows, 1)
                rollups.merge(cursor)
                cursor.execute("UPDATE settled.rolled SET next_seq = $1", [end])
                # Nobody may see the sums before it is known what is in them.
                stack.enter_context(self._holdings.lock)
            self._holdings.rolled = end

    def mend(self) -> None:
        """Load the index, and make again what is missing of it: keys at once."""
        holdings = self._holdings
        runs = self._mended("ids", holdings.settled, f"SELECT seq, {HASHES} FROM settled.spans")  # noqa: S608 - our columns
        scores = f"SELECT seq, {JUDGED} FROM settled.scores"  # noqa: S608 - our columns
        judged = self._mended("judged", holdings.settled_score, scores)
        words, _ = self._sidecar.words(holdings.settled)
        with holdings.lock:
            holdings.runs, holdings.judged, holdings.words = tuple(runs), tuple(judged), tuple(words)

    def _mended(self, kind: RunKind, end: int, rows: str) -> list[Run]:
        runs, gaps = self._sidecar.runs(end, kind)
        for gap in gaps:
            for first, behind in _pieces(gap.first, gap.end, keys.LARGEST):
                with self._holdings.connection.cursor() as cursor:
                    runs.append(self._sidecar.keep_run(_run(cursor, rows, first, behind), kind))
                log.info("traces.keys_made_again", kind=kind, until=behind, of=end)
        runs.sort(key=lambda run: run.first)
        return runs

    def mend_words(self) -> bool:
        """Make the words of one batch again where they are missing; whether there may be more."""
        holdings = self._holdings
        there = sorted(holdings.words, key=lambda words: words.first)
        at = 1
        for first, following in [*((words.first, words.end) for words in there), (holdings.settled, 0)]:
            if at < first:
                end = min(first, at + _MENDED)
                with holdings.connection.cursor() as cursor:
                    made = self._sidecar.keep_words(_words(cursor, "settled.spans", at, end))
                with holdings.lock:
                    holdings.words = tuple(sorted([*holdings.words, made], key=lambda words: words.first))
                return True
            at = following
        return False

    def _index(self, cursor: duckdb.DuckDBPyConnection, recent: Recent) -> tuple[list[Run], list[Words]]:
        if recent.first == recent.end:
            return [], []
        run = self._sidecar.keep_run(keys.merged(recent.runs))
        words = list(recent.words)
        if recent.worded < recent.end:
            words.append(_words(cursor, recent.spans, recent.worded, recent.end))
        return [run], [self._sidecar.keep_words(blocks.merged(words))]

    def _judged(self, cursor: duckdb.DuckDBPyConnection, recent: Recent) -> list[Run]:
        if recent.first_score == recent.end_score:
            return []
        rows = f"SELECT seq, {JUDGED} FROM {recent.scores}"  # noqa: S608 - our table
        return [self._sidecar.keep_run(_run(cursor, rows, recent.first_score, recent.end_score), "judged")]

    def _merge(self) -> None:
        holdings = self._holdings
        runs = self._merged(holdings.runs, "ids")
        judged = self._merged(holdings.judged, "judged")
        with holdings.lock:
            holdings.runs, holdings.judged = runs, judged
        while len(holdings.words) > 1:
            pair = holdings.words[-2:]
            if pair[0].end != pair[1].first or (pair[1].end - 1) // BLOCK - pair[0].first // BLOCK >= 32:
                break
            joined = self._sidecar.keep_words(blocks.merged(pair))
            with holdings.lock:
                holdings.words = (*holdings.words[:-2], joined)
            self._sidecar.drop(pair, "said")

    def _merged(self, runs: tuple[Run, ...], kind: RunKind) -> tuple[Run, ...]:
        while count := keys.to_merge([len(run.traces) for run in runs]):
            some = runs[-count:]
            runs = (*runs[:-count], self._sidecar.keep_run(keys.merged(some), kind))
            self._sidecar.drop(some, kind)
        return runs


def _marks(recent: Recent) -> list[int]:
    """What the file says when all of the table is in it."""
    return [*recent.position, recent.skip, recent.end, recent.end_score]


def _in_file(cursor: duckdb.DuckDBPyConnection, recent: Recent) -> bool:
    marks = "SELECT spool_segment, spool_offset, spool_skip, next_seq, next_score FROM settled.meta"
    return [list(row) for row in cursor.execute(marks).fetchall()] == [_marks(recent)]


def checkpoint(cursor: duckdb.DuckDBPyConnection, *, must: bool = False) -> None:
    """Take DuckDB's log into the file. Where that can't be done now, the log is replayed at the next open.

    Raises:
        duckdb.Error: it can't be done, and it ``must``.
    """
    for attempt in range(_PATIENCE if must else 3):
        try:
            cursor.execute("CHECKPOINT settled")
        except duckdb.TransactionException as error:  # something else was just writing
            last = error
            time.sleep(0.02 * (attempt + 1))
        else:
            return
    if must:
        raise last
    log.warning("traces.checkpoint_failed", error=str(last))


def _pieces(first: int, end: int, most: int) -> Iterator[tuple[int, int]]:
    for at in range(first, end, most):
        yield at, min(end, at + most)


def _run(cursor: duckdb.DuckDBPyConnection, rows: str, first: int, end: int) -> Run:
    found = cursor.execute(f"{rows} WHERE seq >= $1 AND seq < $2", [first, end]).fetchnumpy()
    traces, spans, seqs = (np.asarray(found[name]) for name in ("trace", "span", "seq"))
    return keys.run_of(traces, spans, seqs, first, end)


def _words(cursor: duckdb.DuckDBPyConnection, table: str, first: int, end: int) -> Words:
    # A backslash separates in a text as it was said; in JSON it escapes, and is blanked with what it escapes.
    plain = [f"replace({name}, '\\', ' ')" for name in _PLAIN]
    said = f"lower(concat_ws(chr(10), {', '.join([*plain, *_JSON])}))"
    statement = f"SELECT seq, {said} FROM {table} WHERE seq >= $1 AND seq < $2"  # noqa: S608 - ours
    rows: dict[int, list[tuple[int, bytes]]] = {}
    for seq, text in cursor.execute(statement, [first, end]).fetchall():
        rows.setdefault(seq // BLOCK, []).append((seq, _blanked(text).encode()))

    def blocks_of() -> Iterator[Said]:
        for block, some in rows.items():
            texts = [text for _, text in some]
            ends = np.cumsum([len(text) + 1 for text in texts])
            yield Said(block, b"\n".join(texts), ends, np.array([seq for seq, _ in some], np.int64))

    return blocks.words_of(blocks_of(), first, end)


def _blanked(text: str) -> str:
    if "\\" not in text:
        return text
    for escape in _ESCAPES:
        text = text.replace(escape, "  ")
    return _CODE.sub(" ", text) if "\\" in text else text
