from __future__ import annotations

from serve.conftest import Noria

SAY = {"blocks": [{"role": "user", "template": "Say {{ word }}."}], "variables": {"word": {}}}
SHOUT = {"blocks": [{"role": "user", "template": "Shout {{ word }}!"}], "variables": {"word": {}}}


async def test_versions_and_labels(noria: Noria) -> None:
    first = await noria.post("/api/prompts", {"name": "say", "prompt": SAY, "labels": ["production"], "note": "why"})
    again = await noria.post("/api/prompts", {"name": "say", "prompt": SAY})
    second = await noria.post("/api/prompts", {"name": "say", "prompt": SHOUT})
    assert (first["new"], again["new"], second["new"]) == (True, False, True)
    assert (await noria.get("/api/prompts/say"))["version"] == 2
    assert (await noria.get("/api/prompts/say", ref="production"))["version"] == 1
    assert (await noria.get("/api/prompts/say", ref=first["version"]["prompt_id"]))["version"] == 1
    moved = await noria.put("/api/prompts/say/labels/production", {"ref": "2"})
    assert moved["labels"] == ["production"]
    assert (await noria.get("/api/prompts/say", ref="production"))["prompt"]["blocks"] == [
        {"role": "user", "template": "Shout {{ word }}!", "each_example": False}
    ]
    assert [version["version"] for version in await noria.get("/api/prompts/say/versions")] == [2, 1]
    assert [version["name"] for version in await noria.get("/api/prompts")] == ["say"]


async def test_who_pushed_it_is_kept(noria: Noria) -> None:
    body = {"name": "say", "prompt": SAY}
    response = await noria.client.post("/api/prompts", json=body, headers={"Noria-Actor": "ada@mill"})
    assert response.json()["version"]["created_by"] == "ada@mill"
    assert (await noria.put("/api/prompts/say/labels/live", {"ref": "1"}))["created_by"] == "ada@mill"
    long = await noria.client.post("/api/prompts", json=body, headers={"Noria-Actor": "a" * 121})
    assert long.status_code == 400


async def test_prompts_that_cannot_work_are_refused(noria: Noria) -> None:
    for prompt, said in (
        ({"blocks": []}, "no message"),
        ({"blocks": [{"role": "user", "template": "{{"}]}, "template"),
        ({"blocks": [{"role": "king"}]}, "role"),
        ({}, "blocks"),
    ):
        response = await noria.client.post("/api/prompts", json={"name": "x", "prompt": prompt})
        assert response.status_code == 400
        assert said in response.text
    assert await noria.get("/api/prompts") == []
    assert (await noria.client.get("/api/prompts/nobody")).json()["error"]["code"] == "unknown_name"
