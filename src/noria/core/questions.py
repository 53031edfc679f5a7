"""Questions to the trace store, typed, and the tables that answer them. Each store compiles them itself."""

from __future__ import annotations

from typing import Any, Literal

from noria.core.struct import Noun

Operator = Literal["=", "!=", "<", "<=", ">", ">=", "in", "not in", "contains", "is null", "is not null"]
Measure = Literal["count", "sum", "mean", "min", "max", "p50", "p90", "p95", "p99"]


class Filter(Noun):
    """A condition on one column."""

    column: str
    """A column of the source, or ``attributes.<key>`` / ``metadata.<key>``."""
    op: Operator = "="
    """How to compare."""
    value: Any = None
    """What to compare with; a list for ``in`` and ``not in``, unused for the null checks."""


class Aggregate(Noun):
    """A number over a group of rows."""

    measure: Measure
    """What to compute; nulls do not count."""
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
    since_ns: int | None = None
    """Start of the time range, inclusive, nanoseconds since 1970 UTC."""
    until_ns: int | None = None
    """End of the time range, exclusive."""
    columns: tuple[str, ...] = ()
    """Columns to return; empty returns all. Not allowed in a grouped question."""
    group_by: tuple[str, ...] = ()
    """Columns that form groups."""
    measures: tuple[Aggregate, ...] = ()
    """Numbers for each group (or for all rows without ``group_by``)."""
    order: tuple[Order, ...] = ()
    """Sorting; by default newest first."""
    limit: int | None = 100
    """Most rows; None for all."""
    offset: int = 0
    """Rows to skip."""


class Table(Noun):
    """An answer."""

    columns: tuple[str, ...]
    """Names, in order."""
    rows: tuple[tuple[Any, ...], ...]
    """Values in the order of ``columns``: JSON-like builtins."""

    def records(self) -> list[dict[str, Any]]:
        """The rows as dictionaries."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]
