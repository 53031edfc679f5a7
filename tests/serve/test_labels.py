"""Releases by label: ``app@staging`` is served beside ``app``, with a history of its own."""

from __future__ import annotations

from typing import Any

from noria.targets.scripted import answer

from .conftest import Noria
from .test_limits import HI, key

LABELS = ("triage", "triage@production", "triage@staging", "triage@few-shot")


async def test_a_label_is_called_promoted_and_rolled_back_by_itself(noria: Noria) -> None:
    noria.upstream.script = lambda body: answer(body["model"])
    await noria.post("/api/apps", {"name": "triage"})
    for name in ("plain", "few-shot"):
        await noria.put(f"/api/apps/triage/variants/{name}", {"model": f"up/{name}"})

    async def promote(variant: str, label: str = "production") -> Any:
        return await noria.post("/api/apps/triage/releases", {"shares": [{"variant": variant}], "label": label})

    async def said(name: str, headers: dict[str, str] | None = None) -> Any:
        response = await noria.client.post(
            "/v1/chat/completions", json={"model": name, "messages": HI}, headers=headers or {}
        )
        if response.is_success:
            return response.json()["choices"][0]["message"]["content"]
        return response.json()["error"]["message"]

    await promote("plain")
    assert "no release with that label (production)" in await said("triage@staging")
    staged = await promote("few-shot", "staging")
    assert [await said(name) for name in LABELS] == ["plain", "plain", "few-shot", "few-shot"]
    assert (await noria.spans())[3]["lineage"]["release_id"] == staged["id"]
    assert [model["id"] for model in (await noria.get("/v1/models"))["data"]] == ["triage", "triage@staging"]

    await promote("plain", "staging")
    assert await said("triage@staging") == "plain"
    await noria.post("/api/apps/triage/rollback", {"label": "staging"})
    assert [await said(name) for name in LABELS[:3]] == ["plain", "plain", "few-shot"]
    refused = await noria.client.post("/api/apps/triage/rollback", json={})
    assert (refused.status_code, "first release" in refused.text) == (409, True), "each label has its own history"
    app = await noria.get("/api/apps/triage")
    assert (app["release"]["label"], [one["label"] for one in app["labelled"]]) == ("production", ["staging"])

    bot, other = await key(noria, "bot", apps=["triage"]), await key(noria, "other", apps=["else"])
    assert (await said("triage@staging", bot), "does not open" in await said("triage@staging", other)) == (
        "few-shot",
        True,
    )
    await noria.put("/api/limits", {"name": "few", "measure": "requests", "amount": 0, "of": "app", "who": "triage"})
    assert "'few'" in await said("triage@staging"), "an app's limit counts all of its labels"


async def test_a_label_and_a_variant_are_not_called_alike(noria: Noria) -> None:
    await noria.post("/api/apps", {"name": "triage"})
    for name in ("plain", "staging"):
        await noria.put(f"/api/apps/triage/variants/{name}", {"model": "up/m"})
    body = {"shares": [{"variant": "plain"}]}
    refused = await noria.client.post("/api/apps/triage/releases", json=body | {"label": "staging"})
    assert (refused.status_code, "is a variant" in refused.text) == (409, True)
    await noria.post("/api/apps/triage/releases", body | {"label": "canary"})
    refused = await noria.client.put("/api/apps/triage/variants/canary", json={"model": "up/m"})
    assert (refused.status_code, "label of a release" in refused.text) == (409, True)
    assert (await noria.client.post("/api/apps/triage/releases", json=body | {"label": "Not/one"})).status_code == 400
