"""What stands in a file, piece by piece, whatever it is: JSON lines, one JSON document, CSV, Parquet, protobuf, gzip.

The kind is told by the content, never by the name. Lines, CSV and Parquet are read by a function that is handed in; a
JSON document and a protobuf message are read whole. Knows nothing about spans.
"""

from __future__ import annotations

import contextlib
import gzip
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput

Kind = Literal["jsonl", "json", "csv", "parquet", "protobuf"]

_GZIP, _PARQUET, _BOM = b"\x1f\x8b", b"PAR1", b"\xef\xbb\xbf"
_HEAD = 4096
_DEEPEST = 100
_ENVELOPES = ("data", "traces", "spans", "observations", "scores")
"""Under these keys the APIs of the field answer with a list; beside it stands paging."""
_PAGING = frozenset({"meta", "next_cursor", "next_page_token", "pagination", "total"})


class Row(NamedTuple):
    """One piece that could be read."""

    line: int
    """Where it begins, from 1; for Parquet and lists its number."""
    place: str
    """The same for people: ``traces.jsonl line 3``."""
    values: Any
    """JSON-like builtins, mostly a dictionary; the bytes of a protobuf file."""


class Bad(NamedTuple):
    """One piece that could not be used."""

    line: int
    """Where it begins, from 1."""
    message: str
    """File, line and what is wrong, as one sentence."""


ReadRows = Callable[[Path, Literal["jsonl", "csv", "parquet"]], Iterator[Row | Bad]]
"""Reads a file that has rows."""


def read(path: Path, read_rows: ReadRows) -> Iterator[Row | Bad]:
    """Everything in a file.

    Raises:
        InvalidInput: it can't be read at all.
    """
    try:
        with _unpacked(path) as plain:
            kind = kind_of(plain)
            if kind == "json":
                yield from _document(plain, path.name)
            elif kind == "protobuf":
                yield Row(1, path.name, plain.read_bytes())
            else:
                for found in read_rows(plain, kind):
                    yield from _opened(found, path, plain)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}.") from error


def kind_of(path: Path) -> Kind:
    """What a file is, by its content."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        if head.startswith(_PARQUET):
            return "parquet"
        text = head.removeprefix(_BOM).lstrip()
        if text.startswith(b"{"):
            file.seek(0)
            first = next((line for line in file if line.removeprefix(_BOM).strip()), b"")
            return "jsonl" if _is_json(first.removeprefix(_BOM)) else "json"
        if text.startswith(b"["):
            return "json"
        printable = all(byte >= 0x20 or byte in b"\t\r\n" for byte in head)
        return "csv" if printable else "protobuf"


@contextlib.contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """The file itself, or what a gzip file holds, for as long as it is read."""
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    if not packed:
        yield path
        return
    with tempfile.NamedTemporaryFile(prefix="noria-") as plain:
        try:
            with gzip.open(path) as source:
                while piece := source.read(1 << 20):
                    plain.write(piece)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InvalidInput(f"{path.name} is no whole gzip file: {error}.") from error
        plain.flush()
        yield Path(plain.name)


def _document(path: Path, name: str) -> Iterator[Row | Bad]:
    """The rows of one JSON document: the elements of a list, or what an object holds."""
    try:
        document = msgspec.json.decode(path.read_bytes().removeprefix(_BOM))
    except UNREADABLE as error:
        raise InvalidInput(f"{name} is no JSON: {error}.") from error
    if isinstance(document, list):
        for number, item in enumerate(document, 1):
            yield _checked(number, f"{name} element {number}", item)
    else:
        yield from _rows_in(1, name, document)


def _opened(found: Row | Bad, path: Path, plain: Path) -> Iterator[Row | Bad]:
    """A row under its file's own name (a gzip file was read under another), and what it holds."""
    if isinstance(found, Bad):
        yield found._replace(message=found.message.replace(plain.name, path.name, 1))
    else:
        yield from _rows_in(found.line, found.place.replace(plain.name, path.name, 1), found.values)


def _rows_in(line: int, place: str, values: Any) -> Iterator[Row | Bad]:
    """An object itself, or the elements of the list in its envelope, or the rows of a table written by columns."""
    if isinstance(values, dict):
        if (items := _in_envelope(values)) is not None:
            for number, item in enumerate(items, 1):
                yield _checked(number, f"{place}, element {number}", item)
            return
        if (rows := _by_columns(values)) is not None:
            for number, row in enumerate(rows, 1):
                yield _checked(number, f"{place}, row {number}", row)
            return
    yield _checked(line, place, values)


def _in_envelope(values: Mapping[str, Any]) -> list[Any] | None:
    for key in _ENVELOPES:
        if isinstance(items := values.get(key), list) and set(values) - {key} <= _PAGING:
            return items
    return None


def _by_columns(values: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """What pandas writes by default: column -> row's label -> value."""
    columns = list(values.values())
    if not columns or len(columns) < 2 or not all(isinstance(column, dict) for column in columns):
        return None
    labels = columns[0].keys()
    if not labels or any(column.keys() != labels for column in columns):
        return None
    return [{name: column[label] for name, column in values.items()} for label in labels]


def _checked(line: int, place: str, values: Any) -> Row | Bad:
    if is_deep(values):
        return Bad(line, f"{place}: the JSON is nested more than {_DEEPEST} levels.")
    if not isinstance(values, dict):
        return Bad(line, f"{place}: an object {{...}} is wanted, this is a {type(values).__name__}.")
    return Row(line, place, values)


def is_deep(value: Any) -> bool:
    """Whether a value nests deeper than what comes later can walk."""
    layer, depth = [value], 0
    while layer:
        if depth > _DEEPEST:
            return True
        layer = [item for one in layer for item in _items(one)]
        depth += 1
    return False


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except UNREADABLE:
        return False
    return True
