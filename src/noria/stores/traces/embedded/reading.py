"""One moment of all that the store holds, for one question: the file and the recent tables as one table each.

Everything that a question reads comes from one snapshot of both databases, taken while nothing is moved between them.
Tables that are dropped meanwhile stay readable in it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import duckdb
import numpy as np

from noria.stores.traces.compile import Sql
from noria.stores.traces.embedded.blocks import BLOCK, Words
from noria.stores.traces.embedded.holdings import Holdings, numbers_of

Array = np.ndarray[Any, Any]
_MOST_RANGES = 64
"""Ranges of one statement: each is planned by itself."""
_MOST_NUMBERS = 500
"""Scores that are asked for by their numbers; of more, whole blocks are read."""


class Range(NamedTuple):
    """Some numbers (``seq``)."""

    first: int
    """The first."""
    end: int
    """Behind the last."""
    only: tuple[int, ...] | None = None
    """Of these, none but those; None for all."""

    @property
    def condition(self) -> str:
        """As SQL."""
        chosen = f" AND seq IN ({', '.join(map(str, self.only))})" if self.only is not None else ""
        return f"seq >= {self.first} AND seq < {self.end}{chosen}"


class _Table(NamedTuple):
    spans: str
    scores: str
    hides: str | None
    first: int
    end: int


class Moment:
    """What there is; make one with :func:`moment`."""

    def __init__(self, holdings: Holdings, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor
        self._settled = holdings.settled
        self._settled_score = holdings.settled_score
        self._recents = [
            _Table(item.spans, item.scores, item.hides if item.hidden else None, item.first, item.end)
            for item in holdings.recents
        ]
        self.words: tuple[Words, ...] = (*holdings.words, *(some for item in holdings.recents for some in item.words))
        """What is said in the spans, oldest first; not in all of them."""
        self._judged = holdings.judged
        self.end = self._recents[-1].end
        """Behind the last number."""
        self.rolled = holdings.rolled
        """Numbers below it are in the rollups."""
        self.settled = self._settled
        """Behind the last number that is in the file."""
        self.position = holdings.filled.position
        """Everything before it in the spool is seen here."""
        self.earliest = min(item.earliest for item in holdings.recents)
        """When the first span started that is not in the file."""
        self.number = 0
        """The last change of the rollups that is surely seen here."""

    def ask(
        self,
        sql: Sql,
        ranges: Sequence[Range] | None = None,
        traces: Array | None = None,
    ) -> list[tuple[Any, ...]]:
        """Answer a statement over ``spans`` and ``scores``.

        Arguments:
            sql: the statement.
            ranges: of the spans, look at those in here alone.
            traces: of the scores, look at least at all those of the traces with these hashes.
        """
        # The names and numbers that are spliced in are ours.
        scores = self._scores(of_spans=ranges is not None) if traces is None else self._scores_of(traces)
        text = (
            f"WITH spans AS NOT MATERIALIZED ({self.spans(ranges)}), scores AS NOT MATERIALIZED ({scores}) {sql.text}"
        )
        return self._cursor.execute(text, sql.parameters).fetchall()

    def ask_of(self, relations: str, sql: Sql) -> duckdb.DuckDBPyConnection:
        """Answer a statement over ``relations``, which are SQL and hold one of the name ``spans``."""
        return self._cursor.execute(f"WITH {relations} {sql.text}", sql.parameters)

    def hidden(self) -> str:
        """The condition that holds for spans of the file which a later copy in memory has replaced."""
        return " OR ".join(f"seq IN (SELECT seq FROM {item.hides})" for item in self._recents if item.hides) or "false"  # noqa: S608

    @property
    def hides(self) -> bool:
        """Whether any are replaced so."""
        return any(item.hides for item in self._recents)

    def spans(self, ranges: Sequence[Range] | None) -> str:
        """The spans in ``ranges``, or all of them, as SQL."""
        tables = [_Table("settled.spans", "", None, 0, self._settled), *self._recents]
        branches = []
        for index, table in enumerate(tables):
            hidden = [f"seq NOT IN (SELECT seq FROM {later.hides})" for later in tables[index + 1 :] if later.hides]  # noqa: S608
            found = [Range(table.first, table.end)] if ranges is None else list(_within(ranges, table))
            if found:
                conditions = " AND ".join([_any(found), *hidden])
                branches.append(f"SELECT * FROM {table.spans} WHERE {conditions}")  # noqa: S608
        return " UNION ALL ".join(branches or [f"SELECT * FROM {tables[0].spans} WHERE false"])  # noqa: S608

    def _scores(self, *, of_spans: bool) -> str:
        branches = [f"SELECT * FROM settled.scores WHERE seq < {self._settled_score}"]  # noqa: S608
        branches += [f"SELECT * FROM {table.scores}" for table in self._recents]  # noqa: S608
        whole = " UNION ALL ".join(branches)
        if not of_spans:
            return whole
        return f"SELECT * FROM ({whole}) WHERE trace_key IN (SELECT md5_number_lower(trace_id) FROM spans)"  # noqa: S608

    def _scores_of(self, traces: Array) -> str:
        numbers = numbers_of(self._judged, traces)
        few = len(numbers) <= _MOST_NUMBERS
        ranges = ranges_of_numbers(numbers, BLOCK, few=True) if few else ranges_of(numbers // BLOCK, BLOCK)
        table = _Table("", "settled.scores", None, 0, self._settled_score)
        found = list(_within(ranges, table))
        branches = [f"SELECT * FROM settled.scores WHERE {_any(found) if found else 'false'}"]  # noqa: S608
        branches += [f"SELECT * FROM {recent.scores}" for recent in self._recents]  # noqa: S608
        return " UNION ALL ".join(branches)


@contextlib.contextmanager
def moment(holdings: Holdings) -> Iterator[Moment]:
    """This moment, for one thread."""
    with holdings.connection.cursor() as cursor:
        with holdings.lock:
            number = holdings.changes.number
            cursor.execute("BEGIN")
            # A snapshot of a database begins when it is first touched.
            cursor.execute(f"SELECT 1 FROM settled.meta, {holdings.filled.hides} LIMIT 1").fetchall()  # noqa: S608 - our table
            made = Moment(holdings, cursor)
            made.number = number
        try:
            yield made
        finally:
            with contextlib.suppress(duckdb.Error):
                cursor.execute("ROLLBACK")


def ranges_of(blocks: Sequence[int] | Array, size: int) -> list[Range]:
    """Ranges that cover blocks of ``size`` numbers, at most 64: where there would be more, some of what lies between."""
    ordered = np.unique(np.asarray(blocks, np.int64))
    if not len(ordered):
        return []
    gaps = np.diff(ordered)
    wide = np.flatnonzero(gaps > 1)
    if len(wide) >= _MOST_RANGES:
        wide = np.sort(wide[np.argsort(gaps[wide], kind="stable")[-(_MOST_RANGES - 1) :]])
    firsts = ordered[np.concatenate([[0], wide + 1])]
    lasts = ordered[np.concatenate([wide, [len(ordered) - 1]])]
    return [Range(int(first) * size, (int(last) + 1) * size) for first, last in zip(firsts, lasts, strict=True)]


def ranges_of_numbers(seqs: Sequence[int] | Array, size: int, *, few: bool = False) -> list[Range]:
    """Ranges that hold just these numbers, one for each block that has any; as many as that, or a ``few``: at most 64."""
    ordered = np.unique(np.asarray(seqs, np.int64))
    blocks = ordered // size
    if few and len(np.unique(blocks)) > _MOST_RANGES:
        pieces = [ordered[(ordered >= item.first) & (ordered < item.end)] for item in ranges_of(blocks, size)]
    else:
        pieces = np.split(ordered, np.flatnonzero(np.diff(blocks)) + 1) if len(ordered) else []
    return [Range(int(some[0]), int(some[-1]) + 1, tuple(some.tolist())) for some in pieces]


def _any(ranges: Sequence[Range]) -> str:
    """A condition that DuckDB takes into its scan: it skips what no range touches, and plans the statement once.

    A branch for each range, ``UNION ALL``, took 7 ms of planning each.
    """
    return f"({' OR '.join(f'({item.condition})' for item in ranges)})"


def _within(ranges: Sequence[Range], table: _Table) -> Iterator[Range]:
    for item in ranges:
        first, end = max(item.first, table.first), min(item.end, table.end)
        if first >= end:
            continue
        if item.only is None:
            yield Range(first, end)
        elif only := tuple(seq for seq in item.only if first <= seq < end):
            yield Range(only[0], only[-1] + 1, only)
