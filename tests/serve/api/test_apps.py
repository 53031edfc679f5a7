from __future__ import annotations

import asyncio

import pytest

from serve.conftest import Noria


@pytest.fixture
async def boolq(noria: Noria) -> Noria:
    await noria.post("/api/apps", {"name": "boolq", "description": "yes or no"})
    for name, temperature in (("cold", 0), ("warm", 0.7)):
        await noria.put(
            f"/api/apps/boolq/variants/{name}",
            {"model": "up/m", "params": {"temperature": temperature, "stop": ["\n"]}},
        )
    return noria


async def test_promote_split_and_roll_back(boolq: Noria) -> None:
    first = await boolq.post("/api/apps/boolq/releases", {"shares": [{"variant": "cold"}], "reason": "first"})
    split = [{"variant": "cold", "weight": 3}, {"variant": "warm", "weight": 1}]
    second = await boolq.post("/api/apps/boolq/releases", {"shares": split})
    app = await boolq.get("/api/apps/boolq")
    assert app["release"]["id"] == second["id"]
    assert [share.get("weight", 1.0) for share in app["release"]["shares"]] == [3, 1]
    back = await boolq.post("/api/apps/boolq/rollback", {"reason": "too warm"})
    assert back["shares"] == first["shares"]
    assert (back["rolled_back_from"], back["reason"]) == (second["id"], "too warm")
    history = await boolq.get("/api/apps/boolq/releases")
    assert [release["id"] for release in history] == [back["id"], second["id"], first["id"]]
    assert [found["name"] for found in await boolq.get("/api/apps")] == ["boolq"]


async def test_a_shadow_sees_calls_and_counts_for_nobody(boolq: Noria) -> None:
    shadows = [{"variant": "warm", "weight": 1.0}]
    release = await boolq.post("/api/apps/boolq/releases", {"shares": [{"variant": "cold"}], "shadows": shadows})
    await boolq.post("/v1/chat/completions", {"model": "boolq", "messages": [{"role": "user", "content": "Is it?"}]})
    await asyncio.gather(*boolq.workspace.calling.mirror._running)
    live, shadow = sorted(await boolq.spans(), key=lambda span: span.get("parent_id") or "")
    assert [body["temperature"] for body in boolq.upstream.bodies] == [0, 0.7]
    assert (shadow["trace_id"], shadow["parent_id"]) == (live["trace_id"], live["span_id"])
    assert shadow["lineage"]["variant_id"] == release["shadows"][0]["variant_id"]
    assert shadow["lineage"]["release_id"] == live["lineage"]["release_id"] == release["id"]
    assert shadow["attributes"]["noria.shadow_of"] == "boolq"
    by_app = {row["group"]: row["calls"] for row in await boolq.get("/api/traces/stats", by="app", bucket="all")}
    assert by_app == {"boolq": 1, None: 1}
    await boolq.post("/api/apps/boolq/releases", {"shares": [{"variant": "warm"}]})
    assert (await boolq.post("/api/apps/boolq/rollback", {}))["shadows"] == release["shadows"]


async def test_releases_that_mean_nothing_are_refused(boolq: Noria) -> None:
    for body, status in (
        ({"shares": []}, 400),
        ({"shares": [{"variant": "none"}]}, 404),
        ({"shares": [{"variant": "cold", "weight": 0}]}, 400),
        ({"shares": [{"variant": "cold", "weight": -1}]}, 400),
        ({"shares": [{"variant": "cold"}], "experiment_id": "none"}, 404),
        ({"shares": [{"variant": "cold"}], "surprise": 1}, 400),
        ({"shares": [{"variant": "cold"}], "shadows": [{"variant": "none"}]}, 404),
        ({"shares": [{"variant": "cold"}], "shadows": [{"variant": "warm", "weight": 1.5}]}, 400),
        ({"shares": [{"variant": "cold"}], "shadows": [{"variant": "warm", "weight": 0}]}, 400),
        ({"shares": [{"variant": "cold"}], "shadows": [{"variant": "warm", "weight": 0.1}] * 2}, 400),
    ):
        assert (await boolq.client.post("/api/apps/boolq/releases", json=body)).status_code == status
    assert (await boolq.get("/api/apps/boolq"))["release"] is None
    assert (await boolq.client.post("/api/apps/boolq/rollback", json={})).status_code in {400, 409}
    assert (await boolq.client.post("/v1/chat/completions", json={"model": "boolq", "messages": []})).status_code == 400


async def test_a_variant_has_one_id_wherever_it_is_made(boolq: Noria) -> None:
    body = {
        "model": "up/m",
        "params": {"temperature": 0, "stop": ["\n"], "extra": {"top_k": 1, "deep": [None, "x", 1.5]}},
    }
    made = await boolq.post("/api/variants", body)
    named = await boolq.put("/api/apps/boolq/variants/new", body)
    assert named["variant_id"] == made["variant_id"]
    assert named["variant"]["params"]["extra"] == body["params"]["extra"]  # type: ignore[index]
    assert (await boolq.client.post("/api/variants", json={"model": "none/m"})).status_code == 404
    assert (await boolq.client.post("/api/variants", json={"model": "up/m", "prompt": "no@1"})).status_code == 404
