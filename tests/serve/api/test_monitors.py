from __future__ import annotations

import time
from typing import Any

from bridges.otlp.payloads import as_json, request
from serve.conftest import Noria


def call(number: int, *, answer: str | None = "[]", **attributes: str) -> dict[str, Any]:
    start = time.time_ns()
    said = {} if answer is None else {"gen_ai.output.messages": f'[{{"role": "assistant", "content": "{answer}"}}]'}
    known = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", **said, **attributes}
    return {"span_id": f"{number:016x}", "start_ns": start, "end_ns": start + 1, "attributes": known}


async def test_calls_that_come_over_otlp_are_judged_once_by_their_apps_monitor(noria: Noria) -> None:
    await noria.post("/api/apps", {"name": "shop"})
    spans = [
        call(1),
        call(2, answer="no JSON"),
        call(3, answer=None),
        call(4, **{"gen_ai.operation.name": "execute_tool"}),
    ]
    early, ours = (request(*some, resource={"service.name": "shop"}) for some in ([call(9)], spans))
    others = request(call(5), resource={"service.name": "elsewhere"})
    await noria.post("/v1/traces", as_json(early))
    await noria.post(
        "/api/monitors", {"name": "json", "app": "shop", "scorer": {"kind": "valid_json", "name": "json"}, "rate": 1}
    )
    for made in (ours, others, ours):
        await noria.post("/v1/traces", as_json(made))
    await noria.workspace.monitors.live.drain()
    scores = await noria.get("/api/scores")
    assert sorted((one["span_id"][-1], one["value"], one["monitor"]) for one in scores) == [
        ("1", True, "json"),
        ("2", False, "json"),
    ]
    await noria.delete("/api/monitors/json")
    await noria.post("/v1/traces", as_json(request(call(6), resource={"service.name": "shop"})))
    await noria.workspace.monitors.live.drain()
    assert len(await noria.get("/api/scores")) == 2


async def test_attach_list_and_detach(noria: Noria) -> None:
    await noria.post("/api/apps", {"name": "a"})
    body = {"name": "json", "app": "a", "scorer": {"kind": "valid_json", "name": "json"}, "rate": 0.5}
    made = await noria.post("/api/monitors", body)
    assert made["rate"] == 0.5
    assert await noria.get("/api/monitors", app="a") == [made]
    assert await noria.get("/api/monitors", app="b") == []
    assert await noria.delete("/api/monitors/json") == made
    assert await noria.get("/api/monitors") == []
    assert (await noria.client.delete("/api/monitors/json")).status_code == 404


async def test_scorers_that_live_calls_cannot_satisfy_are_refused(noria: Noria) -> None:
    await noria.post("/api/apps", {"name": "a"})
    body = {"name": "m", "app": "a", "scorer": {"kind": "exact", "name": "exact"}}
    refused = await noria.client.post("/api/monitors", json=body)
    assert refused.status_code == 400
    assert "needs a reference" in refused.json()["error"]["message"]
    fine = {"kind": "valid_json", "name": "j"}
    for change, status in (({"app": "none"}, 404), ({"rate": 1.5}, 400), ({"rate": -1}, 400), ({"rate": "all"}, 400)):
        response = await noria.client.post("/api/monitors", json=body | {"scorer": fine} | change)
        assert response.status_code == status
    assert await noria.get("/api/monitors") == []


async def test_a_monitor_whose_judge_cannot_judge_says_so(noria: Noria) -> None:
    await noria.post("/api/apps", {"name": "a"})
    await noria.put("/api/apps/a/variants/v", {"model": "up/m"})
    await noria.post("/api/apps/a/releases", {"shares": [{"variant": "v", "weight": 1}]})
    judge = {"kind": "judge", "name": "kind", "options": {"model": "up/m", "rubric": "Is it kind?"}}
    await noria.post("/api/monitors", {"name": "kind", "app": "a", "scorer": judge})
    assert await noria.get("/api/monitors/failures") == []
    for _ in range(2):  # the scripted model answers "Hello", which is no verdict
        await noria.post("/v1/chat/completions", {"model": "a", "messages": [{"role": "user", "content": "hi"}]})
    await noria.workspace.monitors.live.drain()
    [failures] = await noria.get("/api/monitors/failures")
    assert (failures["name"], failures["count"]) == ("kind", 2)
    assert failures["code"] == "call_failed"
    assert failures["time_ns"] > 0
