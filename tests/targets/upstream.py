"""A provider on a real socket that behaves, or misbehaves, as a script says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from noria.core.errors import NoriaError
from noria.core.events import Event
from noria.core.folding import fold
from noria.wires.openai_chat import StreamEncoder, encode_error, encode_reply

RESET = object()
"""A step: break the connection with a TCP reset."""
CUT = object()
"""A step: close the connection in the middle of the body."""
Step = Event | NoriaError | asyncio.Event | bytes | object | web.StreamResponse
Script = Callable[[dict[str, Any]], Iterable[Step]]


class Upstream:
    """Serves ``POST /v1/chat/completions``. An error as the first step becomes a status, later ones an error chunk."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.base_url = ""
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.connections: set[Any] = set()
        self.closed = asyncio.Event()
        """Set when a caller went away before the script had ended."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.connections.add(request.transport)
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        steps = list(self.script(body))
        try:
            return await (self._stream(request, steps) if body.get("stream") else self._whole(request, steps))
        except (asyncio.CancelledError, ConnectionResetError):
            self.closed.set()
            raise

    async def _whole(self, request: web.Request, steps: list[Step]) -> web.StreamResponse:
        events: list[Event] = []
        for step in steps:
            match step:
                case web.StreamResponse():
                    return step
                case NoriaError():
                    return web.Response(status=step.status, body=encode_error(step))
                case asyncio.Event():
                    await step.wait()
                case _:
                    events.append(step)
        return web.Response(body=encode_reply(fold(events), id="reply-1", created=1), content_type="application/json")

    async def _stream(self, request: web.Request, steps: list[Step]) -> web.StreamResponse:
        if isinstance(steps[0], web.StreamResponse):
            return steps[0]
        if isinstance(steps[0], NoriaError):
            return web.Response(status=steps[0].status, body=encode_error(steps[0]))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        encoder = StreamEncoder("reply-1", 1, include_usage=True)
        for step in steps:
            if step is RESET or step is CUT:
                assert request.transport
                request.transport.abort() if step is RESET else request.transport.close()
                return response
            if isinstance(step, NoriaError):
                await response.write(encoder.error(step))
                return response
            if isinstance(step, asyncio.Event):
                await step.wait()
            else:
                await response.write(step if isinstance(step, bytes) else encoder.encode(step))
        if not any(isinstance(step, bytes) for step in steps):
            await response.write(encoder.finish())
        return response


@asynccontextmanager
async def serving(script: Script) -> AsyncIterator[Upstream]:
    upstream = Upstream(script)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", upstream.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    upstream.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    try:
        yield upstream
    finally:
        await runner.cleanup()
        for _ in range(3):  # an aborted transport closes its socket in one of the loop's next turns
            await asyncio.sleep(0)
