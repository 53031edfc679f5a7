"""What a question's parts mean for one record, in plain Python: the reference that every store's SQL is held against."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

from noria.core.scores import Score
from noria.core.spans import Span
from noria.stores.traces.plan import BUCKET, Condition, Plan, ScoreCondition
from noria.stores.traces.schema import LINEAGE, Column
from noria.stores.traces.words import found

Record = Span | Score
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "contains": lambda a, b: b in a,
}

_OF_SPANS: dict[str, Callable[[Span], Any]] = {
    "failed": lambda span: span.status == "error",
    "model": lambda span: span.response_model if span.request_model is None else span.request_model,
}


def matches(record: Record, checked: Plan) -> bool:
    """Whether a record fits the question's time range, conditions and text; scores are another matter."""
    question = checked.question
    since = -math.inf if question.since_ns is None else question.since_ns
    until = math.inf if question.until_ns is None else question.until_ns
    return (
        since <= time_of(record) < until
        and all(holds(record, item) for item in checked.where)
        and (not checked.text or (isinstance(record, Span) and found(record, checked.text)))
    )


def judged(scores: Iterable[Score], item: ScoreCondition) -> bool:
    """Whether the scores on a span fit a condition."""
    mine = [score for score in scores if score.scorer == item.scorer and item.source in (None, score.source)]
    if item.absent:
        return not mine
    return any(item.test is None or holds(score, item.test) for score in mine)


def time_of(record: Record) -> int:
    """The time that ``since_ns`` and ``until_ns`` bound."""
    return record.start_ns if isinstance(record, Span) else record.time_ns


def bucket_of(record: Record, width_ns: int) -> int:
    """Start of the bucket that the record's time falls into, nanoseconds."""
    return time_of(record) // width_ns * width_ns


def read(record: Record, item: Column, bucket_ns: int = 0) -> Any:
    """A column of a record as a query returns it."""
    if item is BUCKET:
        return bucket_of(record, bucket_ns)
    if item.key is not None:
        return _plain(getattr(record, item.field).get(item.key))
    if item.name in ("date", "hour"):
        moment = datetime.fromtimestamp(time_of(record) // 10**9, UTC)
        return moment.strftime("%Y-%m-%d" if item.name == "date" else "%Y-%m-%dT%H:00:00Z")
    if isinstance(record, Span) and item.name in _OF_SPANS:
        return _OF_SPANS[item.name](record)
    return _plain(getattr(record.lineage if item.name in LINEAGE and isinstance(record, Span) else record, item.name))


def holds(record: Record, item: Condition) -> bool:
    """Whether a condition on a column holds."""
    value = read(record, item.column)
    if item.op in ("is null", "is not null"):
        return (value is None) == (item.op == "is null")
    if item.op in ("in", "not in"):
        among = any(_same(value, wanted) for wanted in item.values) or (item.null and value is None)
        return among == (item.op == "in")
    [wanted] = item.values
    if item.op == "!=":
        return not _same(value, wanted)
    if item.column.kind == "json":
        return msgspec.json.encode(wanted)[1:-1] in msgspec.json.encode(value)
    comparable = text(value) if isinstance(wanted, str) else number(value)
    return comparable is not None and _COMPARE[item.op](comparable, wanted)


def number(value: Any) -> float | int | None:
    """The number that a value is (true is 1); None where it is none."""
    return value if isinstance(value, int | float) else None


def text(value: Any) -> str | None:
    """The text that a value is; None where it is none."""
    return value if isinstance(value, str) else None


def _plain(value: Any) -> Any:
    """As it is after a trip through JSON."""
    return value if isinstance(value, str | int | float | None) else msgspec.json.decode(msgspec.json.encode(value))


def _same(value: Any, wanted: Any) -> bool:
    return value is not None and isinstance(value, str) == isinstance(wanted, str) and bool(value == wanted)
