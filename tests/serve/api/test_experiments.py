from __future__ import annotations

import asyncio
from typing import Any

import pytest

from noria.targets.scripted import answer
from serve.conftest import Noria


@pytest.fixture
async def spec(noria: Noria) -> dict[str, Any]:
    cases = [{"id": str(n), "input": {"q": str(n)}, "reference": str(n) if n % 2 else "no"} for n in range(8)]
    dataset = await noria.post("/api/datasets", {"name": "d", "cases": cases})
    prompt = {"blocks": [{"role": "user", "template": "{{ q }}"}], "variables": {"q": {}}}
    await noria.post("/api/prompts", {"name": "echo", "prompt": prompt})
    made = [await noria.post("/api/variants", {"model": f"up/{m}", "prompt": "echo"}) for m in ("a", "b")]
    noria.upstream.script = lambda body: answer(body["messages"][-1]["content"])
    return {
        "name": "trial",
        "dataset_id": dataset["id"],
        "variants": [{"name": n, "variant": m["variant"]} for n, m in zip("ab", made, strict=True)],
        "scorers": [{"kind": "exact", "name": "exact"}],
        "baseline": "a",
        "gates": ["exact.mean > 0.9"],
    }


async def finished(noria: Noria, id: str, status: str = "finished") -> dict[str, Any]:
    async with asyncio.timeout(20):
        while (await noria.get(f"/api/experiments/{id}/progress"))["status"] == "running":
            pass
    found: dict[str, Any] = await noria.get(f"/api/experiments/{id[:10]}")
    assert found["status"] == status, found.get("error")
    return found


async def test_an_experiment_from_start_to_results(noria: Noria, spec: dict[str, Any]) -> None:
    started = await noria.post("/api/experiments", {"spec": spec})
    found = await finished(noria, started["id"])
    assert [run["measures"][0]["estimate"]["value"] for run in found["results"]["runs"]] == [0.5, 0.5]
    assert [gate["passed"] for gate in found["results"]["gates"]] == [False]
    assert [e["id"] for e in await noria.get("/api/experiments", name="trial")] == [started["id"]]
    assert await noria.get("/api/experiments", name="other") == []
    where = [{"column": "experiment_id", "value": started["id"]}]
    scores = await noria.post("/api/traces/query", {"source": "scores", "where": where, "limit": None})
    assert len(scores["rows"]) == 16
    assert len(noria.upstream.bodies) == 16


async def test_stop_keeps_what_is_done_and_start_resumes(
    noria: Noria, spec: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noria.workspace.laboratory, "grace_s", 0.05)
    gate, reached = asyncio.Event(), asyncio.Event()

    def script(body: dict[str, Any]) -> Any:
        if len(noria.upstream.bodies) > 5 and not gate.is_set():
            reached.set()
            return [gate, *answer("late")]
        return answer(body["messages"][-1]["content"])

    noria.upstream.script = script
    started = await noria.post("/api/experiments", {"spec": spec | {"cache": False}, "concurrency": 1})
    await reached.wait()
    seen = await noria.get(f"/api/experiments/{started['id']}/progress")
    assert seen["progress"]["total"] == 16
    assert seen["progress"]["done"] >= 5
    stopped = await noria.post(f"/api/experiments/{started['id']}/stop")
    assert stopped["status"] == "interrupted"
    gate.set()
    again = await noria.post("/api/experiments", {"spec": spec | {"cache": False}})
    assert again["id"] == started["id"]
    await finished(noria, again["id"])
    assert len(noria.upstream.bodies) == 17  # 16, and the one that was broken off


async def test_what_cannot_be_run_is_refused_before_anything_is_called(noria: Noria, spec: dict[str, Any]) -> None:
    for change in (
        {"dataset_id": "none"},
        {"scorers": [{"kind": "none", "name": "x"}]},
        {"scorers": [{"kind": "exact", "name": "x", "options": {"surprise": 1}}]},
        {"baseline": "none"},
        {"gates": ["exact >"]},
        {"variants": []},
        {"repeats": 0},
        {"variants": "a"},
    ):
        response = await noria.client.post("/api/experiments", json={"spec": spec | change})
        assert 400 <= response.status_code < 500, (change, response.text)
        assert response.json()["error"]["message"]
    assert (await noria.client.get("/api/experiments/none/progress")).status_code == 404
    assert (await noria.client.post("/api/experiments/none/stop")).status_code == 404
    assert noria.upstream.bodies == []


async def test_a_scorer_is_checked_alone(noria: Noria) -> None:
    good = {"kind": "exact", "name": "right"}
    assert await noria.post("/api/experiments/check-scorer", good) == good | {"options": {}}
    assert (await noria.client.post("/api/experiments/check-scorer", json=good | {"kind": "none"})).status_code == 404
    kinds = await noria.get("/api/scorers")
    assert kinds["exact"]["needs"] == ["output", "reference"]
