"""Calls that Noria makes by itself because of somebody's call: judges', and the cache's for vectors. They are on that caller's account."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
from aiohttp import web

from noria.core.caching import CachePolicy, Similar, calibration_id
from noria.core.prices import AgreedPrice
from noria.core.routes import Route
from noria.core.scores import ScorerSpec, Subject
from noria.serve.app import Application
from noria.settings import Provider
from noria.targets.scripted import answer

from .conftest import KEY, Noria, opened
from .test_limits import key

PRICES = {
    "up/*": AgreedPrice(per_request=0.4),
    "up/judge": AgreedPrice(per_request=1.0),
    "vec/*": AgreedPrice(per_request=0.1),
}
VERDICT = '{"reason": "It greets.", "verdict": true}'
SIMILAR = Similar(embedder="vec/e", threshold=0.99, calibration=calibration_id("vec/e", 0.99))


@asynccontextmanager
async def vectors() -> AsyncIterator[Provider]:
    """A provider of vectors: to every text another one."""

    async def embed(request: web.Request) -> web.Response:
        [text] = (await request.json())["input"]
        data = [{"object": "embedding", "index": 0, "embedding": [1.0, float(len(text))]}]
        usage = {"prompt_tokens": 3, "total_tokens": 3}
        return web.json_response({"object": "list", "data": data, "model": "e", "usage": usage})

    app = web.Application()
    app.router.add_post("/v1/embeddings", embed)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield Provider(base_url=f"http://127.0.0.1:{runner.addresses[0][1]}/v1", attempts=1)
    finally:
        await runner.cleanup()


@asynccontextmanager
async def noria_with(folder: Path, **more: Any) -> AsyncIterator[Noria]:
    """An app ``triage`` whose every call a judge looks at."""
    async with opened(folder, prices=PRICES, **more) as (workspace, access, provider, clock):
        transport = httpx.ASGITransport(Application(workspace, access))
        headers = {"authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7700", headers=headers) as client:
            noria = Noria(workspace, access, client, provider, clock)
            provider.script = lambda body: answer(VERDICT if body["model"] == "judge" else "Hello.")
            await noria.post("/api/apps", {"name": "triage"})
            await noria.put("/api/apps/triage/variants/plain", {"model": "up/m"})
            await noria.post("/api/apps/triage/releases", {"shares": [{"variant": "plain"}]})
            judge = {"kind": "judge", "name": "polite", "options": {"model": "up/judge", "rubric": "It is polite."}}
            await noria.post("/api/monitors", {"name": "polite", "app": "triage", "scorer": judge})
            yield noria


async def call(noria: Noria, headers: dict[str, str], text: str = "hi", model: str = "triage") -> int:
    messages = [{"role": "user", "content": text}]
    body = {"model": model, "messages": messages, "user": "ann"}
    status = (await noria.client.post("/v1/chat/completions", json=body, headers=headers)).status_code
    await noria.workspace.calling.together.drain()
    await noria.workspace.monitors.live.drain()
    return status


async def used(noria: Noria) -> dict[str, list[float]]:
    return {
        one["limit"]["name"]: [stood["used"] for stood in one["standings"]] for one in await noria.get("/api/limits")
    }


async def test_a_judge_is_on_the_account_of_the_call_that_it_judges(tmp_path: Path) -> None:
    async with noria_with(tmp_path / "data") as noria:
        bot = await key(noria, "bot", team="care")
        for name, of in (("k", "key"), ("t", "team"), ("a", "app"), ("u", "user"), ("all", "all")):
            limit = {"measure": "usd", "amount": 3.0, "window": "month", "of": of}
            await noria.put("/api/limits", {"name": name, **limit})
        await noria.put(
            "/api/limits", {"name": "rpm", "measure": "requests", "amount": 9, "window": "month", "of": "all"}
        )
        assert await call(noria, bot) == 200
        assert await used(noria) == {name: [1.4] for name in ("k", "t", "a", "u", "all")} | {"rpm": [1]}
        spans = {span["request_model"]: span for span in await noria.spans()}
        assert spans["judge"]["attributes"]["noria.purpose"] == "judge"
        assert spans["judge"]["attributes"]["noria.key_id"] == spans["m"]["attributes"]["noria.key_id"]
        assert spans["judge"]["lineage"]["app"] is None, "its answer is no answer of the app"
        [mine] = await noria.get("/api/keys/usage")
        assert (mine["calls"], mine["caused"], mine["cost_usd"]) == (2, 1, 1.4)
        page = (await noria.client.get("/metrics")).text
        model = 'gen_ai_operation_name="chat",gen_ai_provider_name="up",gen_ai_request_model='
        assert f'noria_cost_usd_total{{{model}"m"}} 0.4' in page
        assert f'noria_own_calls_cost_usd_total{{{model}"judge",purpose="judge"}} 1.0' in page
        by_model = await noria.get("/api/keys/bot/usage")
        assert [(one["model"], one["calls"], one["caused"], one["cost_usd"]) for one in by_model] == [
            ("up/judge", 1, 1, 1.0),
            ("up/m", 1, 0, 0.4),
        ]


async def test_where_the_budget_is_used_up_the_judgement_fails_and_no_money_is_spent(tmp_path: Path) -> None:
    async with noria_with(tmp_path / "data") as noria:
        bot = await key(noria, "bot")
        await noria.put("/api/limits", {"name": "k", "measure": "usd", "amount": 1.0, "window": "month", "of": "key"})
        assert await call(noria, bot) == 200
        assert [body["model"] for body in noria.upstream.bodies] == ["m"]
        assert await used(noria) == {"k": [0.4]}
        [failed] = [span for span in await noria.spans() if span["status"] == "error"]
        assert (failed["request_model"], failed["error_type"]) == ("judge", "budget_used_up")
        [failures] = await noria.get("/api/monitors/failures")
        assert (failures["name"], failures["count"]) == ("polite", 1)


async def test_vectors_of_the_cache_are_on_the_account_of_the_call_that_asks(tmp_path: Path) -> None:
    async with (
        vectors() as vec,
        noria_with(
            tmp_path / "data",
            others={"vec": vec},
            caches={"up/m": CachePolicy(similar=SIMILAR)},
            routes={"r": Route(targets=("up/m",), shadows={"up/m": 1.0})},
        ) as noria,
    ):
        bot = await key(noria, "bot", team="care")
        for name, of in (("k", "key"), ("a", "app"), ("u", "user"), ("all", "all")):
            await noria.put(
                "/api/limits", {"name": name, "measure": "tokens", "amount": 10**6, "window": "month", "of": of}
            )
        assert await call(noria, bot, "hello", model="up/m") == 200
        before = await used(noria)
        assert before["k"] == before["u"] == before["all"]
        assert before["a"] == []
        [usage] = await noria.get("/api/keys/usage")
        assert (usage["calls"], usage["caused"], usage["cost_usd"]) == (2, 1, 0.5)
        assert usage["input_tokens"] + usage["output_tokens"] == before["k"][0]
        assert await call(noria, bot, "hello there", model="r") == 200
        await noria.workspace.calling.mirror.close()
        after = await used(noria)
        assert after["a"] == [after["k"][0] - before["k"][0]], "the route's limit counts its vector"
        calibrated = {"embedder": "vec/e", "pairs": [{"a": "x", "b": "yy", "same": False}], "most_false": 0.5}
        await noria.client.post("/api/cache/calibrations", json=calibrated)
        assert (await used(noria))["k"] == after["k"], "a calibration is nobody's"


async def test_what_an_evaluation_asks_counts_in_no_limit(tmp_path: Path) -> None:
    async with noria_with(tmp_path / "data") as noria:
        await noria.put("/api/limits", {"name": "all", "measure": "usd", "amount": 0.0, "window": "month", "of": "all"})
        judge = {"kind": "judge", "name": "j", "options": {"model": "up/judge", "rubric": "Polite."}}
        score = await noria.workspace.make_scorer(msgspec.convert(judge, ScorerSpec)).score(
            Subject(output="Thank you.")
        )
        assert score is not None
        assert (score.value, score.cost_usd) == (True, 1.0)
