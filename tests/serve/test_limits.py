"""Limits and budgets as callers meet them, through a real server; and what is left of them after a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import msgspec
import openai
import pytest

from noria.assemble import open_workspace
from noria.core.errors import LimitReached
from noria.core.folding import collect
from noria.core.keys import Caller
from noria.core.limits import Limit
from noria.core.messages import Message
from noria.core.prices import AgreedPrice
from noria.core.questions import Question
from noria.core.requests import Lineage, Request
from noria.core.routes import Route
from noria.settings import Provider, Settings
from targets import upstream

from .conftest import KEY, Noria, hello, opened

HI: list[Any] = [{"role": "user", "content": "hi"}]
BODY = {"model": "up/m", "messages": HI, "max_tokens": 9}


async def key(noria: Noria, name: str, **more: Any) -> dict[str, str]:
    made = await noria.post("/api/keys", {"name": name, **more})
    return {"authorization": f"Bearer {made['secret']}"}


async def ask(noria: Noria, headers: dict[str, str], **more: Any) -> httpx.Response:
    return await noria.client.post("/v1/chat/completions", json=BODY | more, headers=headers)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_limit_is_told_in_headers_and_reached_with_429(server: Noria, stream: bool) -> None:
    bot = await key(server, "bot", team="care")
    await server.put(
        "/api/limits", {"name": "rpm", "measure": "requests", "amount": 1, "window": "month", "who": "bot"}
    )
    await server.put(
        "/api/limits",
        {"name": "tpm", "measure": "tokens", "amount": 500, "window": "month", "of": "team", "who": "care"},
    )
    said = (await ask(server, bot, stream=stream)).headers
    assert said["noria-attempts"] == "1"
    assert (said["x-ratelimit-limit-requests"], said["x-ratelimit-remaining-requests"]) == ("1", "0")
    assert (said["x-ratelimit-limit-tokens"], said["x-ratelimit-remaining-tokens"]) == ("500", "486")
    assert said["x-ratelimit-reset-requests"][-1] == "s"
    refused = await ask(server, bot, stream=stream)
    assert refused.status_code == 429
    id = bot["authorization"].split("_")[1]
    assert f"The limit 'rpm' is reached: 1 requests a month for key 'bot' ({id})" in refused.json()["error"]["message"]
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert 1 <= int(refused.headers["retry-after"]) <= 31 * 86400
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    assert refused.headers["noria-attempts"] == "0"
    assert (await ask(server, {})).status_code == 200, "the admin key is nobody's"
    async with openai.AsyncOpenAI(
        base_url=f"{server.url}/v1", api_key=bot["authorization"][7:], max_retries=0
    ) as client:
        with pytest.raises(openai.RateLimitError):
            await client.chat.completions.create(model="up/m", messages=HI)
    assert [span.get("error_type") for span in await server.spans()] == [None, "limit_reached", None, "limit_reached"]
    assert len(server.upstream.bodies) == 2
    assert (await server.spans())[1]["attributes"]["noria.refused_by"] == "limit"
    labels = 'gen_ai_operation_name="chat",gen_ai_provider_name="up",gen_ai_request_model="m"'
    page = (await server.client.get("/metrics")).text
    assert f'noria_calls_refused_total{{by="limit",{labels}}} 2.0' in page
    assert 'error_type="limit_reached"' not in page, "the model has not failed"
    [rpm, tpm] = await server.get("/api/limits")
    assert [(one["used"], one["remaining"], one["name"]) for one in rpm["standings"]] == [(1, 0, "bot")]
    assert (rpm["key"], rpm["limit"]["who"], tpm["key"]) == ("bot", id, "")
    assert [(one["who"], one["used"]) for one in tpm["standings"]] == [("care", 9)]
    await server.delete("/api/limits/rpm")
    assert (await ask(server, bot)).status_code == 200


async def test_a_budget_that_is_used_up_is_not_tried_again(noria: Noria) -> None:
    await noria.put("/api/limits", {"name": "b", "measure": "usd", "amount": 0, "of": "all", "window": "month"})
    assert (await ask(noria, {})).status_code == 200, "a price that is unknown counts nothing"
    await noria.put("/api/limits", {"name": "n", "measure": "requests", "amount": 0, "of": "user"})
    assert (await ask(noria, {}, user="ann")).status_code == 429
    assert (await ask(noria, {})).status_code == 200


async def test_what_is_left_and_too_little_is_said_with_what_to_do(noria: Noria) -> None:
    await noria.put("/api/limits", {"name": "t", "measure": "tokens", "amount": 500, "of": "all", "window": "month"})
    body = {"model": "up/m", "messages": HI}
    refused = (await noria.client.post("/v1/chat/completions", json=body)).json()["error"]["message"]
    assert (
        "500 tokens a month for everybody. This call may use 1005, and 500 are left. Set a lower `max_tokens`"
        in refused
    )
    assert (await noria.client.post("/v1/chat/completions", json=body | {"max_tokens": 9})).status_code == 200


async def test_budgets_are_kept_over_restarts(tmp_path: Path) -> None:
    request = Request(
        model="up/m",
        messages=(Message(role="user", content="hi"),),
        lineage=Lineage(user_id="ann"),
        caller=Caller(key_id="0" * 12, team="care"),
    )
    async with upstream.serving(hello) as provider:
        made = {
            "data": str(tmp_path / "data"),
            "providers": {"up": msgspec.to_builtins(Provider(base_url=provider.base_url, attempts=1))},
            "prices": {"up/*": {"per_request": 0.4}},
        }
        settings = msgspec.convert(made, Settings)
        for round, passes in ((1, 2), (2, 0)):
            async with open_workspace(settings, {"NORIA_API_KEY": KEY}, holder="a test") as workspace:
                if round == 1:
                    limit = {"name": "b", "measure": "usd", "amount": 1.0, "window": "month", "of": "user"}
                    workspace.catalogue.limits.put(msgspec.convert(limit, type=Limit))
                for _ in range(passes):
                    await collect(workspace.calling.target.call(request))
                with pytest.raises(LimitReached, match="1 US dollars a month") as caught:
                    await collect(workspace.calling.target.call(request))
                assert caught.value.status == 402
                assert not caught.value.retryable
                [standing] = (await workspace.calling.limits.standings())["b"]
                assert (standing.used, standing.who != "ann") == (0.8, True)
        assert len(provider.bodies) == 2


async def test_a_shadow_counts_for_whoever_runs_noria_and_for_no_caller(tmp_path: Path) -> None:
    """Each call costs 0.4: the caller's own is counted everywhere, its shadow in the budget of everybody alone."""
    async with opened(
        tmp_path / "data",
        routes={"r": Route(targets=("up/m",), shadows={"up/shadow": 1.0})},
        prices={"up/*": AgreedPrice(per_request=0.4)},
    ) as (workspace, _, provider, _):
        for name, of in (("mine", "user"), ("apps", "app"), ("ours", "all")):
            limit = {"name": name, "measure": "usd", "amount": 1.7, "window": "month", "of": of}
            workspace.catalogue.limits.put(msgspec.convert(limit, type=Limit), by="a test")
        request = Request(
            model="r", messages=(Message(role="user", content="hi"),), lineage=Lineage(user_id="ann", app="r")
        )
        for _ in range(2):
            await collect(workspace.calling.target.call(request))
            await asyncio.gather(*workspace.calling.mirror._running)
        standings = await workspace.calling.limits.standings()
        assert {name: [one.used for one in found] for name, found in standings.items()} == {
            "mine": [0.8],
            "apps": [0.8],
            "ours": [1.6],
        }
        with pytest.raises(LimitReached, match="'ours'"):
            await collect(workspace.calling.target.call(request))
        assert len(provider.bodies) == 4
        spans = await workspace.traces.spans(Question())
        shadows = [span for span in spans if "noria.shadow_of" in span.attributes]
        assert [span.cost_usd for span in shadows if span.status == "ok"] == [0.4, 0.4]
        assert workspace.numbers()["noria_shadows_cost_usd_total"] == 0.8
