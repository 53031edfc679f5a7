from __future__ import annotations

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


async def test_releases_that_mean_nothing_are_refused(boolq: Noria) -> None:
    for body, status in (
        ({"shares": []}, 400),
        ({"shares": [{"variant": "none"}]}, 404),
        ({"shares": [{"variant": "cold", "weight": 0}]}, 400),
        ({"shares": [{"variant": "cold", "weight": -1}]}, 400),
        ({"shares": [{"variant": "cold"}], "experiment_id": "none"}, 404),
        ({"shares": [{"variant": "cold"}], "surprise": 1}, 400),
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
