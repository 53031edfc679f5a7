"""Exports that were cut, twisted or made up: each is imported or refused with a sentence, never anything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.assemble.record.trace_files import FORMATS, opened_import
from noria.core.errors import InvalidInput
from noria.stores.traces.rows import pack

FIXTURES = Path(__file__).parents[1] / "fixtures"
ROWS = [
    json.loads(line)
    for name in (
        "phoenix/spans.jsonl", "phoenix/annotations.jsonl", "mlflow/traces.jsonl", "mlflow/search_traces.jsonl",
        "langfuse/observations_v2.jsonl", "langfuse/traces.jsonl", "langfuse/scores.jsonl",
    )
    for line in (FIXTURES / name).read_text().splitlines()
]  # fmt: skip
ROWS += json.loads((FIXTURES / "phoenix/api_spans.json").read_text())
ROWS += json.loads((FIXTURES / "phoenix/api_annotations.json").read_text())
ROWS += json.loads((FIXTURES / "langfuse/api_observations.json").read_text())["data"]
ROWS += [
    {
        "trace_id": "a" * 32, "span_id": "b" * 16, "name": "x", "start_ns": 10**18, "end_ns": 10**18 + 5,
        "input": [{"role": "user", "content": "hi"}], "scores": [{"scorer": "s", "version": "1", "value": 1}],
    },
    {
        "resourceSpans": [
            {"scopeSpans": [{"spans": [{"traceId": "a" * 32, "spanId": "b" * 16, "startTimeUnixNano": "1795600000000000000",
             "attributes": [{"key": "gen_ai.request.model", "value": {"stringValue": "m"}}]}]}]}
        ]
    },
]  # fmt: skip
ODD = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        [
            "",
            "\0",
            "0",
            "-1",
            "1e400",
            "NaN",
            "[",
            "{}",
            "[[[[]]]]",
            '{"a":1}',
            "2026-13-01",
            "9999-12-31T23:59:59",
            "é" * 300,
        ]
    )
    | st.text(max_size=6)
    | st.sampled_from([[], {}, [None], [[]], {"": None}, [{"a": [1, {"b": None}]}], ["x"] * 50])
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """``value`` with another value at a place; ``...`` takes the place out."""
    if not path:
        return new
    first, rest = path[0], path[1:]
    if isinstance(value, dict):
        found = {key: changed(item, rest, new) if key == first else item for key, item in value.items()}
        return {key: item for key, item in found.items() if item is not ...}
    found_list = [changed(item, rest, new) if index == first else item for index, item in enumerate(value)]
    return [item for item in found_list if item is not ...]


def take(path: Path, content: bytes, format: str | None = None) -> None:
    """Import as the command does, up to what the store would keep."""
    path.write_bytes(content)
    source = opened_import([path], format=format)
    try:
        survey = source.survey()
        batches = list(source.batches())
    except InvalidInput as error:
        assert str(error)
        return
    assert survey.spans == sum(len(batch.spans) for batch in batches)
    assert all(problem.startswith(path.name) for problem in survey.problems)
    for batch in batches:
        try:
            pack(batch.spans, batch.scores)
        except InvalidInput:
            continue


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any") / "file"


@settings(max_examples=200)
@given(st.data())
def test_rows_with_something_else_in_places(path: Path, data: st.DataObject) -> None:
    row = data.draw(st.sampled_from(ROWS))
    for _ in range(data.draw(st.integers(1, 3))):
        if not isinstance(row, dict):
            break
        row = changed(row, data.draw(st.sampled_from(list(places(row)))), data.draw(ODD | st.just(...)))
    if row is not ...:
        take(path, json.dumps(row).encode())


@settings(max_examples=100)
@given(st.sampled_from(ROWS), st.sampled_from(FORMATS))
def test_rows_read_as_another_format(path: Path, row: Any, format: str) -> None:
    take(path, json.dumps(row).encode(), format)


@settings(max_examples=100)
@given(st.data())
def test_files_cut_or_with_other_bytes(path: Path, data: st.DataObject) -> None:
    content = json.dumps(data.draw(st.sampled_from(ROWS))).encode()
    at = data.draw(st.integers(0, len(content)))
    take(path, content[:at] + data.draw(st.binary(max_size=4)) + content[at + data.draw(st.integers(0, 40)) :])


@settings(max_examples=40)
@given(st.binary(max_size=64), st.sampled_from([None, *FORMATS]))
def test_any_bytes(path: Path, content: bytes, format: str | None) -> None:
    for before in (b"", b"\x0a", b"PAR1", b"\x1f\x8b\x08", b"[", b'{"'):
        take(path, before + content, format)


@pytest.mark.parametrize("depth", [90, 200, 5_000, 200_000])
def test_deep_nesting(path: Path, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    for text in (
        deep,
        f'{{"trace_id":"{"a" * 32}","span_id":"{"b" * 16}","name":"x","start_ns":1,"end_ns":2,"attributes":{{"a":{deep}}}}}',
        f'{{"context.span_id":"{"b" * 16}","context.trace_id":"{"a" * 32}","start_time":1,"attributes.metadata":{deep}}}',
        f'{{"resourceSpans":{deep}}}',
        f'{{"id":"a","timestamp":1,"user_id":"u","metadata":{json.dumps(deep)}}}',
    ):
        take(path, text.encode())
