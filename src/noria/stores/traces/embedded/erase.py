"""Deleting spans and texts so that nothing of them is left in the store's files.

DuckDB marks deleted rows and keeps their bytes; what it frees at a checkpoint keeps its bytes, too, until something else
is written there. So everything is settled first and the spool begun anew; then each row group that holds something to
delete is written again without it, in a transaction of its own; and at the end all free room in the file is written over.

What a crash interrupts is gone from the answers as far as it went, and is done by asking again. The words' hashes in the
index stay: they are no text.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import duckdb
import numpy as np

from noria.core.errors import Unavailable
from noria.stores.traces.compile import compile_matches
from noria.stores.traces.embedded import newest, rollups
from noria.stores.traces.embedded.database import transaction
from noria.stores.traces.embedded.keeper import Keeper
from noria.stores.traces.embedded.settle import checkpoint
from noria.stores.traces.embedded.tables import ROW_GROUP
from noria.stores.traces.plan import Plan
from noria.stores.traces.rows import LONG_TEXT, without_texts
from noria.stores.traces.schema import Source

Array = np.ndarray[Any, Any]
_GROUP = "(SELECT * FROM settled.{} WHERE {{}})"
"""The rows of a row group; the braces that are left are for which."""
_EMPTY = {"input": "'[]'", "output": "'[]'", "variables": "'{{}}'", "documents": "'[]'", "events": "'[]'"}
_GONE = ", ".join(
    [
        *(f"CASE WHEN gone IS NULL THEN {name} ELSE {empty} END AS {name}" for name, empty in _EMPTY.items()),
        "CASE WHEN gone IS NULL THEN error_message END AS error_message",
        "coalesce(kept, attributes) AS attributes",
    ]
)
_STRIPPED = (
    f"SELECT * EXCLUDE (gone, kept) REPLACE ({_GONE}) FROM {_GROUP.format('spans')}"  # noqa: S608 - our names
    " LEFT JOIN (SELECT unnest($1) AS gone, unnest(CAST($2 AS VARCHAR[])) AS kept) ON seq = gone"
)
"""A row group without the texts of the spans $1; their attributes are $2, where they change."""
_ROLLED = "(SELECT * FROM settled.spans WHERE seq < {} AND seq IN (SELECT unnest($1)))"
"""Of the spans $1, those in the rollups."""
_ON_THEM = (
    "SELECT seq FROM settled.scores WHERE trace_key IN"
    " (SELECT md5_number_lower(trace_id) FROM settled.spans WHERE seq IN (SELECT unnest($1)))"
    " AND (trace_id, span_id) IN (SELECT (trace_id, span_id) FROM settled.spans WHERE seq IN (SELECT unnest($1)))"
)
"""The scores on the spans $1."""
_HAS_TEXTS = (
    "(input != '[]' OR output != '[]' OR variables != '{}' OR documents != '[]' OR events != '[]'"
    " OR error_message IS NOT NULL)"
)
_PAGE = 4096
"""Bytes of a page of metadata."""
_SPARE = 64
"""So many pages more are filled than are free: a checkpoint needs some while it frees others."""
_AT_ONCE = 1024
"""Pages that one comment fills: the statement is as long."""


class _Group(NamedTuple):
    first: int
    """Row id of its first row."""
    last: int
    """Of its last."""


def delete(keeper: Keeper, chosen: Plan) -> int:
    """Delete the spans that match, with all scores on them; their count. Nothing may be taken meanwhile."""
    keeper.settle(everything=True)
    seqs = [seq for (seq,) in _matching(keeper, chosen, "seq")]
    if seqs:
        with _changing(keeper) as cursor, keeper.holdings.changes.change(None):
            changes: tuple[tuple[Source, Any], ...] = (
                ("scores", cursor.execute(_ON_THEM, [seqs]).fetchnumpy()["seq"]),
                ("spans", seqs),
            )
            for source, mine in changes:
                kept = f"SELECT * FROM {_GROUP.format(source)} WHERE seq NOT IN (SELECT unnest($1))"  # noqa: S608 - our tables
                for group, some in _groups(cursor, source, np.asarray(mine, np.int64)):
                    with transaction(cursor):
                        if source == "spans":
                            rollups.count(cursor, _ROLLED.format(keeper.holdings.rolled), -1, [some])
                        _rewrite(cursor, source, group, kept, [some])
                    checkpoint(cursor, must=True)
    return len(seqs)


def strip(keeper: Keeper, chosen: Plan) -> int:
    """Delete the texts of spans that match and keep their numbers; how many had any. Nothing may be taken meanwhile."""
    keeper.settle(everything=True)
    long = f"CASE WHEN length(attributes) > {LONG_TEXT} THEN attributes END"
    left: dict[int, str | None] = {}
    """The spans that have texts; and their attributes, where some go."""
    for seq, has, attributes in _matching(keeper, chosen, f"seq, {_HAS_TEXTS}, {long}"):
        kept = without_texts(attributes) if attributes is not None else None
        if has or kept != attributes:
            left[seq] = kept
    if left:
        with _changing(keeper) as cursor:
            for group, some in _groups(cursor, "spans", np.array(list(left), np.int64)):
                with transaction(cursor):
                    _rewrite(cursor, "spans", group, _STRIPPED, [some, [left[seq] for seq in some]])
                checkpoint(cursor, must=True)
    return len(left)


def _matching(keeper: Keeper, chosen: Plan, columns: str) -> list[tuple[Any, ...]]:
    sql = compile_matches(chosen, f"SELECT {columns}")
    return keeper.read(lambda now: now.ask(sql, newest.scope(now, keeper.holdings, chosen)))


@contextlib.contextmanager
def _changing(keeper: Keeper) -> Iterator[duckdb.DuckDBPyConnection]:
    """A cursor for rewriting; afterwards, what it freed in the file is written over."""
    try:
        with keeper.holdings.connection.cursor() as cursor:
            checkpoint(cursor, must=True)
            yield cursor
            checkpoint(cursor, must=True)
            _overwrite(cursor)
    except duckdb.Error as error:
        raise Unavailable(
            f"The trace store can't delete now: {error}.",
            kept="What was deleted stays deleted.",
            hint="Ask again.",
        ) from error


def _groups(cursor: duckdb.DuckDBPyConnection, source: Source, seqs: Array) -> Iterator[tuple[_Group, list[int]]]:
    """Each row group with some of these rows, and which; it must be written again before the next is asked for."""
    while len(seqs):
        ends = _ends(cursor, source)
        found = cursor.execute(
            f"SELECT seq, rowid AS row FROM settled.{source} WHERE seq IN (SELECT unnest($1)) ORDER BY row",  # noqa: S608 - ours
            [seqs.tolist()],
        ).fetchnumpy()
        if not len(found["row"]):
            return
        index = int(np.searchsorted(ends, found["row"][0], "right"))
        group = _Group(int(ends[index - 1]), int(ends[index]) - 1)
        some = found["seq"][(found["row"] >= group.first) & (found["row"] <= group.last)]
        yield group, some.tolist()
        seqs = np.setdiff1d(seqs, some)


def _ends(cursor: duckdb.DuckDBPyConnection, source: Source) -> Array:
    """Row ids behind each row group, before them that of the first row.

    Row ids run on from row group to row group; where they begin is known from the end, once the last row is there.
    """
    last = f"SELECT max(rowid) FROM settled.{source}"  # noqa: S608 - ours
    with transaction(cursor):
        [(row,)] = cursor.execute(last).fetchall()
        cursor.execute(f"INSERT INTO settled.{source} SELECT * FROM settled.{source} WHERE rowid = {row}")  # noqa: S608
        cursor.execute(f"DELETE FROM settled.{source} WHERE rowid = {row}")  # noqa: S608
    [(row,)] = cursor.execute(last).fetchall()
    counts = cursor.execute(
        "SELECT sum(count) FROM pragma_storage_info($1) WHERE column_name = 'seq' AND segment_type = 'BIGINT'"
        " GROUP BY row_group_id ORDER BY row_group_id",
        [f"settled.{source}"],
    ).fetchall()
    behind = np.cumsum([0, *(int(count) for (count,) in counts)])
    ends: Array = behind + (row + 1 - behind[-1])
    return ends


def _rewrite(
    cursor: duckdb.DuckDBPyConnection, source: Source, group: _Group, kept: str, parameters: list[list[Any]]
) -> None:
    rows = f"rowid BETWEEN {group.first} AND {group.last}"
    # What is spliced in are names of ours and numbers.
    cursor.execute(f"INSERT INTO settled.{source} {kept.format(rows)}", parameters)
    cursor.execute(f"DELETE FROM settled.{source} WHERE {rows}")  # noqa: S608


def _overwrite(cursor: duckdb.DuckDBPyConnection) -> None:
    """Fill what is free in the file with numbers that say nothing, and free it again."""
    [(free,)] = cursor.execute(
        "SELECT free_blocks FROM pragma_database_size() WHERE database_name = 'settled'"
    ).fetchall()
    [(pages,)] = cursor.execute("SELECT coalesce(sum(free_blocks), 0) FROM pragma_metadata_info('settled')").fetchall()
    cursor.execute(
        "CREATE TABLE settled.filler AS SELECT hash(number) AS number FROM range($1) AS numbers(number)",
        [(free + 1) * ROW_GROUP],
    )
    checkpoint(cursor, must=True)
    cursor.execute("DROP TABLE settled.filler")
    checkpoint(cursor, must=True)
    # Smallest and largest values of columns are kept in smaller pages; comments fill those. Twice, because the end of a
    # page that is in use stays as it was until the page is left.
    for _ in range(2):
        tables = [f"settled.filler_{index}" for index in range((int(pages) + _SPARE) // _AT_ONCE + 1)]
        for table in tables:
            cursor.execute(f"CREATE TABLE {table} (number INTEGER)")
            cursor.execute(f"COMMENT ON TABLE {table} IS '{'.' * (_PAGE * min(int(pages) + _SPARE, _AT_ONCE))}'")
        checkpoint(cursor, must=True)
        for table in tables:
            cursor.execute(f"DROP TABLE {table}")
        checkpoint(cursor, must=True)
