"""How every measurement here is shown: one table with the machine's load beside it, or the same as JSON.

A script is ``arguments(__doc__)``, a :class:`Report` that it adds rows to as they are measured, and ``report.end()``.
Numbers of a shared machine are only as good as its load, so each row carries the load average at its end.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Iterable, Sequence

Cell = str | int | float | None


class Report:
    """One table of a benchmark.

    Arguments:
        title: what is measured.
        columns: names of the columns, unit included, such as ``wall s``.
        as_json: print one line of JSON at the end instead of lines on the way.
    """

    def __init__(self, title: str, columns: Sequence[str], *, as_json: bool) -> None:
        self._title = title
        self._columns = [*columns, "load"]
        self._as_json = as_json
        self._rows: list[list[Cell]] = []
        self._notes: list[str] = []
        self._width = 28
        if not as_json:
            print(f"{title}\n{machine()}")
            print(self._line(self._columns))

    def add(self, *cells: Cell) -> None:
        """One measured row."""
        row = [*cells, load()]
        self._rows.append(row)
        if not self._as_json:
            print(self._line([shown(cell) for cell in row]), flush=True)

    def note(self, sentence: str) -> None:
        """What the numbers say, or what they leave out."""
        self._notes.append(sentence)
        if not self._as_json:
            print(sentence, flush=True)

    def end(self) -> None:
        """Print the JSON, if that was asked for."""
        if self._as_json:
            rows = [dict(zip(self._columns, row, strict=True)) for row in self._rows]
            print(json.dumps({"title": self._title, "machine": machine(), "rows": rows, "notes": self._notes}))
        else:
            print()

    def _line(self, cells: Sequence[str]) -> str:
        widths = [len(column) for column in self._columns]
        first, *rest = cells
        return f"{first:<{self._width}}" + "".join(
            f"  {cell:>{max(8, width)}}" for cell, width in zip(rest, widths[1:], strict=True)
        )


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """A parser that knows ``--json``; its help is the script's own docstring."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON, one object a line for each table")
    return parser


def spread(values: Iterable[float]) -> tuple[float, float, float]:
    """Smallest, median and largest."""
    found = sorted(values)
    return found[0], statistics.median(found), found[-1]


def shown(cell: Cell) -> str:
    """A cell as people read it: three or four digits that count."""
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.3g}" if abs(cell) < 1 else f"{cell:.2f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def load() -> float:
    """Processes that wanted to run in the last minute, this benchmark included."""
    return round(os.getloadavg()[0], 2)


def machine() -> str:
    """Where and when, in one line."""
    when = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    return f"{when} UTC, {os.cpu_count()} cores, load {load()}, Python {platform.python_version()}"


__all__ = ["Report", "arguments", "load", "machine", "shown", "spread"]
