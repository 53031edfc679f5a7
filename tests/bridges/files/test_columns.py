"""Noria's own rows: nothing is lost on the way through JSON lines or Parquet, and the columns stay what they are."""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from bridges.records import score, scores, span, spans
from noria.bridges.files.columns import COLUMNS, encode_line, read_row
from noria.bridges.files.parquet import write_parquet
from noria.bridges.files.records import Records
from noria.core.errors import InvalidInput
from noria.core.scores import Score
from noria.core.spans import Span


@settings(max_examples=60)
@given(spans(), st.lists(scores, max_size=2))
def test_a_line_says_everything(one: Span, judged: list[Score]) -> None:
    mine = [msgspec.structs.replace(s, trace_id=one.trace_id, span_id=one.span_id) for s in judged]
    line = encode_line(one, mine)
    assert line.count(b"\n") == 1
    assert read_row(msgspec.json.decode(line)) == Records((one,), tuple(mine))


def test_parquet_says_everything(tmp_path: Path) -> None:
    many: list[Span] = []

    @settings(max_examples=60, database=None, phases=[Phase.generate])
    @given(spans())
    def collect(one: Span) -> None:
        many.append(one)

    collect()
    lines, target = tmp_path / "lines", tmp_path / "it's.parquet"
    lines.write_bytes(gzip.compress(b"".join(encode_line(one) for one in many)))
    write_parquet(lines, target, longest=1 << 16)
    with duckdb.connect() as connection:
        found = connection.execute("SELECT * FROM read_parquet(?)", [str(target)])
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    assert [read_row(row).spans[0] for row in rows] == many


def test_the_columns_are_a_promise(tmp_path: Path) -> None:
    lines, target = tmp_path / "lines", tmp_path / "t.parquet"
    lines.write_bytes(gzip.compress(encode_line(span(1), [score(1)])))
    write_parquet(lines, target, longest=1 << 16)
    with duckdb.connect() as connection:
        rows = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(target)]).fetchall()
    types = {"text": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "json": "VARCHAR"}
    assert [(name, kind) for name, kind, *_ in rows] == [(name, types[kind]) for name, kind in COLUMNS.items()]
    page = (Path(__file__).parents[3] / "docs/export.md").read_text()
    documented = [line.split("|")[1:3] for line in page.splitlines() if line.startswith("| `")]
    assert [(name.strip(" `"), kind.strip()) for name, kind in documented[: len(COLUMNS)]] == list(COLUMNS.items())


def test_a_row_with_the_least_is_a_span() -> None:
    least = {"trace_id": "a" * 32, "span_id": "b" * 16, "name": "x", "start_ns": 1, "end_ns": 2}
    assert read_row(least).spans == (Span(**least),)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"start_ns": "soon"}, "start_ns"),
        ({"status": "fine"}, "status"),
        ({"input": "[{]"}, "input is no JSON"),
        ({"colour": "red"}, "colour"),
        ({"scores": [{"scorer": "x"}]}, "version"),
        ({"attributes": [1]}, "attributes"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, object], sentence: str) -> None:
    least = {"trace_id": "a" * 32, "span_id": "b" * 16, "name": "x", "start_ns": 1, "end_ns": 2}
    with pytest.raises(InvalidInput, match=sentence):
        read_row(least | changes)
