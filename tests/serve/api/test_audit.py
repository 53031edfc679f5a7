from __future__ import annotations

import httpx

from serve.conftest import KEY, Noria


async def test_who_did_what_is_on_record(noria: Noria) -> None:
    noria.client.headers["noria-actor"] = "grace@desk"
    await noria.post("/api/apps", {"name": "triage"})
    [entry] = await noria.get("/api/audit", limit=1)
    assert (entry["actor"], entry["action"], entry["subject"]) == ("grace@desk", "app.made", "triage")
    assert await noria.get("/api/audit", action="release.") == []
    older = await noria.get("/api/audit", before=entry["seq"])
    assert [one["seq"] for one in older] == list(range(entry["seq"] - 1, 0, -1))


async def test_the_log_verifies_against_a_head_that_was_kept(noria: Noria) -> None:
    report = await noria.get("/api/audit/verify")
    assert report["whole"]
    await noria.post("/api/apps", {"name": "triage"})
    again = await noria.get("/api/audit/verify", head=report["head"])
    assert again["whole"]
    assert again["entries"] == report["entries"] + 1
    assert not (await noria.get("/api/audit/verify", head="f" * 64))["whole"]
    assert (await noria.client.get("/api/audit/verify", params={"head": "x"})).status_code == 400


async def test_a_login_is_told_and_the_key_is_not(noria: Noria) -> None:
    token = (await noria.post("/api/login-tokens"))["token"]
    response = await noria.client.get("/login", params={"token": token})
    assert response.status_code == httpx.codes.SEE_OTHER
    [entry] = await noria.get("/api/audit", action="key.used")
    assert entry["subject"] == "login link"
    everything = (await noria.client.get("/api/audit")).text
    assert KEY not in everything
    assert token not in everything


async def test_nothing_changes_the_log_over_http(noria: Noria) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert (await noria.client.request(method, "/api/audit")).status_code == 405
