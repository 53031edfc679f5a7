"""A provider with all of OpenAI's endpoints, on a real socket; what it says is a script of events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from noria.core.errors import NoriaError
from noria.core.events import Event
from noria.core.folding import fold
from noria.wires.openai_chat import ChatCompletions
from noria.wires.openai_responses import Responses
from noria.wires.wire import WireIn


class OpenAIUpstream:
    """Serves chat completions, responses and embeddings."""

    def __init__(self) -> None:
        self.script: Callable[[dict[str, Any]], Iterable[Event | NoriaError]] = lambda _: ()
        self.base_url = ""
        self.calls: list[tuple[str, dict[str, Any], dict[str, str]]] = []
        """Path with query, body and headers of each call."""

    @property
    def body(self) -> dict[str, Any]:
        """Of the latest call."""
        return self.calls[-1][1]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        wire: WireIn = Responses() if request.path.endswith("/responses") else ChatCompletions()
        body = await self._noted(request)
        steps = list(self.script(body))
        answer = wire.decode(await request.read(), path={}, id=f"{len(self.calls):032x}", created=5).answer
        if not body["stream"]:
            events = [step for step in steps if not isinstance(step, NoriaError)]
            return web.Response(body=answer.whole(fold(events)), content_type="application/json")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for step in steps:
            await response.write(answer.error(step) if isinstance(step, NoriaError) else answer.encode(step))
        if not any(isinstance(step, NoriaError) for step in steps):
            await response.write(answer.finish())
        return response

    async def embed(self, request: web.Request) -> web.Response:
        body = await self._noted(request)
        data = [{"object": "embedding", "index": i, "embedding": [i + 0.5, -1.0]} for i in range(len(body["input"]))]
        usage = {"prompt_tokens": 4, "total_tokens": 4}
        return web.json_response({"object": "list", "data": data[::-1], "model": "e-1", "usage": usage})

    async def _noted(self, request: web.Request) -> dict[str, Any]:
        body = await request.json()
        self.calls.append((request.path_qs, body, dict(request.headers)))
        return dict(body)


@asynccontextmanager
async def serving_openai() -> AsyncIterator[OpenAIUpstream]:
    upstream = OpenAIUpstream()
    app = web.Application()
    for path in ("/v1", "/openai/deployments/d"):
        app.router.add_post(f"{path}/chat/completions", upstream.answer)
        app.router.add_post(f"{path}/embeddings", upstream.embed)
    for path in ("/v1", "/openai"):
        app.router.add_post(f"{path}/responses", upstream.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    upstream.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield upstream
    finally:
        await runner.cleanup()
