from __future__ import annotations

import json
import re
from pathlib import Path

from serve.conftest import Noria


async def call(noria: Noria, trace_id: str) -> None:
    headers = {"traceparent": f"00-{trace_id}-{'cd' * 8}-01"}
    body = {"model": "up/m", "messages": [{"role": "user", "content": "hi"}]}
    assert (await noria.client.post("/v1/chat/completions", json=body, headers=headers)).status_code == 200


async def test_traces_are_found_by_the_beginning_of_their_id(noria: Noria) -> None:
    for trace_id in ("a1" * 16, "a2" * 16, "b0" * 16):
        await call(noria, trace_id)
    assert (await noria.get("/api/traces/b"))["trace_id"] == "b0" * 16
    trace = await noria.get(f"/api/traces/{'A1' * 16}")
    assert [span["trace_id"] for span in trace["spans"]] == ["a1" * 16]
    several = await noria.client.get("/api/traces/a")
    assert several.status_code == 404
    assert "Several traces" in several.json()["error"]["message"]
    assert (await noria.client.get("/api/traces/c")).status_code == 404
    assert [span["trace_id"][:2] for span in await noria.get("/api/traces", limit=2)] == ["b0", "a2"]
    assert await noria.get("/api/traces", app="none") == []


async def test_questions(noria: Noria) -> None:
    await call(noria, "a1" * 16)
    table = await noria.post(
        "/api/traces/query",
        {"group_by": ["provider"], "measures": [{"measure": "count"}, {"measure": "sum", "column": "output_tokens"}]},
    )
    answer = {"columns": ["provider", "count", "sum_output_tokens"], "rows": [["up", 1, 2]], "next": None, "error": 0.0}
    assert table == answer
    for question in (
        {"where": [{"column": "nothing", "value": 1}]},
        {"where": [{"column": "start_ns", "op": "like", "value": 1}]},
        {"source": "users"},
        {"limit": -1},
        {"measures": [{"measure": "median", "column": "cost_usd"}]},
        {"columns": ["name; drop table spans"]},
    ):
        response = await noria.client.post("/api/traces/query", json=question)
        assert response.status_code == 400, question
        assert response.json()["error"]["code"] == "invalid_input"


async def test_a_trace_in_opentelemetrys_terms(noria: Noria) -> None:
    await call(noria, "a1" * 16)
    [span] = await noria.get("/api/traces/a1/otel")
    assert (span["trace_id"], span["parent_span_id"], span["name"]) == ("a1" * 16, "cd" * 8, "chat up/m")
    assert span["end_time_unix_nano"] >= span["start_time_unix_nano"]
    found = span["attributes"]
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.provider.name"] == "up"
    assert found["gen_ai.request.model"] == "m"
    assert found["gen_ai.usage.output_tokens"] == 2
    assert (await noria.client.get("/api/traces/ff/otel")).status_code == 404


async def test_the_question_in_the_documents_is_right(noria: Noria) -> None:
    page = (Path(__file__).parents[3] / "docs/questions.md").read_text()
    [example] = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    table = await noria.post("/api/traces/query", json.loads(example))
    assert table["columns"] == ["time", "model", "count", "error_rate", "p95_ttft_s", "distinct_user_id"]


async def test_a_whole_id_that_begins_another_is_itself(noria: Noria) -> None:
    await call(noria, "a1" * 16)
    assert (await noria.get(f"/api/traces/{'a1' * 16}"))["trace_id"] == "a1" * 16
    missing = await noria.client.get(f"/api/traces/{'b1' * 16}")
    assert missing.status_code == 404
