"""Which models there are: what a key opens, in the shape that each client reads, also the first time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest
from aiohttp import web
from google import genai
from google.genai import types

from noria.assemble.providers import model_lists
from noria.core.keys import Key
from noria.core.prices import AgreedPrice
from noria.core.routes import Route
from noria.serve.app import Application
from noria.serve.port import bind
from noria.serve.run import serving
from noria.settings import Provider

from .conftest import KEY, Noria, opened

LISTS: dict[str, Any] = {
    "/openai/models": {"data": [{"id": "gpt"}, {"id": "org/llama"}, {"id": 5}, {"id": "x" * 500}, "odd"]},
    "/anthropic/models": {"data": [{"type": "model", "id": "claude"}], "has_more": False},
    "/google/models": {"models": [{"name": "models/gemini"}]},
    "/broken/models": [],
}


@asynccontextmanager
async def providers(gate: asyncio.Event | None = None) -> AsyncIterator[dict[str, Provider]]:
    async def answer(request: web.Request) -> web.Response:
        if gate is not None:
            await gate.wait()
        return web.json_response(LISTS[request.path])

    app = web.Application()
    for path in LISTS:
        app.router.add_get(path, answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield {
            "chat": Provider(base_url=f"{url}/openai"),
            "ant": Provider(kind="anthropic", base_url=f"{url}/anthropic"),
            "g": Provider(kind="google", base_url=f"{url}/google"),
            "broken": Provider(base_url=f"{url}/broken"),
            "away": Provider(base_url="http://127.0.0.1:9"),
        }
    finally:
        await runner.cleanup()


NAMED = ["fast", "gpt", "up/named", "up/priced"]
LISTED = ["chat/gpt", "chat/org/llama", "ant/claude", "g/gemini"]
MORE: dict[str, Any] = {
    "routes": {"fast": Route(targets=("up/named",))},
    "aliases": {"gpt": "up/named"},
    "prices": {"up/priced": AgreedPrice(per_request=1.0), "up/*": AgreedPrice(per_request=2.0)},
}


async def settled(noria: Noria) -> None:
    await asyncio.gather(*noria.workspace._model_lists._running.values())


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Noria]:
    async with (
        providers() as others,
        opened(tmp_path / "data", others=others, **MORE) as (workspace, access, upstream, clock),
        serving(workspace, bind("127.0.0.1", 0), access) as (running, _),
        httpx.AsyncClient(base_url=running.url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as client,
    ):
        yield Noria(workspace, access, client, upstream, clock, running.url)


async def test_every_client_reads_the_list_in_its_own_shape(served: Noria) -> None:
    async with openai.AsyncOpenAI(base_url=f"{served.url}/v1", api_key=KEY) as chat:
        assert [model.id async for model in chat.models.list()] == NAMED + LISTED
        assert (await chat.models.retrieve("chat/gpt")).owned_by == "chat"
    async with anthropic.AsyncAnthropic(base_url=served.url, api_key=KEY) as messages:
        assert [model.id async for model in messages.models.list()] == NAMED + LISTED
        assert [model.id async for model in messages.models.list(limit=3)] == NAMED + LISTED, "page by page"
        page = await messages.models.list(limit=3, before_id="chat/gpt")
        assert ([model.id for model in page.data], page.has_more) == (NAMED[1:], True)
        assert (await messages.models.retrieve("ant/claude")).display_name == "ant/claude"
        with pytest.raises(anthropic.NotFoundError):
            await messages.models.retrieve("ant/none")
        with pytest.raises(anthropic.BadRequestError, match="after_id"):
            await messages.models.list(after_id="none")
    async with httpx.AsyncClient(trust_env=False) as http:
        options = types.HttpOptions(base_url=served.url, httpx_async_client=http)
        google = genai.Client(api_key=KEY, http_options=options).aio
        names = [model.name async for model in await google.models.list()]
        assert names == [f"models/{name}" for name in NAMED + LISTED]
        assert (await google.models.get(model="fast")).name == "models/fast"


async def test_a_key_is_told_what_it_opens(served: Noria) -> None:
    made = served.workspace.catalogue.keys.create(Key(id="", name="k", apps=("fast",), models=("chat/*",)), by="a test")
    headers = {"authorization": f"Bearer {made.secret}"}
    listed = (await served.client.get("/v1/models", headers=headers)).json()["data"]
    assert [model["id"] for model in listed] == ["fast", "chat/gpt", "chat/org/llama"]
    assert (await served.client.get("/v1/models/ant/claude", headers=headers)).status_code == 404


async def test_nobody_waits_long_for_a_provider_and_a_list_is_asked_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_lists, "FIRST_S", 0.05)
    gate = asyncio.Event()
    async with (
        providers(gate) as others,
        opened(tmp_path / "data", others=others, **MORE) as (workspace, access, upstream, clock),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(Application(workspace, access)),
            base_url="http://127.0.0.1",
            headers={"authorization": f"Bearer {KEY}"},
        ) as client,
    ):
        noria = Noria(workspace, access, client, upstream, clock)

        async def names() -> list[str]:
            return [model["id"] for model in (await client.get("/v1/models")).json()["data"]]

        async with asyncio.timeout(5):
            assert await names() == NAMED
            assert await names() == NAMED
        asked = dict(workspace._model_lists._running)
        assert set(asked) >= {"chat", "ant", "g"}
        gate.set()
        await settled(noria)
        assert await names() == NAMED + LISTED
        assert not workspace._model_lists._running, "what is known is not asked for again, nor is who gave nothing"
