"""Files that the OpenTelemetry Collector writes, and requests kept as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from bridges.records import score, span
from noria.assemble.record.trace_files import opened_import
from noria.bridges.files.records import Records
from noria.bridges.otlp.encode import encode, request
from noria.core.errors import InvalidInput

ROWS = [(span(number), [score(number)] if number == 1 else []) for number in range(3)]
EXPECTED = Records(tuple(one for one, _ in ROWS), (score(1),))


def read(path: Path, content: bytes) -> Records:
    path.write_bytes(content)
    source = opened_import([path])
    survey = source.survey()
    assert survey.formats == {str(path): "otlp"}
    assert survey.bad == 0, survey.problems
    return next(source.batches())


def collector_line(rows: list[Any]) -> bytes:
    """A request as the file exporter writes it: protobuf's JSON with hex ids."""
    written = MessageToDict(request(rows))
    for resource in written["resourceSpans"]:
        for sent in resource["scopeSpans"][0]["spans"]:
            one = next(found for found, _ in rows if found.name == sent["name"])
            sent["traceId"], sent["spanId"] = one.trace_id, one.span_id
            if one.parent_id:
                sent["parentSpanId"] = one.parent_id
    return json.dumps(written).encode() + b"\n"


def by_id(records: Records) -> Records:
    return Records(tuple(sorted(records.spans, key=lambda one: one.span_id)), records.scores)


def test_a_request_a_line(tmp_path: Path) -> None:
    lines = b"".join(collector_line([row]) for row in ROWS)
    assert by_id(read(tmp_path / "traces.json", lines)) == EXPECTED


@pytest.mark.parametrize("framed", [False, True])
def test_protobuf(tmp_path: Path, framed: bool) -> None:
    if framed:
        bodies = [encode([row]) for row in ROWS]
        content = b"".join(len(body).to_bytes(4, "big") + body for body in bodies)
    else:
        content = encode(ROWS)
    assert by_id(read(tmp_path / "traces.pb", content)) == EXPECTED


def test_records_that_can_t_be_kept_are_named(tmp_path: Path) -> None:
    path = tmp_path / "traces.json"
    path.write_bytes(collector_line([ROWS[0]]).replace(ROWS[0][0].trace_id.encode(), b"0" * 32))
    survey = opened_import([path]).survey()
    assert survey.bad == 1
    assert "traces.json line 1" in survey.problems[0]
    assert "trace id" in survey.problems[0]


def test_bytes_that_only_begin_like_protobuf(tmp_path: Path) -> None:
    path = tmp_path / "traces.pb"
    path.write_bytes(b"\x0a\xff\xff\xff\x00\x00")
    survey = opened_import([path]).survey()
    assert survey.bad == 1
    assert "ExportTraceServiceRequest" in survey.problems[0]
    path.write_bytes(b"\x00\x00\x00\x09\x0a")
    with pytest.raises(InvalidInput, match="no known format"):
        opened_import([path]).survey()
