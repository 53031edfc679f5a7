"""Traces in plain Python lists: the fake for tests, and the contract in its most readable form."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from noria.core.cursors import Place, cursor_behind, place_of
from noria.core.errors import InvalidInput
from noria.core.questions import Aggregate, Arrivals, Question, Table
from noria.core.scores import Score
from noria.core.spans import Span
from noria.stores.traces.matching import Record, judged, matches, number, read, text
from noria.stores.traces.plan import QUANTILES, Plan, Sort, chosen, plan, whole
from noria.stores.traces.rows import pack, stripped
from noria.stores.traces.schema import Column

Row = tuple[Any, ...]
Key = tuple[str, str]


class MemoryTraces:
    """A :class:`~noria.core.protocols.TraceStore` that forgets everything when it goes."""

    def __init__(self) -> None:
        self._spans: dict[Key, Span] = {}
        self._arrived: dict[Key, int] = {}
        """The how-manieth each span was, in rising order."""
        self._count = 0
        self._scores: list[Score] = []

    async def append(self, spans: Sequence[Span] = (), scores: Sequence[Score] = ()) -> None:
        """Keep them. Raises ``InvalidInput`` where a real store would."""
        pack(spans, scores)
        for span in spans:
            self._spans[_key(span)] = span
            self._arrived.pop(_key(span), None)  # so that the new copy is the newest
            self._count += 1
            self._arrived[_key(span)] = self._count
        self._scores.extend(scores)

    async def query(self, question: Question) -> Table:
        """Answer from everything appended before the call."""
        checked = plan(question)
        if checked.grouped:
            return Table(columns=checked.labels, rows=tuple(_cut(question, _groups(checked, self._matching(checked)))))
        found, more = self._select(checked)
        return Table(
            columns=checked.labels,
            rows=tuple(tuple(read(record, item) for item in checked.columns) for record in found),
            next=cursor_behind(question, [place_of(record) for record in found]) if more and checked.pages else None,
        )

    async def spans(self, question: Question) -> list[Span]:
        """Whole spans that match an ungrouped question over spans."""
        return [item for item in self._select(plan(whole(question, "spans")))[0] if isinstance(item, Span)]

    async def scores(self, question: Question) -> list[Score]:
        """Whole scores that match an ungrouped question over scores."""
        return [item for item in self._select(plan(whole(question, "scores")))[0] if isinstance(item, Score)]

    async def trace(self, trace_id: str) -> tuple[list[Span], list[Score]]:
        """One trace: its spans by start, and the scores on them by time."""
        spans = sorted((span for span in self._spans.values() if span.trace_id == trace_id), key=place_of)
        scores = sorted((score for score in self._scores if score.trace_id == trace_id), key=place_of)
        return spans, scores

    async def arrivals(self, after: str | None = None, *, limit: int = 1000) -> Arrivals:
        """Spans in order of arrival, after a cursor; without one from the first."""
        if after is not None and not (after.isascii() and after.isdigit() and len(after) < 19):
            raise InvalidInput("The cursor is none of this store.", hint="Begin again without one.")
        start = int(after or 0)
        found = [key for key, count in self._arrived.items() if count > start][:limit]
        cursor = self._arrived[found[-1]] if found else start
        return Arrivals(spans=tuple(self._spans[key] for key in found), cursor=str(cursor))

    async def latest_cursor(self) -> str:
        """The cursor behind everything that has arrived."""
        return str(self._count)

    async def delete(self, question: Question) -> int:
        """Delete the spans that match, with all scores on them; their count."""
        gone = {_key(span) for span in self._matching(chosen(question)) if isinstance(span, Span)}
        for key in gone:
            del self._spans[key], self._arrived[key]
        self._scores = [score for score in self._scores if _key(score) not in gone]
        return len(gone)

    async def strip(self, question: Question) -> int:
        """Delete the texts of spans that match and keep their numbers; how many had any."""
        found = {_key(span): stripped(span) for span in self._matching(chosen(question)) if isinstance(span, Span)}
        changed = {key: span for key, span in found.items() if span != self._spans[key]}
        self._spans |= changed
        return len(changed)

    async def close(self) -> None:
        """Nothing is held."""

    def _matching(self, checked: Plan) -> list[Record]:
        """Everything that fits, in order of arrival."""
        if checked.question.source == "scores":
            return [score for score in self._scores if matches(score, checked)]
        scores: defaultdict[Key, list[Score]] = defaultdict(list)
        for score in self._scores if checked.scored else ():
            scores[_key(score)].append(score)
        return [
            span
            for key in self._arrived
            if matches(span := self._spans[key], checked) and all(judged(scores[key], item) for item in checked.scored)
        ]

    def _select(self, checked: Plan) -> tuple[list[Record], bool]:
        """The answer to an ungrouped question, and whether there is more of it."""
        question, descending = checked.question, checked.newest_first
        found = self._matching(checked)
        if descending:
            found.reverse()
        found.sort(key=place_of, reverse=descending)
        for item in reversed(checked.order):
            if item.column is not None:
                _sort(found, item.descending, *_sort_keys(item.column))
        if checked.after is not None:
            here, seen = checked.after
            at = [record for record in found if place_of(record) == here]
            found = at[seen:] + [record for record in found if _behind(place_of(record), here, descending)]
        cut = list(_cut(question, found))
        return cut, bool(cut) and question.offset + len(cut) < len(found)


def _key(record: Record) -> Key:
    return record.trace_id, record.span_id


def _behind(place: Place, other: Place, descending: bool) -> bool:
    return place < other if descending else place > other


def _cut(question: Question, rows: list[Any]) -> list[Any]:
    end = None if question.limit is None else question.offset + question.limit
    return rows[question.offset : end]


def _json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _sort(rows: list[Any], descending: bool, *keys: Callable[[Any], Any]) -> None:
    """Sort in place by ``keys``, the first the weightiest; nulls last; equals keep their order."""
    for key in reversed(keys):
        known = [row for row in rows if key(row) is not None]
        known.sort(key=key, reverse=descending)
        rows[:] = known + [row for row in rows if key(row) is None]


def _sort_keys(item: Column) -> list[Callable[[Any], Any]]:
    if item.kind == "any":
        return [lambda record: number(read(record, item)), lambda record: text(read(record, item))]
    return [lambda record: read(record, item)]


def _groups(checked: Plan, records: list[Record]) -> list[Row]:
    groups: dict[tuple[str | None, ...], list[Record]] = {} if checked.columns else {(): []}
    for record in records:
        key = tuple(_json(read(record, item, checked.bucket_ns)) for item in checked.columns)
        groups.setdefault(key, []).append(record)
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
            lambda row: None if isinstance(row[index], bool) else number(row[index]),
            lambda row: _json(row[index]),
        ]
    return [lambda row: row[index]]


def _measured(records: Sequence[Record], item: Aggregate, column: Column | None) -> Any:  # noqa: PLR0911 - one measure a line
    values = [True if column is None else read(record, column) for record in records]
    if item.measure == "count":
        return sum(value is not None for value in values)
    if item.measure == "distinct":
        return len({_json(value) for value in values if value is not None})
    if column is not None and column.kind == "text":
        known = sorted(value for value in values if value is not None)
    else:
        known = sorted(found for value in values if (found := number(value)) is not None)
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
            return _quantile(known, QUANTILES[percentile])


def _quantile(ordered: Sequence[float], part: float) -> float:
    """Linear interpolation between the neighbours, as SQL's ``quantile_cont`` and numpy do it."""
    place = part * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))
