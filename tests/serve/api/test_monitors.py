from __future__ import annotations

from serve.conftest import Noria


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
