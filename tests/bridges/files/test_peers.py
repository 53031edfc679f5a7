"""Exports of other systems, made by their own clients: what they recorded is found in the columns where it belongs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import duckdb
import pytest

from noria.assemble.record.trace_files import FORMATS, opened_import
from noria.bridges.files.records import Records
from noria.core.errors import InvalidInput
from noria.core.messages import Message, ToolCall
from noria.core.scores import Score
from noria.core.spans import Document, Span

FIXTURES = Path(__file__).parents[1] / "fixtures"
ASKED = (Message(role="system", content="Be kind."), Message(role="user", content="Where is my parcel?"))
ANSWERED = (Message(role="assistant", content="It arrives on Friday."),)


def imported(*names: str, format: str | None = None) -> tuple[dict[str, Span], dict[str, Score]]:
    """Spans by name and scores by scorer."""
    source = opened_import([FIXTURES / name for name in names], format=format)
    survey = source.survey()
    assert (survey.bad, survey.problems) == (0, ())
    assert set(survey.formats.values()) == {names[0].split("/")[0]}
    found = list(source.batches())
    records = Records(
        tuple(span for batch in found for span in batch.spans), tuple(score for one in found for score in one.scores)
    )
    assert (survey.spans, survey.scores) == (len(records.spans), len(records.scores))
    return {span.name: span for span in records.spans}, {score.scorer: score for score in records.scores}


def is_tree(spans: dict[str, Span]) -> None:
    root = spans["answer"]
    assert root.parent_id is None
    assert {span.parent_id for span in spans.values()} - {root.span_id} == {None}
    assert (root.lineage.user_id, root.lineage.session_id) == ("user-7", "session-1")
    assert [message.text for message in root.output] == ["It arrives on Friday."]
    track = spans["track"]
    assert track.operation == "execute_tool"
    assert track.input[0].tool_calls[0].arguments.replace(" ", "") == '{"id":7}'
    assert track.output[0].text == "Friday"
    for span in spans.values():
        assert 0 <= span.end_ns - span.start_ns < 20 * 10**9


@pytest.mark.parametrize(
    "names",
    [
        ("phoenix/spans.parquet", "phoenix/annotations.jsonl"),
        ("phoenix/api_annotations.json", "phoenix/api_spans.json"),
        ("phoenix/spans.jsonl", "phoenix/api_annotations.json"),
        ("phoenix/spans_by_column.json", "phoenix/annotations.jsonl"),
    ],
    ids=" ".join,
)
def test_phoenix(names: tuple[str, ...]) -> None:
    spans, scores = imported(*names)
    is_tree(spans)
    call = spans["ChatCompletion"]
    assert (call.operation, call.request_model, call.provider) == ("chat", "gpt-4o-mini", "openai")
    assert (call.input_tokens, call.output_tokens, call.params) == (21, 9, {"temperature": 0.2, "max_tokens": 64})
    assert call.input == ASKED
    tool_call = ToolCall(id="call_1", name="track", arguments='{"id": 7}')
    assert call.output == (Message(role="assistant", tool_calls=(tool_call,)),)
    assert call.cost_usd is not None
    assert spans["search"].documents == (
        Document(id="doc-0", text="Parcels take three days.", score=0.91),
        Document(id="doc-1", text="We ship on weekdays.", score=0.4),
    )
    broken = spans["broken"]
    assert (broken.status, broken.error_type) == ("error", "TimeoutError")
    assert [event.name for event in broken.events] == ["exception"]
    assert {name: (score.value, score.source) for name, score in scores.items()} == {
        "helpful": (1.0, "human"),
        "toxicity": (0.02, "model"),
        "format": ("prose", "code"),
    }
    assert scores["helpful"].span_id == spans["answer"].span_id
    assert scores["helpful"].reason == "It answers."
    assert scores["toxicity"].metadata["label"] == "clean"


@pytest.mark.parametrize("name", ["mlflow/traces.jsonl", "mlflow/search_traces.jsonl", "mlflow/trace.json"])
def test_mlflow(name: str) -> None:
    spans, scores = imported(name)
    if name != "mlflow/trace.json":
        broken = spans.pop("broken")
        assert (broken.status, broken.error_type, broken.error_message) == (
            "error",
            "TimeoutError",
            "TimeoutError: no answer in 30 s",
        )
    is_tree(spans)
    assert spans["answer"].trace_id == "19b21ef92cbb9e89e7dc77d36cfdc89e"
    call = spans["chat"]
    assert (call.input, call.output, call.finish_reasons) == (ASKED, ANSWERED, ("stop",))
    assert (call.request_model, call.response_model) == ("gpt-4o-mini", "gpt-4o-mini-2026")
    assert (call.input_tokens, call.output_tokens, call.cost_usd) == (21, 6, 6.75e-06)
    assert spans["search"].documents == (
        Document(id="doc-0", text="Parcels take three days.", metadata={"doc_uri": "faq"}),
    )
    assert {name: (score.value, score.source) for name, score in scores.items()} == {
        "helpful": (True, "human"),
        "fluency": (4.5, "model"),
    }
    assert {score.span_id for score in scores.values()} == {spans["answer"].span_id}
    assert spans["answer"].attributes["mlflow.expectation.expected"] == "Friday"
    assert spans["answer"].attributes["mlflow.tag.channel"] == "mail"


@pytest.mark.parametrize(
    "names",
    [
        ("langfuse/observations_v2.jsonl", "langfuse/scores.jsonl"),
        ("langfuse/scores.jsonl", "langfuse/observations.jsonl", "langfuse/traces.jsonl"),
        ("langfuse/api_observations.json", "langfuse/api_scores.json"),
    ],
    ids=" ".join,
)
def test_langfuse(names: tuple[str, ...]) -> None:
    spans, scores = imported(*names)
    if "langfuse/traces.jsonl" in names:
        lonely = spans.pop("ping")
        assert (lonely.input[0].text, lonely.output[0].text, lonely.lineage.user_id) == ("ping", "pong", "user-8")
        assert lonely.attributes["langfuse.id"] == "a-trace-without-observations"
        assert spans["answer"].attributes["langfuse.release"] == "r9"
        assert spans["answer"].attributes["langfuse.trace.metadata.channel"] == "mail"
    is_tree(spans)
    assert spans["answer"].trace_id == "0af7651916cd43dd8448eb211c80319c"
    assert spans["answer"].attributes["langfuse.trace.tags"] == ["mail"]
    call = spans["chat"]
    assert (call.operation, call.request_model, call.input, call.output) == ("chat", "gpt-4o-mini", ASKED, ANSWERED)
    assert (call.input_tokens, call.output_tokens, call.cost_usd, call.ttft_s) == (21, 6, 6.75e-06, 0.5)
    assert call.params == {"temperature": 0.2, "max_tokens": 64}
    assert call.lineage.prompt_id == "support@3"
    assert spans["cache miss"].end_ns == spans["cache miss"].start_ns
    assert (spans["track"].status, spans["track"].error_message) == ("error", "no such parcel")
    assert {name: (score.value, score.source) for name, score in scores.items()} == {
        "helpful": (True, "human"),
        "fluency": (4.5, "model"),
        "tone": ("kind", "code"),
    }
    assert scores["helpful"].span_id == spans["answer"].span_id
    assert scores["tone"].span_id == call.span_id


def test_langfuse_in_csv_and_parquet_says_what_its_lines_say(tmp_path: Path) -> None:
    lines = [FIXTURES / "langfuse" / f"{name}.jsonl" for name in ("observations_v2", "scores")]
    written: dict[str, list[Path]] = {"csv": [], "parquet": []}
    for path in lines:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        cells = [{name: _cell(value) for name, value in row.items()} for row in rows]
        written["csv"].append(tmp_path / f"{path.stem}.csv")
        with written["csv"][-1].open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(cells)
        written["parquet"].append(tmp_path / f"{path.stem}.parquet")
        with duckdb.connect() as connection:
            connection.execute(f"COPY (SELECT * FROM read_json('{path}')) TO '{written['parquet'][-1]}'")
    for paths in written.values():
        found = list(opened_import(paths).batches())
        for expected, one in zip(opened_import(lines).batches(), found, strict=True):
            assert [(s.name, s.input, s.output, s.cost_usd, s.input_tokens, s.lineage) for s in one.spans] == [
                (s.name, s.input, s.output, s.cost_usd, s.input_tokens, s.lineage) for s in expected.spans
            ]
            assert [(s.scorer, s.value, s.source) for s in one.scores] == [
                (s.scorer, s.value, s.source) for s in expected.scores
            ]


def _cell(value: object) -> object:
    """As a CSV export writes it."""
    return "" if value is None else json.dumps(value) if isinstance(value, dict | list) else value


def test_the_same_files_say_the_same_twice() -> None:
    for names in (["mlflow/traces.jsonl"], ["langfuse/traces.jsonl", "langfuse/scores.jsonl"], ["phoenix/spans.jsonl"]):
        assert imported(*names) == imported(*names)


def test_every_format_has_its_name() -> None:
    for name in FORMATS:
        opened_import([], format=name)
    with pytest.raises(InvalidInput, match="Formats are noria, otlp, mlflow, phoenix, langfuse"):
        opened_import([], format="langsmith")
