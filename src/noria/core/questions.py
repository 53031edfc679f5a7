"""Questions to the trace store, typed, and the tables that answer them. Each store compiles them itself."""

from __future__ import annotations

from typing import Any, Literal

from noria.core.spans import Span
from noria.core.struct import Noun

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "not in", "contains", "is null", "is not null"]
Measure = Literal["count", "distinct", "sum", "mean", "min", "max", "p25", "p50", "p75", "p90", "p95", "p99"]


class Filter(Noun):
    """A condition on one column."""

    column: str
    """A column of the source, or ``attributes.<key>`` / ``metadata.<key>``."""
    op: Operator = "="
    """How to compare."""
    value: Any = None
    """What to compare with; a list for ``in`` and ``not in``, unused for the null checks."""


class ScoreFilter(Noun):
    """A condition on the scores of a span: true where any of them fits.

    So ``!=`` finds spans with a score of another value, not those without one; ``is null`` finds those without one.
    """

    scorer: str
    """Name of the scorer."""
    op: Operator = "is not null"
    """How to compare the score's value; the default asks only whether there is one, ``is null`` whether there is none."""
    value: Any = None
    """What to compare with: texts with texts, numbers with numbers, true is 1."""
    source: Literal["code", "model", "human"] | None = None
    """Only scores of this source; None takes all."""


class Aggregate(Noun):
    """A number over a group of rows."""

    measure: Measure
    """What to compute; nulls do not count. ``distinct`` counts different values."""
    column: str | None = None
    """Of which column; None only for ``count``."""
    name: str | None = None
    """Name in the answer; by default ``measure_column``."""

    @property
    def label(self) -> str:
        """Column name in the answer."""
        return self.name or (f"{self.measure}_{self.column}" if self.column else self.measure)


class Order(Noun):
    """Sorting by one column."""

    column: str
    """A column of the source, or in a grouped question of the answer."""
    descending: bool = False
    """Largest first."""


class Question(Noun):
    """What to read from the trace store."""

    source: Literal["spans", "scores"] = "spans"
    """Which records."""
    where: tuple[Filter, ...] = ()
    """All must hold."""
    scored: tuple[ScoreFilter, ...] = ()
    """Conditions on the spans' scores; all must hold. Only for spans."""
    text: str | None = None
    """Words that must all occur in the texts of a span (messages, documents, error message, name, tool), in any order and
    case. A word is a run of ASCII letters and digits, or any one other letter; everything else only separates. Words in
    double quotes, or written without white space between them (``gpt-4o``, ``café``), must follow one another. Only for
    spans."""
    since_ns: int | None = None
    """Start of the time range, inclusive, nanoseconds since 1970 UTC."""
    until_ns: int | None = None
    """End of the time range, exclusive."""
    columns: tuple[str, ...] = ()
    """Columns to return; empty returns all. Not allowed in a grouped question."""
    group_by: tuple[str, ...] = ()
    """Columns that form groups; ``time`` is the start of the bucket that the row's time falls into, in nanoseconds."""
    bucket_s: int | None = None
    """Width of the buckets of ``time``, whole seconds from 1; they are counted from 1970 UTC. Goes with ``time``."""
    measures: tuple[Aggregate, ...] = ()
    """Numbers for each group (or for all rows without ``group_by``)."""
    order: tuple[Order, ...] = ()
    """Sorting; by default newest first. Nulls come last. Rows that are equal in it come newest first, those of one moment
    by trace id, span id and scorer, descending too; after one order by rising time everything ascends."""
    limit: int | None = 100
    """Most rows; None for all."""
    offset: int = 0
    """Rows to skip."""
    after: str | None = None
    """Cursor of an earlier answer (:attr:`Table.next`): the rows after its last. Only for ungrouped questions in the
    default order or with one order by time, without ``offset``; conditions, text and order must be as they were."""
    tolerance: float = 0.0
    """Relative error allowed for percentiles: 0 is exact, 0.01 lets a store answer from hourly sketches, much faster."""


class Arrivals(Noun):
    """Spans in the order in which the store took them: late ones come late, each comes once more when it was sent again."""

    spans: tuple[Span, ...]
    """The next ones."""
    cursor: str
    """Where to go on. Opaque; it stays valid over restarts of the store."""


class Table(Noun):
    """An answer."""

    columns: tuple[str, ...]
    """Names, in order."""
    rows: tuple[tuple[Any, ...], ...]
    """Values in the order of ``columns``: JSON-like builtins."""
    next: str | None = None
    """Cursor for the rows after these; None when there are none, or when the question can't be continued."""
    error: float = 0.0
    """Largest relative error of the percentiles in it; 0 where they are exact."""

    def records(self) -> list[dict[str, Any]]:
        """The rows as dictionaries."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]
