"""Standard output for people: its width, its colours, and characters that it can't show."""

from __future__ import annotations

import codecs
import functools
import io
import os
import re
import sys
from typing import Any

import click

_CONTROLS = re.compile(r"[\x7f-\x9f]")

PIPE_WIDTH = 120
"""Columns where standard output is no terminal and ``COLUMNS`` does not say."""

_PLAIN = {
    "━": "=", "●": "o", "·": ".", "→": ">", "–": "-", "—": "-", "…": "~", "▲": "^", "▼": "v", "✓": "+", "✗": "x",
    "×": "x", "’": "'", "“": '"', "”": '"', "≥": ">", "≤": "<",
}  # fmt: skip
"""One plain character for each that we print, so that columns stay in line."""


class Console:
    """Standard output for people, through rich; made when first needed."""

    @functools.cached_property
    def rich(self) -> Any:
        """The rich console."""
        from rich.console import Console as RichConsole  # noqa: PLC0415  # not needed for --json

        width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else PIPE_WIDTH
        return RichConsole(highlight=False, soft_wrap=False, width=width)

    def print(self, *things: Any) -> None:
        """Print rich renderables; plain strings are printed as they are, never read as markup.

        Only a terminal gets sentences broken into lines.
        """
        from rich.text import Text  # noqa: PLC0415

        for thing in things:
            shown = Text(harmless(thing)) if isinstance(thing, str) else thing
            whole = isinstance(shown, Text) and not self.rich.is_terminal
            self.rich.print(shown, crop=False, soft_wrap=whole)

    def bar(self, *columns: Any, hidden: bool) -> Any:
        """A progress bar on standard error, gone when it is done; nothing where nobody watches."""
        from rich.console import Console as RichConsole  # noqa: PLC0415  # see above
        from rich.progress import Progress  # noqa: PLC0415

        return Progress(
            *columns, console=RichConsole(stderr=True), disable=hidden or not sys.stderr.isatty(), transient=True
        )


def harmless(text: str) -> str:
    """Text without control characters: much of what is shown was written by others, and a terminal obeys them."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in "\n\t" else "·" for char in text)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """A value as JSON, with those control characters escaped that JSON itself lets stand: DEL and C1 (ECMA-48)."""
    import msgspec  # noqa: PLC0415  # `noria --help` need not pay

    made = msgspec.json.encode(value)
    text = (made if indent is None else msgspec.json.format(made, indent=indent)).decode()
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def prepare_streams() -> None:
    """Let no character that a terminal can't encode end a command: it is replaced by a plain one."""
    codecs.register_error("noria-plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="noria-plain")


def silence_stdout() -> None:
    """Let what is still to be printed go nowhere: nobody reads it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def obey_no_color(context: click.Context) -> None:
    """Colours only where they are wanted (https://no-color.org); rich asks by itself."""
    if os.environ.get("NO_COLOR"):
        context.color = False


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_PLAIN.get(char, "?") for char in error.object[error.start : error.end]), error.end
