"""How nouns look in a terminal: tables, trees, numbers, times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text


def table(*columns: str, rows: Iterable[Sequence[Any]], right: Sequence[str] = (), title: str = "") -> Table:
    """A plain table. Cells are text, never markup: they may come from hostile traces."""
    made = Table(box=None, pad_edge=False, header_style="dim", title=title or None, title_justify="left")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    return made


def short_id(id: str | None) -> str:
    """The beginning of an id, enough to type."""
    if not id:
        return ""
    kind, _, digits = id.rpartition("_")
    return f"{kind}_{digits[:8]}" if kind else id[:12]


def when(ns: int) -> str:
    """A time in the reader's own zone."""
    return datetime.fromtimestamp(ns / 1e9).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def seconds(value: float | None) -> str:
    """A duration."""
    if value is None:
        return "–"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def dollars(value: float | None) -> str:
    """A price; unknown is said, not shown as zero."""
    return "unknown" if value is None else f"${value:.4f}".rstrip("0").rstrip(".")


def megabytes(value: int | None) -> str:
    """A size."""
    return "–" if value is None else f"{value / 2**20:,.0f} MB"


def number(value: float) -> str:
    """A metric's value, three figures or so."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"
