"""Records into a file that is there whole or not at all: written beside its place, then renamed."""

from __future__ import annotations

import contextlib
import gzip
import os
import tempfile
from collections.abc import Callable, Iterator
from io import BufferedWriter
from pathlib import Path
from typing import Literal

from noria.bridges.files.columns import encode_line
from noria.bridges.files.parquet import write_parquet
from noria.bridges.files.records import Records
from noria.bridges.files.walk import scores_by_span
from noria.core.errors import Conflict, InvalidInput, StorageFull

OutFormat = Literal["jsonl", "parquet"]

SUFFIXES: dict[str, OutFormat] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet"}
"""What a file's name promises, a ``.gz`` behind it left out."""

Write = Callable[[Records], None]


def out_format(path: Path) -> OutFormat:
    """The format that a file's name promises. Raises ``InvalidInput`` when it promises none."""
    name = path.name.removesuffix(".gz")
    try:
        return SUFFIXES[Path(name).suffix.lower()]
    except KeyError:
        raise InvalidInput(
            f"{path.name} does not say what to write: its name ends in none of {', '.join(SUFFIXES)}.",
            hint="Give --format.",
        ) from None


@contextlib.contextmanager
def whole_file(path: Path, format: OutFormat, *, overwrite: bool = False) -> Iterator[Write]:
    """A function that writes records to ``path``; when the block ends well the file is in its place, else nothing is.

    Raises:
        Conflict: there is a file already.
        InvalidInput: its folder can't be written to.
        StorageFull: the disk is full.
    """
    if path.exists() and not overwrite:
        raise Conflict(f"{path} is there already.", kept="It was left alone.", hint="Give --overwrite to replace it.")
    try:
        with contextlib.ExitStack() as stack:
            lines = _beside(stack, path)
            packed = format == "parquet" or path.suffix == ".gz"
            with (
                gzip.open(lines, "wb", compresslevel=1 if format == "parquet" else 6)
                if packed
                else lines.open("wb") as file
            ):
                writer = _Lines(file)
                yield writer.write
            ready = lines
            if format == "parquet":
                ready = _beside(stack, path)
                write_parquet(lines, ready, longest=writer.longest)
            _settle(ready, path)
    except OSError as error:
        raise StorageFull(
            f"{path} can't be written: {error.strerror or error}.", kept="No part of it was left behind."
        ) from error


class _Lines:
    """A file of lines that knows its longest."""

    def __init__(self, file: gzip.GzipFile | BufferedWriter) -> None:
        self._file = file
        self.longest = 0

    def write(self, records: Records) -> None:
        for span, scores in scores_by_span(records):
            line = encode_line(span, scores)
            self.longest = max(self.longest, len(line))
            self._file.write(line)


def _beside(stack: contextlib.ExitStack, path: Path) -> Path:
    """A new file in the same folder, removed at the end if it is still there."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    except OSError as error:
        raise InvalidInput(f"{path.parent} can't be written to: {error.strerror or error}.") from error
    os.close(handle)
    made = Path(name)
    stack.callback(made.unlink, missing_ok=True)
    return made


def _settle(ready: Path, path: Path) -> None:
    """Give the file its name, durably."""
    with ready.open("rb+") as file:
        os.fsync(file.fileno())
    ready.replace(path)
