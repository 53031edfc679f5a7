"""The least that a gateway in Python does: raw ASGI on uvicorn, the body sent on with aiohttp, the answer sent back.

python benchmarks/gateways/passing.py PORT UPSTREAM_URL
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import uvicorn

_KEPT = {b"content-type"}


class Passing:
    """The application."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._session: aiohttp.ClientSession | None = None

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """Pass one call on."""
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        url = self._upstream + scope["path"]
        async with self._session.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
            kept = [(name, value) for name, value in answer.raw_headers if name.lower() in _KEPT]
            await send({"type": "http.response.start", "status": answer.status, "headers": kept})
            if answer.content_type == "application/json":
                whole = await answer.read()
                await send({"type": "http.response.body", "body": whole})
                return
            async for piece in answer.content.iter_any():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    uvicorn.run(Passing(sys.argv[2]), port=int(sys.argv[1]), log_level="warning", access_log=False, lifespan="off")
