"""A provider on a real socket that speaks Anthropic's dialect, in recorded replies."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from wires.recordings import recorded


class AnthropicUpstream:
    """Answers ``POST /v1/messages`` with the recording that ``reply`` names, and counts 42 tokens of any prompt."""

    def __init__(self) -> None:
        self.reply = "text"
        self.status = 200
        self.paths: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.base_url = ""

    async def messages(self, request: web.Request) -> web.StreamResponse:
        body = await self._note(request)
        if self.status != 200:
            content = recorded("anthropic/error.json")
            return web.Response(status=self.status, body=content, content_type="application/json")
        kind, suffix = ("text/event-stream", "sse") if body.get("stream") else ("application/json", "json")
        return web.Response(body=recorded(f"anthropic/{self.reply}.{suffix}"), content_type=kind)

    async def count(self, request: web.Request) -> web.StreamResponse:
        await self._note(request)
        return web.json_response({"input_tokens": 42})

    async def _note(self, request: web.Request) -> dict[str, Any]:
        self.paths.append(request.path)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        body: dict[str, Any] = json.loads(await request.read())
        self.bodies.append(body)
        return body


@asynccontextmanager
async def anthropic_upstream() -> AsyncIterator[AnthropicUpstream]:
    upstream = AnthropicUpstream()
    app = web.Application()
    app.router.add_post("/v1/messages", upstream.messages)
    app.router.add_post("/v1/messages/count_tokens", upstream.count)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    upstream.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield upstream
    finally:
        await runner.cleanup()
