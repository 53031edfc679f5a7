"""Retention and erasure over HTTP."""

from __future__ import annotations

from serve.conftest import Noria


async def call(noria: Noria, user: str) -> None:
    body = {"model": "up/small", "messages": [{"role": "user", "content": "hi"}], "user": user}
    await noria.post("/v1/chat/completions", body)
    await noria.workspace.calling.together.drain()


async def test_rules_are_set_listed_and_removed(noria: Noria) -> None:
    rule = {"app": "*", "texts_days": 30, "spans_days": None, "experiments": False}
    assert await noria.put("/api/retention", {"app": "*", "texts_days": 30}) == rule
    assert await noria.get("/api/retention") == [rule]
    done = await noria.post("/api/retention/run", {"dry_run": True})
    assert done["rules"] == [{"rule": rule, "stripped": 0, "deleted": 0}]
    assert await noria.delete("/api/retention/%2A") == rule
    assert (await noria.client.delete("/api/retention/%2A")).status_code == 404
    assert (await noria.client.put("/api/retention", json={"app": "*", "days": 3})).status_code == 400


async def test_a_user_is_erased_and_the_receipt_stays(noria: Noria) -> None:
    noria.client.headers["noria-actor"] = "grace@desk"
    await call(noria, "ann/1")
    await call(noria, "bob")
    looked = await noria.post("/api/erasures", {"user": "ann/1", "dry_run": True})
    assert (looked["found"]["spans"], looked["receipt"]) == (1, None)
    done = await noria.post("/api/erasures", {"user": "ann/1"})
    assert done["receipt"]["actor"] == "grace@desk"
    assert [span["lineage"]["user_id"] for span in await noria.spans()] == ["bob"]
    assert await noria.get("/api/erasures") == [done["receipt"]]
    assert (await noria.post("/api/erasures", {"user": "ann/1"}))["receipt"] is None
    assert (await noria.client.post("/api/erasures", json={"user": ""})).status_code == 400
    assert "ann/1" not in (await noria.client.get("/api/erasures")).text
