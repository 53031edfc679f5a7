"""Traces in plain Python lists: the fake for tests, and the contract in its most readable form."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from noria.core.questions import Aggregate, Question, Table
from noria.core.scores import Score
from noria.core.spans import Span
from noria.stores.traces.plan import Condition, Plan, Sort, plan, whole
from noria.stores.traces.rows import pack
from noria.stores.traces.schema import LINEAGE, TIME, Column, Source

Record = Span | Score
Row = tuple[Any, ...]
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "contains": lambda a, b: b in a,
}


class MemoryTraces:
    """A :class:`~noria.core.protocols.TraceStore` that forgets everything when it goes."""

    def __init__(self) -> None:
        self._spans: dict[tuple[str, str], Span] = {}
        self._scores: list[Score] = []

    async def append(self, spans: Sequence[Span] = (), scores: Sequence[Score] = ()) -> None:
        """Keep them. Raises ``InvalidInput`` where a real store would."""
        pack(spans, scores)
        for span in spans:
            key = (span.trace_id, span.span_id)
            self._spans.pop(key, None)  # so that the new copy is the newest
            self._spans[key] = span
        self._scores.extend(scores)

    async def query(self, question: Question) -> Table:
        """Answer from everything appended before the call."""
        checked = plan(question)
        if not checked.grouped:
            found = self._select(checked)
            return Table(
                columns=checked.labels,
                rows=tuple(tuple(_read(record, item) for item in checked.columns) for record in found),
            )
        return Table(columns=checked.labels, rows=tuple(_cut(question, _groups(checked, self._matching(checked)))))

    async def spans(self, question: Question) -> list[Span]:
        """Whole spans that match an ungrouped question over spans."""
        return [item for item in self._select(plan(whole(question, "spans"))) if isinstance(item, Span)]

    async def scores(self, question: Question) -> list[Score]:
        """Whole scores that match an ungrouped question over scores."""
        return [item for item in self._select(plan(whole(question, "scores"))) if isinstance(item, Score)]

    async def trace(self, trace_id: str) -> tuple[list[Span], list[Score]]:
        """One trace: its spans by start, and the scores on them by time."""
        spans = sorted((span for span in self._spans.values() if span.trace_id == trace_id), key=lambda s: s.start_ns)
        scores = sorted((score for score in self._scores if score.trace_id == trace_id), key=lambda s: s.time_ns)
        return spans, scores

    async def close(self) -> None:
        """Nothing is held."""

    def _matching(self, checked: Plan) -> list[Record]:
        question = checked.question
        records: Iterable[Record] = self._spans.values() if question.source == "spans" else self._scores
        since = -math.inf if question.since_ns is None else question.since_ns
        until = math.inf if question.until_ns is None else question.until_ns
        time = TIME[question.source]
        return [
            record
            for record in records
            if since <= getattr(record, time) < until and all(_holds(record, item) for item in checked.where)
        ]

    def _select(self, checked: Plan) -> list[Record]:
        time = TIME[checked.question.source]
        found = self._matching(checked)[::-1]
        found.sort(key=lambda record: getattr(record, time), reverse=True)
        for item in reversed(checked.order):
            if item.column is not None:
                _sort(found, item.descending, *_sort_keys(item.column))
        return list(_cut(checked.question, found))


def _cut(question: Question, rows: list[Any]) -> list[Any]:
    end = None if question.limit is None else question.offset + question.limit
    return rows[question.offset : end]


def _read(record: Record, item: Column) -> Any:
    """A column of a record as a query returns it."""
    if item.key is not None:
        return _plain(getattr(record, item.field).get(item.key))
    if item.name in ("date", "hour"):
        source: Source = "spans" if isinstance(record, Span) else "scores"
        moment = datetime.fromtimestamp(getattr(record, TIME[source]) // 10**9, UTC)
        return moment.strftime("%Y-%m-%d" if item.name == "date" else "%Y-%m-%dT%H:00:00Z")
    if isinstance(record, Span) and item.name in LINEAGE:
        return getattr(record.lineage, item.name)
    return _plain(getattr(record, item.name))


def _plain(value: Any) -> Any:
    """As it is after a trip through JSON."""
    return value if isinstance(value, str | int | float | None) else msgspec.json.decode(msgspec.json.encode(value))


def _number(value: Any) -> float | int | None:
    return value if isinstance(value, int | float) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _holds(record: Record, item: Condition) -> bool:
    value = _read(record, item.column)
    if item.op in ("is null", "is not null"):
        return (value is None) == (item.op == "is null")
    if item.op in ("in", "not in"):
        found = any(_same(value, wanted) for wanted in item.values) or (item.null and value is None)
        return found == (item.op == "in")
    [wanted] = item.values
    if item.op == "!=":
        return not _same(value, wanted)
    if item.column.kind == "json":
        return msgspec.json.encode(wanted)[1:-1] in msgspec.json.encode(value)
    comparable = _text(value) if isinstance(wanted, str) else _number(value)
    return comparable is not None and _COMPARE[item.op](comparable, wanted)


def _same(value: Any, wanted: Any) -> bool:
    return value is not None and isinstance(value, str) == isinstance(wanted, str) and bool(value == wanted)


def _sort(rows: list[Any], descending: bool, *keys: Callable[[Any], Any]) -> None:
    """Sort in place by ``keys``, the first the weightiest; nulls last; equals keep their order."""
    for key in reversed(keys):
        known = [row for row in rows if key(row) is not None]
        known.sort(key=key, reverse=descending)
        rows[:] = known + [row for row in rows if key(row) is None]


def _sort_keys(item: Column) -> list[Callable[[Any], Any]]:
    if item.kind == "any":
        return [lambda record: _number(_read(record, item)), lambda record: _text(_read(record, item))]
    return [lambda record: _read(record, item)]


def _groups(checked: Plan, records: list[Record]) -> list[Row]:
    groups: dict[tuple[str | None, ...], list[Record]] = {} if checked.columns else {(): []}
    for record in records:
        groups.setdefault(tuple(_json(_read(record, item)) for item in checked.columns), []).append(record)
    rows = [
        (
            *(None if key is None else msgspec.json.decode(key) for key in keys),
            *(_measured(members, *item) for item in checked.measures),
        )
        for keys, members in groups.items()
    ]
    ties = [Sort(index, None, False) for index in range(len(checked.columns))]
    for item in reversed([*checked.order, *ties]):
        _sort(rows, item.descending, *_group_sort_keys(checked, item.place))
    return rows


def _group_sort_keys(checked: Plan, index: int) -> list[Callable[[Row], Any]]:
    if index < len(checked.columns) and checked.columns[index].kind in ("json", "any"):
        return [
            lambda row: None if isinstance(row[index], bool) else _number(row[index]),
            lambda row: _json(row[index]),
        ]
    return [lambda row: row[index]]


def _measured(records: Sequence[Record], item: Aggregate, column: Column | None) -> Any:  # noqa: PLR0911 - one measure a line
    values = [True if column is None else _read(record, column) for record in records]
    if item.measure == "count":
        return sum(value is not None for value in values)
    if column is not None and column.kind == "text":
        known = sorted(value for value in values if value is not None)
    else:
        known = sorted(number for value in values if (number := _number(value)) is not None)
    if not known:
        return None
    match item.measure:
        case "sum":
            return sum(known)
        case "mean":
            return math.fsum(known) / len(known)
        case "min":
            return known[0]
        case "max":
            return known[-1]
        case percentile:
            return _quantile(known, int(percentile[1:]) / 100)


def _quantile(ordered: Sequence[float], part: float) -> float:
    """Linear interpolation between the neighbours, as SQL's ``quantile_cont`` and numpy do it."""
    place = part * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))
