"""What a key opens and what it does not, where a request names other models in its provider's own fields; and prompts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from noria.core.errors import TooExpensive
from noria.core.folding import collect
from noria.core.messages import Message
from noria.core.prices import AgreedPrice
from noria.core.requests import Request

from .conftest import Noria, opened
from .test_limits import HI, ask, key


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"models": ["m", "dear"]}, "models"),
        ({"fallbacks": [{"model": "dear"}]}, "model"),
        ({"fallbacks": ["dear"]}, "fallbacks"),
        ({"providerOptions": {"gateway": {"models": ["dear"]}}}, "models"),
        ({"preset": "dear"}, "preset"),
    ],
)
async def test_a_key_opens_no_model_by_naming_it_beside_another(noria: Noria, more: dict[str, Any], field: str) -> None:
    narrow = await key(noria, "narrow", models=["up/m"])
    refused = await ask(noria, narrow, **more)
    assert refused.status_code == 403
    said = refused.json()["error"]["message"]
    assert f"does not open 'dear', which the request names in `{field}`. It opens: " in said
    assert not noria.upstream.bodies
    for whole in (await key(noria, "wide", models=["up/*"]), await key(noria, "whole"), {}):
        assert (await ask(noria, whole, **more)).status_code == 200
    assert noria.upstream.bodies[-1].items() >= more.items(), "who may call them has them go on"


async def test_a_ceiling_holds_for_the_models_named_beside_it(tmp_path: Path) -> None:
    prices = {"up/m": AgreedPrice(per_request=0.1), "up/dear": AgreedPrice(per_request=9.0)}
    async with opened(tmp_path / "data", prices=prices) as (workspace, _, upstream, _):
        request = Request(model="up/m", messages=(Message(role="user", content="hi"),), max_cost_usd=1.0)
        await collect(workspace.calling.target.call(request))
        for named in ("dear", "unknown"):
            beside = msgspec.structs.replace(request, unread={"models": ["m", named]})
            with pytest.raises(TooExpensive):
                await collect(workspace.calling.target.call(beside))
        assert len(upstream.bodies) == 1


async def test_a_tool_of_the_provider_is_no_way_round_either(noria: Noria) -> None:
    narrow = await key(noria, "narrow", models=["up/m"])
    body = {"model": "up/m", "max_tokens": 9, "messages": HI}
    tool = {"type": "advisor_20260301", "name": "advisor", "model": "dear"}
    refused = await noria.client.post("/v1/messages", json=body | {"tools": [tool]}, headers=narrow)
    assert (refused.status_code, "'dear'" in refused.text) == (403, True)


async def test_an_apps_key_chooses_no_models(noria: Noria) -> None:
    bot = await key(noria, "bot", apps=["say"])
    refused = await ask(noria, bot, model="say", models=["m"])
    assert (refused.status_code, "'m'" in refused.text) == (403, True)


async def test_a_key_reads_the_prompts_of_its_apps_alone(noria: Noria) -> None:
    for name in ("used", "say", "secret"):
        prompt = {"blocks": [{"role": "user", "template": f"Say {name}."}]}
        await noria.post("/api/prompts", {"name": name, "prompt": prompt})
    await noria.post("/api/apps", {"name": "say"})
    await noria.put("/api/apps/say/variants/v", {"model": "up/m", "prompt": "used"})

    async def reads(headers: dict[str, str], name: str) -> set[int]:
        paths = (f"/api/prompts/{name}", f"/api/prompts/{name}/versions")
        return {(await noria.client.get(path, headers=headers)).status_code for path in paths}

    bot = await key(noria, "bot", apps=["say"])
    assert await reads(bot, "used") == {200}, "its app's variant uses it"
    assert await reads(bot, "say") == {200}, "it is named as its app"
    assert await reads(bot, "secret") == {403}
    assert await reads(bot, "nothing") == {403}, "what there is, is not told"
    assert await reads(await key(noria, "models", models=["up/*"]), "used") == {403}
    assert await reads(await key(noria, "open"), "secret") == {200}
    assert await reads(await key(noria, "reader", permissions=["read"]), "secret") == {200}
    assert await reads(await key(noria, "shop", permissions=["ingest"]), "secret") == {403}
