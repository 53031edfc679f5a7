"""Hourly rollups: percentiles of many spans by model within one per cent, without looking at the spans.

When spans are settled, their numbers are counted by hour, operation, provider, model and status: sums, and a sketch of
each measure, which counts values in buckets whose borders grow by 2.02 % (DDSketch, Masson et al., VLDB 2019): the
middle of a bucket is within 1 % of every value in it, and so is a percentile. Counts and sums are exact.

Everything in a rollup can be added and taken away again, so a span that is deleted or replaced is counted back. What is
not settled, and the part of an hour at either end of a question's time range, is counted when the question is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import duckdb
import msgspec
import numpy as np

from noria.core.questions import Question
from noria.stores.traces.compile import Sql, compile_measured
from noria.stores.traces.embedded.blocks import BLOCK
from noria.stores.traces.embedded.holdings import Holdings
from noria.stores.traces.embedded.over import Period, Row, between
from noria.stores.traces.embedded.reading import Moment, Range
from noria.stores.traces.embedded.sketches import ERROR, LOG_BASE, ONE, percentiles
from noria.stores.traces.plan import BUCKET, QUANTILES, Plan
from noria.stores.traces.schema import Column

Array = np.ndarray[Any, Any]
_HOUR_NS = 3600 * 10**9
_DIMENSIONS = ("operation", "provider", "request_model", "response_model", "status")
_SKETCHED = ("ttft_s", "tpot_s", "duration_s", "cost_usd")
_SUMMED = (*_SKETCHED, "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
_NEVER = 2**63 - 1
_KNOWN = {*_DIMENSIONS, "failed", "model"}
_MERGED_AT = 16
"""An hour whose rollups are in so many parts is put together again."""
_BUCKET = (
    f"CAST(CASE WHEN {{0}} = 0 THEN 0 ELSE sign({{0}}) *"
    f" greatest(1, least(8000, {ONE} + ceil(ln(abs({{0}})) / {LOG_BASE!r}))) END AS SMALLINT)"
)


def schema() -> list[str]:
    """Statements that make the tables where they are missing."""
    dimensions = ", ".join(f"{name} VARCHAR" for name in _DIMENSIONS)
    sums = ", ".join(f"{name}_n BIGINT, {name}_sum DOUBLE" for name in _SUMMED)
    return [
        f"CREATE TABLE IF NOT EXISTS settled.sums (start_ns BIGINT, {dimensions}, spans BIGINT, {sums})",
        (
            f"CREATE TABLE IF NOT EXISTS settled.sketches (start_ns BIGINT, {dimensions}, measure VARCHAR,"
            " buckets SMALLINT[], counts INTEGER[])"
        ),
        "CREATE TABLE IF NOT EXISTS settled.rolled (next_seq BIGINT)",
        "INSERT INTO settled.rolled SELECT 1 WHERE (SELECT count(*) FROM settled.rolled) = 0",
    ]


def count(cursor: duckdb.DuckDBPyConnection, rows: str, sign: int, parameters: Sequence[Any] = ()) -> None:
    """Count the spans of a relation in, with ``sign`` 1, or out again, with -1."""
    cursor.execute(f"INSERT INTO settled.sums {_sums(rows, sign)}", parameters)
    cursor.execute(f"INSERT INTO settled.sketches {_sketches(rows, sign, _SKETCHED)}", parameters)


def hours(cursor: duckdb.DuckDBPyConnection, rows: str) -> list[int]:
    """Starts of the hours of the spans of a relation."""
    found = cursor.execute(f"SELECT DISTINCT start_ns // {_HOUR_NS} * {_HOUR_NS} FROM {rows}").fetchall()  # noqa: S608 - ours
    return [hour for (hour,) in found]


def merge(cursor: duckdb.DuckDBPyConnection) -> None:
    """Put together the parts of hours that have many; of hours that are over, those that have any."""
    parts = f"count(*) / count(DISTINCT ({', '.join(_DIMENSIONS)}, measure))"
    found = cursor.execute(
        f"SELECT start_ns FROM (SELECT start_ns, {parts} AS parts, max(max(start_ns)) OVER () AS last"  # noqa: S608 - ours
        " FROM settled.sketches GROUP BY start_ns)"
        f" WHERE parts >= {_MERGED_AT} OR (parts > 1 AND start_ns < last - {2 * _HOUR_NS}) ORDER BY parts DESC LIMIT 4"
    ).fetchall()
    dimensions = ", ".join(_DIMENSIONS)
    sums = ", ".join(f"sum({name}_n), sum({name}_sum)" for name in _SUMMED)
    for (hour,) in found:
        # What is spliced in are names of ours.
        cursor.execute(
            f"CREATE OR REPLACE TEMP TABLE merged AS SELECT start_ns, {dimensions}, sum(spans), {sums}"  # noqa: S608
            " FROM settled.sums WHERE start_ns = $1 GROUP BY ALL HAVING sum(spans) <> 0",
            [hour],
        )
        cursor.execute("DELETE FROM settled.sums WHERE start_ns = $1", [hour])
        cursor.execute("INSERT INTO settled.sums SELECT * FROM merged")
        flat = f"SELECT start_ns, {dimensions}, measure, unnest(buckets) AS bucket, unnest(counts) AS n"
        cursor.execute(
            f"CREATE OR REPLACE TEMP TABLE merged AS {_packed(f'({flat} FROM settled.sketches WHERE start_ns = $1)')}",
            [hour],
        )
        cursor.execute("DELETE FROM settled.sketches WHERE start_ns = $1", [hour])
        cursor.execute("INSERT INTO settled.sketches SELECT * FROM merged")


def covers(plan: Plan) -> bool:
    """Whether rollups can answer a question."""
    question = plan.question
    return (
        plan.grouped
        and question.source == "spans"
        and question.tolerance >= ERROR
        and not plan.scored
        and not plan.text
        and all(item.column.name in _KNOWN for item in plan.where)
        and all(item.name in {*_KNOWN, "time", "date", "hour"} for item in plan.columns)
        and plan.bucket_ns % _HOUR_NS == 0
        and all(_measurable(item.measure, column) for item, column in plan.measures)
    )


def estimates(plan: Plan) -> bool:
    """Whether an answer has percentiles."""
    return any(item.measure in QUANTILES for item, _ in plan.measures)


def answer(moment: Moment, holdings: Holdings, plan: Plan) -> list[Row]:
    """The rows of a question that is covered."""
    question = plan.question
    first = None if question.since_ns is None else -(-question.since_ns // _HOUR_NS) * _HOUR_NS
    end = None if question.until_ns is None else question.until_ns // _HOUR_NS * _HOUR_NS
    if first is not None and end is not None and first > end:  # within one hour
        counted = _Counted(moment, "false", [_between(question.since_ns, question.until_ns)])
        return _ordered(plan, _rows(moment, plan, counted))
    edges = [_between(*edge) for edge in ((question.since_ns, first), (end, question.until_ns)) if None not in edge]
    whole = Period(0 if first is None else first, _NEVER if end is None else end)
    over = _over(moment, holdings, plan, whole)
    if over is None:
        return _ordered(plan, _rows(moment, plan, _Counted(moment, _within([whole]), edges)))
    form, place = _form(question), plan.columns.index(BUCKET)
    found = holdings.answers.find(form, over, plan.bucket_ns, moment.number)
    rows = _rows(moment, plan, _Counted(moment, _within(between(whole, found.periods)), edges))
    kept = dict(found.rows)
    for row in rows:
        if over.first <= row[place] < over.end:
            kept.setdefault(row[place], []).append(row)
    holdings.answers.keep(form, over, kept, moment.number)
    return _ordered(plan, [row for some in found.rows.values() for row in some] + rows)


def _over(moment: Moment, holdings: Holdings, plan: Plan, whole: Period) -> Period | None:
    """The buckets that are whole and have all their spans in the rollups; None where there are none."""
    if BUCKET not in plan.columns:
        return None
    unsettled = moment.earliest
    if moment.rolled < moment.settled:
        unsettled = min(unsettled, holdings.times.first_from(moment.rolled // BLOCK))
    if moment.hides:  # an earlier copy, which is still in the rollups, may have started at any time
        replaced = f"SELECT min(start_ns) FROM settled.spans WHERE {moment.hidden()}"  # noqa: S608 - ours
        [(earliest,)] = moment.ask_of("spans AS (SELECT 1)", Sql(replaced, [])).fetchall()
        unsettled = min(unsettled, _NEVER if earliest is None else earliest)
    width = plan.bucket_ns
    first, end = -(-whole.first // width) * width, min(whole.end, unsettled) // width * width
    return Period(first, end) if first < end else None


def _form(question: Question) -> bytes:
    """What questions have in common that can share answers; charts of a week and of a month keep their own."""
    known = question.since_ns is not None and question.until_ns is not None
    length = (question.until_ns or 0) - (question.since_ns or 0) if known else None
    alike = msgspec.structs.replace(question, since_ns=None, until_ns=length, order=(), limit=None, offset=0)
    return msgspec.json.encode(alike)


def _rows(moment: Moment, plan: Plan, counted: _Counted) -> list[Row]:
    """The rows of what is counted, in no order."""
    bare = plan._replace(question=msgspec.structs.replace(plan.question, since_ns=None, until_ns=None))
    sums = compile_measured(bare, [_summed(item.measure, column) for item, column in plan.measures], "sum(spans) > 0")
    rows = [list(row) for row in moment.ask_of(counted.sums(), sums).fetchall()]
    width = len(plan.columns)
    asked = [
        (width + index, column.name, QUANTILES[item.measure])
        for index, (item, column) in enumerate(plan.measures)
        if column is not None and item.measure in QUANTILES
    ]
    if asked and rows:
        names = tuple(dict.fromkeys(name for _, name, _ in asked))
        sketches = compile_measured(bare, ["measure", "buckets", "counts"], "")
        found = moment.ask_of(counted.sketches(names), sketches).fetchnumpy()
        _fill(rows, asked, width, found)
    return [tuple(row) for row in rows]


class _Counted:
    """Rollups and what is not in them yet, as relations: settled and whole hours, and all other spans of a time range."""

    def __init__(self, moment: Moment, hours: str, edges: Sequence[str]) -> None:
        """``hours`` and ``edges`` are conditions."""
        self._hours = hours = f"({hours})"
        columns = f"SELECT start_ns, {', '.join((*_DIMENSIONS, *_SUMMED))} FROM"
        parts = [f"{columns} ({moment.spans([Range(moment.rolled, moment.end)])}) WHERE {hours}"]
        parts += [f"{columns} ({moment.spans(None)}) WHERE {edge}" for edge in edges]
        self._with = f"new AS MATERIALIZED ({' UNION ALL '.join(parts)})"
        self._signs = {"new": 1}
        if moment.hides:  # seldom, and DuckDB plans each branch: 5 ms a statement
            gone = f"{columns} settled.spans WHERE {hours} AND seq < {moment.rolled} AND ({moment.hidden()})"
            self._with += f", gone AS MATERIALIZED ({gone})"
            self._signs["gone"] = -1

    def sums(self) -> str:
        """These relations, and ``spans``: rows of sums."""
        rolled = f"SELECT * FROM settled.sums WHERE {self._hours}"  # noqa: S608 - ours
        parts = [rolled, *(_sums(rows, sign) for rows, sign in self._signs.items())]
        return f"{self._with}, spans AS ({' UNION ALL '.join(parts)})"

    def sketches(self, names: tuple[str, ...]) -> str:
        """These relations, and ``spans``: rows of sketches."""
        listed = ", ".join(f"'{name}'" for name in names)
        rolled = f"SELECT * FROM settled.sketches WHERE {self._hours} AND measure IN ({listed})"  # noqa: S608 - ours
        parts = [rolled, *(_sketches(rows, sign, names) for rows, sign in self._signs.items())]
        return f"{self._with}, spans AS ({' UNION ALL '.join(parts)})"


def _between(first: int | None, end: int | None) -> str:
    bounds = [f"start_ns >= {first}"] if first is not None else []
    return " AND ".join([*bounds, *([f"start_ns < {end}"] if end is not None else [])]) or "true"


def _within(periods: Sequence[Period]) -> str:
    return " OR ".join(f"(start_ns >= {first} AND start_ns < {end})" for first, end in periods) or "false"


def _sums(rows: str, sign: int) -> str:
    sums = ", ".join(
        f"{sign} * count({name}) AS {name}_n, {sign} * coalesce(sum(CAST({name} AS DOUBLE)), 0) AS {name}_sum"
        for name in _SUMMED
    )
    return (
        f"SELECT start_ns // {_HOUR_NS} * {_HOUR_NS} AS start_ns, {', '.join(_DIMENSIONS)},"  # noqa: S608 - ours
        f" {sign} * count(*) AS spans, {sums} FROM {rows} GROUP BY ALL"
    )


def _sketches(rows: str, sign: int, names: Sequence[str]) -> str:
    flat = " UNION ALL ".join(
        f"SELECT start_ns // {_HOUR_NS} * {_HOUR_NS} AS start_ns, {', '.join(_DIMENSIONS)}, '{name}' AS measure,"  # noqa: S608 - ours
        f" {_BUCKET.format(name)} AS bucket, {sign} * count(*) AS n FROM {rows} WHERE {name} IS NOT NULL GROUP BY ALL"
        for name in names
    )
    return _packed(f"({flat})")


def _packed(flat: str) -> str:
    dimensions = ", ".join(_DIMENSIONS)
    return (
        f"SELECT start_ns, {dimensions}, measure, list(bucket ORDER BY bucket) AS buckets,"  # noqa: S608 - ours
        f" list(n ORDER BY bucket) AS counts FROM (SELECT start_ns, {dimensions}, measure, bucket,"
        f" CAST(sum(n) AS INTEGER) AS n FROM {flat} GROUP BY ALL HAVING sum(n) <> 0) GROUP BY ALL"
    )


def _measurable(measure: str, column: Column | None) -> bool:
    if column is None:
        return True
    if measure in QUANTILES:
        return column.name in _SKETCHED
    return measure in ("count", "sum", "mean") and column.name in (*_SUMMED, "failed")


def _summed(measure: str, column: Column | None) -> str:
    """A measure over rows of sums; null for a percentile, which sketches give."""
    failed = "coalesce(sum(spans) FILTER (WHERE status = 'error'), 0)"
    if measure in QUANTILES:
        return "NULL"
    if column is None or (measure == "count" and column.name == "failed"):
        return "CAST(coalesce(sum(spans), 0) AS BIGINT)"
    if column.name == "failed":
        whole = f"CASE WHEN sum(spans) > 0 THEN CAST({failed} AS BIGINT) END"
        return whole if measure == "sum" else f"{failed} / nullif(sum(spans), 0)"
    known, total = f"sum({column.name}_n)", f"sum({column.name}_sum)"
    if measure == "count":
        return f"CAST(coalesce({known}, 0) AS BIGINT)"
    if measure == "mean":
        return f"{total} / nullif({known}, 0)"
    kind = "BIGINT" if column.kind == "int" else "DOUBLE"
    return f"CASE WHEN {known} > 0 THEN CAST({total} AS {kind}) END"


def _fill(rows: list[list[Any]], asked: Sequence[tuple[int, str, float]], width: int, found: dict[str, Array]) -> None:
    """Put percentiles into rows: (place, measure, part) each, from sketches."""
    numbers = {tuple(row[:width]): index for index, row in enumerate(rows)}
    columns = [_plain(found[f"c{index}"]) for index in range(width)]
    keys = zip(*columns, strict=True) if width else iter([()] * len(found["measure"]))
    cells = np.fromiter((numbers.get(key, -1) for key in keys), np.int64, len(found["measure"]))
    for measure in dict.fromkeys(name for _, name, _ in asked):
        mine = np.flatnonzero((found["measure"] == measure) & (cells >= 0))
        places = [(place, part) for place, name, part in asked if name == measure]
        parts = [part for _, part in places]
        values = percentiles(cells[mine], found["buckets"][mine], found["counts"][mine], len(rows), parts)
        for row, some in zip(rows, values.tolist(), strict=True):
            for (place, _), value in zip(places, some, strict=True):
                row[place] = None if value != value else value  # noqa: PLR0124 - NaN


def _plain(column: Array) -> list[Any]:
    return [None if value is np.ma.masked or value != value else value for value in column.tolist()]  # noqa: PLR0124 - NaN


def _ordered(plan: Plan, rows: list[Row]) -> list[Row]:
    """Sorted and cut as the question says; nulls last either way, ties by the groups."""
    for index in reversed(range(len(plan.columns))):
        rows = _sorted(rows, index, descending=False)
    for item in reversed(plan.order):
        rows = _sorted(rows, item.place, descending=item.descending)
    question = plan.question
    end = None if question.limit is None else question.offset + question.limit
    return rows[question.offset : end]


def _sorted(rows: list[Row], place: int, *, descending: bool) -> list[Row]:
    known = sorted((row for row in rows if row[place] is not None), key=itemgetter(place), reverse=descending)
    return known + [row for row in rows if row[place] is None]
