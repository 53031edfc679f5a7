from __future__ import annotations

import asyncio
from typing import Any

import pytest

from serve.conftest import Noria

TRACE = "a1" * 16


def score(**changes: Any) -> dict[str, Any]:
    return {"name": "helpful", "value": True, "trace_id": TRACE, "span_id": "cd" * 8, **changes}


async def call(noria: Noria, trace_id: str = TRACE) -> str:
    """One call on record; its span id."""
    headers = {"traceparent": f"00-{trace_id}-{'cd' * 8}-01"}
    body = {"model": "up/m", "messages": [{"role": "user", "content": "hi"}]}
    assert (await noria.client.post("/v1/chat/completions", json=body, headers=headers)).status_code == 200
    return str((await noria.get(f"/api/traces/{trace_id}"))["spans"][0]["span_id"])


async def test_a_score_is_shown_with_its_trace(noria: Noria) -> None:
    span_id = await call(noria)
    given = score(span_id=span_id, value=0.5, reason="half right", source="human", metadata={"by": "ann"})
    assert await noria.post("/api/scores", given) == {"new": 1, "known": 0}
    [found] = (await noria.get(f"/api/traces/{TRACE}"))["scores"]
    assert (found["scorer"], found["value"], found["reason"], found["source"]) == (
        "helpful",
        0.5,
        "half right",
        "human",
    )
    assert (found["span_id"], found["metadata"]) == (span_id, {"by": "ann"})
    assert found["time_ns"] > 10**18
    assert await noria.get("/api/scores", scorer="helpful") == [found]
    assert await noria.get("/api/scores", trace_id=TRACE, source="human") == [found]
    assert await noria.get("/api/scores", source="model") == []


async def test_the_same_id_is_kept_once(noria: Noria) -> None:
    given = [score(id=f"s{n}", value=n) for n in range(3)]
    assert await noria.post("/api/scores", given) == {"new": 3, "known": 0}
    assert await noria.post("/api/scores", [*given, score(id="s3"), score(id="s3")]) == {"new": 1, "known": 4}
    assert await noria.post("/api/scores", score(id="s0", trace_id="b2" * 16)) == {"new": 1, "known": 0}
    assert len(await noria.get("/api/scores")) == 5
    both = await asyncio.gather(*(noria.post("/api/scores", score(id="race")) for _ in range(5)))
    assert sum(answer["new"] for answer in both) == 1
    assert await noria.post("/api/scores", [score(), score()]) == {"new": 2, "known": 0}


async def test_a_score_on_a_trace_is_put_on_its_root(noria: Noria) -> None:
    body = {"model": "up/m", "messages": [{"role": "user", "content": "hi"}]}
    assert (await noria.client.post("/v1/chat/completions", json=body)).status_code == 200
    [span] = await noria.spans()
    await noria.post(
        "/api/scores", [score(trace_id=span["trace_id"], span_id=""), score(trace_id="ef" * 16, span_id="")]
    )
    assert [one["span_id"] for one in await noria.get("/api/scores", trace_id=span["trace_id"])] == [span["span_id"]]
    assert [one["span_id"] for one in await noria.get("/api/scores", trace_id="ef" * 16)] == [""]


async def test_a_score_may_come_before_its_span(noria: Noria) -> None:
    assert (await noria.post("/api/scores", score(id="early")))["new"] == 1
    await call(noria)
    assert [one["scorer"] for one in (await noria.get(f"/api/traces/{TRACE}"))["scores"]] == ["helpful"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"trace_id": "A1" * 16},
        {"trace_id": "a1"},
        {"trace_id": "0" * 32},
        {"span_id": "xy" * 8},
        {"span_id": "0" * 16},
        {"name": " "},
        {"name": "x" * 201},
        {"time_ns": -1},
        {"time_ns": 2**63},
        {"source": "god"},
        {"value": None},
        {"value": [1]},
        {"colour": "red"},
    ],
)
async def test_wrong_scores_are_refused_all_together(noria: Noria, wrong: dict[str, Any]) -> None:
    for body in (score(**wrong), [score(), score(**wrong)]):
        response = await noria.client.post("/api/scores", json=body)
        assert response.status_code == 400, response.text
        assert response.json()["error"]["code"] == "invalid_input"
    assert await noria.get("/api/scores") == []


async def test_too_many_at_a_time(noria: Noria) -> None:
    response = await noria.client.post("/api/scores", json=[score()] * 1001)
    assert response.status_code == 400
    assert "at most 1000" in response.json()["error"]["hint"]
