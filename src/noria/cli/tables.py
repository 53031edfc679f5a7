"""How nouns look in a terminal: tables, numbers, times."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from noria.cli.terminal import harmless

if TYPE_CHECKING:  # a tenth of a second that `--json` need not pay
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.text import Text

GAP = 2
"""Spaces between columns."""
NARROWEST = 24
"""Characters that a column of prose keeps."""
NOTHING = frozenset({"", "–", "0", "unknown"})
"""What a cell shows that says nothing."""


def table(
    *columns: str,
    rows: Iterable[Sequence[Any]],
    right: Sequence[str] = (),
    prose: Sequence[str] = (),
    spare: Sequence[str] = (),
    hide_empty: Sequence[str] = (),
) -> Table:
    """A plain table that never breaks a word that someone may copy.

    Arguments:
        columns: headers; a newline makes a second line of one.
        rows: cells, text or rich texts. They are never read as markup: they may come from hostile traces.
        right: columns of numbers.
        prose: columns that may be cut short where the terminal is narrow.
        spare: columns to leave out where it is too narrow even so, first things first.
        hide_empty: columns to leave out where no row has anything to say in them.
    """
    return Table(columns, [tuple(row) for row in rows], right=right, prose=prose, spare=spare, hide_empty=hide_empty)


class Table:
    """What :func:`table` makes: it chooses its columns when it is printed, for the width that there is."""

    def __init__(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        *,
        right: Sequence[str],
        prose: Sequence[str],
        spare: Sequence[str],
        hide_empty: Sequence[str],
    ) -> None:
        self._columns = columns
        self._rows = rows
        self._right = right
        self._prose = prose
        self._spare = spare
        self._hide_empty = hide_empty

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw, as rich asks (its console protocol)."""
        from rich.text import Text  # noqa: PLC0415  # see above

        del console
        rows = [[cell if isinstance(cell, Text) else Text(_flat(str(cell))) for cell in row] for row in self._rows]
        widths = self.fit([[cell.plain for cell in row] for row in rows], options.max_width)
        heads = [name.split("\n") for name in self._columns]
        for level in range(max(len(heads[index]) for index in widths), 0, -1):
            cells = [Text(head[-level] if level <= len(head) else "", "dim") for head in heads]
            yield self._line(cells, widths)
        for row in rows:
            yield self._line(row, widths)

    def _line(self, cells: Sequence[Text], widths: dict[int, int]) -> Text:
        """One line; it is wider than the terminal only where nothing more can be left out."""
        from rich.text import Text  # noqa: PLC0415  # see above

        line = Text(no_wrap=True, overflow="ignore")
        for index, width in widths.items():
            cell = cells[index].copy()
            cell.truncate(width, overflow="ellipsis")
            cell.align("right" if self._columns[index] in self._right else "left", width)
            line.append_text(cell).append(" " * GAP)
        line.rstrip()
        return line

    def fit(self, cells: Sequence[Sequence[str]], width: int) -> dict[int, int]:
        """Columns to show, by position, with the width of each; together at most ``width`` where that can be."""
        widths = {
            index: max(map(_width, [*name.split("\n"), *(row[index] for row in cells)]))
            for index, name in enumerate(self._columns)
            if not (name in self._hide_empty and all(row[index] in NOTHING for row in cells))
        }
        least = {
            index: min(natural, NARROWEST) if self._columns[index] in self._prose else natural
            for index, natural in widths.items()
        }
        for name in self._spare:
            if _total(least) <= width:
                break
            least.pop(self._columns.index(name), None)
        shown = {index: widths[index] for index in least}
        while (excess := _total(shown) - width) > 0 and shown != least:
            longest = max(shown, key=lambda index: shown[index] - least[index])
            shown[longest] -= min(excess, 1 + (shown[longest] - least[longest]) // 4)
        return shown


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def _width(text: str) -> int:
    from rich.cells import cell_len  # noqa: PLC0415  # see above

    return cell_len(text)


def _flat(text: str) -> str:
    """A cell is one line."""
    return " ".join(harmless(text).split()) if "\n" in text or "\t" in text else harmless(text)


def coloured(text: str, style: str) -> Text:
    """A cell with a colour."""
    from rich.text import Text  # noqa: PLC0415  # see above

    return Text(harmless(text), style)


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
    if value < 0.01:
        return f"{value * 1000:.2g} ms"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def dollars(value: float | None) -> str:
    """A price; unknown is said, not shown as zero."""
    if value is None:
        return "unknown"
    if value == 0 or value >= 0.0001:
        return f"${value:.4f}".rstrip("0").rstrip(".")
    return f"${value:.{1 - math.floor(math.log10(value))}f}"  # two digits of it, and no exponent


def megabytes(value: int | None) -> str:
    """A size."""
    return "–" if value is None else f"{value / 1e6:,.0f} MB"


def tokens(value: int | None) -> str:
    """A count of tokens."""
    return "?" if value is None else f"{value:,}"


def number(value: float) -> str:
    """A metric's value, three figures or so."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"
