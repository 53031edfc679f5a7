"""Rows out of data files: JSONL, CSV and Parquet, each with the place that a person can open an editor at.

A reader yields a :class:`Row`, or a :class:`Problem` in its place, and goes on: whether a bad row ends the reading is
the caller's decision. Only what spoils the whole file (it is not there, it is empty, its header is unusable) raises.
Knows nothing about cases.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import UUID

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput
from noria.core.struct import Noun

if TYPE_CHECKING:  # 40 MB that only Parquet needs
    import duckdb

Format = Literal["jsonl", "csv", "parquet"]

SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_UNDECODED = re.compile("[\udc80-\udcff]")
_DEEPEST = 100
_LONGEST_CELL = 2**31 - 1


class Row(NamedTuple):
    """One row that could be read."""

    line: int
    """Where it begins in the file, from 1; for Parquet the number of the row."""
    place: str
    """The same for people: ``reviews.csv line 3``."""
    values: dict[str, Any]
    """Column to value, JSON-like builtins."""


class Problem(Noun):
    """One row that could not be used."""

    line: int
    """Where it begins in the file, from 1; for Parquet the number of the row."""
    message: str
    """File, line and what is wrong, as one sentence."""


def format_of(path: Path) -> Format:
    """The format that a file's name promises.

    Raises:
        InvalidInput: the name ends in none of the known suffixes.
    """
    try:
        return SUFFIXES[path.suffix.lower()]
    except KeyError:
        known = ", ".join(SUFFIXES)
        raise InvalidInput(
            f"{path.name} does not say what kind of file it is: its name ends in none of {known}.",
            hint="Give dataset.format: jsonl, csv or parquet.",
        ) from None


def read_rows(path: Path, format: Format) -> Iterator[Row | Problem]:
    """Read a file row by row.

    Raises:
        InvalidInput: the file cannot be opened or read at all.
    """
    try:
        yield from _READERS[format](path)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}.") from error


def _jsonl(path: Path) -> Iterator[Row | Problem]:
    offset = 0
    decoder = msgspec.json.Decoder()
    with path.open("rb") as file:
        for line, raw in enumerate(file, 1):
            if line == 1:
                _refuse_utf16(path, raw)
            text = raw.removeprefix(_BOM) if line == 1 else raw
            start, offset = offset + len(raw) - len(text), offset + len(raw)
            if not text.strip():
                continue
            place = f"{path.name} line {line}"
            try:
                values = decoder.decode(text)
            except UNREADABLE as error:
                bad = _first_bad_byte(text)
                if bad is None:
                    yield Problem(line=line, message=f"{place}{_json_fault(text, error)}")
                else:
                    yield _not_utf8(place, line, start + bad, text[bad])
            else:
                if _is_deep(text):
                    yield Problem(line=line, message=f"{place}: the JSON is nested more than {_DEEPEST} levels.")
                elif isinstance(values, dict):
                    yield Row(line, place, values)
                else:
                    kind = type(values).__name__
                    yield Problem(line=line, message=f"{place}: an object {{...}} is wanted, this is a {kind}.")


def _first_bad_byte(text: bytes) -> int | None:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        return error.start
    return None


def _is_deep(text: bytes) -> bool:
    """Whether valid JSON nests deeper than what comes later (content ids, templates) can walk."""
    if text.count(b"[") + text.count(b"{") <= _DEEPEST:
        return False
    depth = deepest = 0
    for bracket in re.findall(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', text):
        depth += (bracket in b"[{") - (bracket in b"]}")
        deepest = max(deepest, depth)
    return deepest > _DEEPEST


def _json_fault(text: bytes, error: Exception) -> str:
    """Where and why JSON is broken; the standard library knows the column, msgspec the rarer rules."""
    try:
        json.loads(text)
    except json.JSONDecodeError as found:
        return f", column {found.colno}: this is not JSON: {found.msg}."
    except RecursionError:
        return f": the JSON is nested more than {_DEEPEST} levels."
    return f": this is not JSON: {error}."


def _csv(path: Path) -> Iterator[Row | Problem]:
    data = path.read_bytes()
    _refuse_utf16(path, data)
    bom = len(_BOM) if data.startswith(_BOM) else 0
    # Bytes that are not UTF-8 become lone surrogates here, so that only the rows they are in are spoilt.
    text = data[bom:].decode("utf-8", errors="surrogateescape")
    csv.field_size_limit(_LONGEST_CELL)  # the module's own limit of 128 kB is shorter than many a document
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header = _header(path, reader)
    if header is None:
        return
    while True:
        line = reader.line_num + 1
        place = f"{path.name} line {line}"
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Problem(line=line, message=f"{place}: this is not CSV: {error}.")
            continue
        if not cells:
            continue
        if any(_UNDECODED.search(cell) for cell in cells):
            yield _first_not_utf8(place, line, text, bom)
        elif len(cells) != len(header):
            yield Problem(
                line=line,
                message=f"{place}: {_count(len(cells), 'value')}, but the header names {_count(len(header), 'column')}.",
            )
        else:
            yield Row(line, place, dict(zip(header, cells, strict=True)))


def _header(path: Path, reader: Iterator[list[str]]) -> list[str] | None:
    try:
        header = next((row for row in reader if row), None)
    except csv.Error as error:
        raise InvalidInput(f"The header of {path.name} is not CSV: {error}.") from error
    if header is None:
        return None
    if any(_UNDECODED.search(name) for name in header):
        raise InvalidInput(f"The header of {path.name} is not UTF-8.", hint="Save the file as UTF-8.")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise InvalidInput(
            f'The header of {path.name} names the column "{twice[0]}" twice.', hint="Rename one of them."
        )
    return header


def _first_not_utf8(place: str, line: int, text: str, bom: int) -> Problem:
    """Find the first bad byte at or after ``line``; slow, and only run for a row that has one."""
    lines = io.StringIO(text, newline="")
    before = "".join(next(lines) for _ in range(line - 1))
    rest = lines.read()
    found = _UNDECODED.search(rest)
    at = found.start() if found else 0
    offset = bom + len((before + rest[:at]).encode("utf-8", errors="surrogateescape"))
    return _not_utf8(place, line, offset, ord(rest[at]) - 0xDC00)


def _parquet(path: Path) -> Iterator[Row | Problem]:
    import duckdb  # noqa: PLC0415 - 40 MB that only Parquet needs

    path.stat()  # DuckDB's own sentence for a missing file names glob patterns
    with duckdb.connect() as connection:
        try:
            # The path is bound as a value; glob characters in it are escaped, for it names one file.
            source = [re.sub(r"([*?\[])", r"[\1]", str(path))]
            found = connection.execute(f"SELECT {_selected(connection, source)} FROM read_parquet(?)", source)  # noqa: S608 - quoted names
            columns = [column[0] for column in found.description or ()]
            line = 0
            while batch := found.fetchmany(1000):
                for cells in batch:
                    line += 1
                    place = f"{path.name} row {line}"
                    try:
                        values = {name: _builtin(cell) for name, cell in zip(columns, cells, strict=True)}
                    except InvalidInput as error:
                        yield Problem(line=line, message=f"{place}: {error}")
                    else:
                        yield Row(line, place, values)
        except duckdb.Error as error:
            raise InvalidInput(f"{path.name} cannot be read as Parquet: {str(error).splitlines()[0]}") from error


_UTC = "%Y-%m-%dT%H:%M:%S.%f+00:00"
_ZONED = frozenset({"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"})


def _selected(connection: duckdb.DuckDBPyConnection, source: list[str]) -> str:
    """Every column; moments with a zone as texts in UTC, because DuckDB wants pytz to make them anything else."""
    described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", source).fetchall()
    zoned = ['"' + name.replace('"', '""') + '"' for name, kind, *_ in described if kind in _ZONED]
    made = [f"strftime(make_timestamp(epoch_us(CAST({name} AS TIMESTAMPTZ))), '{_UTC}') AS {name}" for name in zoned]
    return f"* REPLACE ({', '.join(made)})" if made else "*"


def _builtin(value: Any) -> Any:
    """A Parquet value as JSON knows it: dates as ISO 8601 text, decimals as numbers."""
    match value:
        case float() | Decimal():
            if not math.isfinite(value):
                raise InvalidInput(f"{value} is no number in JSON.")
            return float(value)
        case None | bool() | int() | str():
            return value
        case date() | datetime() | time():
            return value.isoformat()
        case UUID():
            return str(value)
        case dict():
            return {str(key): _builtin(item) for key, item in value.items()}
        case list() | tuple():
            return [_builtin(item) for item in value]
        case _:
            raise InvalidInput(f"a value of type {type(value).__name__} has no form in JSON.")


def _refuse_utf16(path: Path, data: bytes) -> None:
    if data.startswith(_UTF16):
        raise InvalidInput(f"{path.name} is UTF-16 text (byte 0).", hint="Save it as UTF-8.")


def _not_utf8(place: str, line: int, offset: int, byte: int) -> Problem:
    return Problem(line=line, message=f"{place}: byte 0x{byte:02x} at offset {offset} of the file is not UTF-8.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


_READERS: dict[Format, Callable[[Path], Iterator[Row | Problem]]] = {"jsonl": _jsonl, "csv": _csv, "parquet": _parquet}
