"""What a worker does not answer itself, passed on as it comes to the process that holds the data folder.

Heads and bodies go through as they are, in pieces, both ways; who goes away here goes away there. Nothing is checked here,
because it is checked there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp
import msgspec
from yarl import URL

from noria.assemble import Link
from noria.assemble.workers.link import HERE
from noria.core.errors import NoriaError, Unavailable, UnknownName
from noria.serve.api.errors import error_body
from noria.serve.asgi import Receive, Scope, Send, respond, retry_after

_HOPS = frozenset(
    {b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"proxy-connection"}
)
"""Fields of one connection (RFC 9110, section 7.6.1)."""
_NOT_BACK = _HOPS | {b"date"}
"""Of a response, what is made anew here."""


class PassingOn:
    """An ASGI application in front of another one.

    Arguments:
        link: the way there.
    """

    def __init__(self, link: Link) -> None:
        self._session = link.session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        if scope["path"].startswith(HERE):
            await _refuse(send, UnknownName(f"There is nothing at {scope['path'][:80]!r}."))
            return
        body = _Body(scope, receive)
        passing = asyncio.create_task(self._pass(scope, body, send))
        leaving = asyncio.create_task(body.gone())
        try:
            await asyncio.wait({passing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not passing.done():
                passing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await passing

    async def _pass(self, scope: Scope, body: _Body, send: Send) -> None:
        path = scope.get("raw_path") or scope["path"].encode()
        query = scope.get("query_string", b"")
        url = URL((path + b"?" + query if query else path).decode("latin-1"), encoded=True)
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in scope["headers"]
            if name not in _HOPS and name != b"expect"
        ]
        data = body.pieces() if body.there else None
        begun = False
        try:
            async with self._session.request(
                scope["method"], url, headers=headers, data=data, allow_redirects=False
            ) as response:
                fields = [field for field in response.raw_headers if field[0].lower() not in _NOT_BACK]
                await send({"type": "http.response.start", "status": response.status, "headers": fields})
                begun = True
                async for piece in response.content.iter_any():
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if begun:  # its end is missing, so whoever reads must not take it for whole
                raise
            unavailable = Unavailable(
                f"The process that holds the data folder does not answer: {type(error).__name__}."
            )
            await _refuse(send, unavailable)


class _Body:
    """The request's body, and whether who sends it is still there."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        names = {name for name, _ in scope["headers"]}
        self.there = bool(names & {b"content-length", b"transfer-encoding"})
        """Whether there is one."""
        self._receive = receive
        self._gone = asyncio.Event()
        self._whole = asyncio.Event()
        if not self.there:
            self._whole.set()

    async def pieces(self) -> AsyncIterator[bytes]:
        """All of it as it comes. It never ends where its sender went away: what was sent is not whole."""
        while not self._whole.is_set():
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._gone.set()
                await asyncio.Event().wait()
            if piece := message.get("body", b""):
                yield piece
            if not message.get("more_body"):
                self._whole.set()

    async def gone(self) -> None:
        """Return when its sender has gone away, before it was sent or while it is answered."""
        whole = asyncio.create_task(self._whole.wait())
        gone = asyncio.create_task(self._gone.wait())
        try:
            await asyncio.wait({whole, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            whole.cancel()
            gone.cancel()
        while not self._gone.is_set():
            if (await self._receive())["type"] == "http.disconnect":
                self._gone.set()


async def _refuse(send: Send, error: NoriaError) -> None:
    body = msgspec.json.encode(error_body(error.code, error.message, kept=error.kept, hint=error.hint))
    await respond(send, error.status, body, "application/json", retry_after(error))
