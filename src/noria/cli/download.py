"""A long answer of the API, a piece at a time: from the running server, or from the folder in this process."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from noria.cli.api import Api
from noria.core.errors import InvalidInput, NoriaError, NotAllowed, Unavailable

_CHUNK = 1 << 20
_TIMEOUT_S = 600.0
"""Longest wait for the next piece."""

Sink = Callable[[bytes], None]


async def download(api: Api, path: str, query: Mapping[str, str], headers: Mapping[str, str], sink: Sink) -> None:
    """Give the body of ``GET path`` to ``sink``, piece by piece; it is whole when this returns.

    Raises:
        Unavailable: the server refused, or went away in the middle.
    """
    target = f"{path}?{urlencode(query)}"
    if api.server_url:
        await _over_http(api.server_url, target, {"authorization": f"Bearer {api.key}", **headers}, sink)
    else:
        await _in_process(api, path, query, headers, sink)


async def _over_http(url: str, target: str, headers: Mapping[str, str], sink: Sink) -> None:
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)

    def work() -> None:
        try:
            connection.request("GET", quote(parts.path.rstrip("/")) + target, headers=dict(headers))
            with connection.getresponse() as response:
                if response.status != http.client.OK:
                    raise refusal(response.status)
                while piece := response.read(_CHUNK):
                    sink(piece)
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"The server at {url} went away in the middle: {type(error).__name__}.") from error
        finally:
            connection.close()

    try:
        await asyncio.to_thread(work)
    finally:
        if connection.sock is not None:  # still reading: the command was interrupted
            with contextlib.suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)


async def _in_process(api: Api, path: str, query: Mapping[str, str], headers: Mapping[str, str], sink: Sink) -> None:
    from noria.assemble import open_workspace  # noqa: PLC0415  # seconds that a call over HTTP need not pay
    from noria.cli.logs import configure_logging  # noqa: PLC0415
    from noria.serve.access import Access  # noqa: PLC0415
    from noria.serve.app import Application  # noqa: PLC0415

    configure_logging("warning")
    requests = [{"type": "http.request", "body": b"", "more_body": False}]
    ended = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if requests:
            return requests.pop()
        await ended.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] != http.client.OK:
            raise refusal(message["status"])
        sink(message.get("body", b""))
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            ended.set()

    async with open_workspace(api.settings, os.environ, holder="noria backup") as workspace:
        fields = {"host": "127.0.0.1", "authorization": f"Bearer {workspace.key.reveal()}", **headers}
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET",
            "scheme": "http", "path": path, "raw_path": path.encode(), "root_path": "", "state": {},
            "query_string": urlencode(query).encode(), "client": ("127.0.0.1", 0), "server": ("127.0.0.1", 80),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields.items()],
        }  # fmt: skip
        await Application(workspace, Access(workspace.key))(scope, receive, send)


def refusal(status: int) -> NoriaError:
    """What a status means where the body was to be a stream."""
    if status in {http.client.UNAUTHORIZED, http.client.FORBIDDEN}:
        return NotAllowed("The server does not take this key.", status=status, hint="Set NORIA_API_KEY.")
    if status < http.client.INTERNAL_SERVER_ERROR:
        return InvalidInput(f"The server refused with status {status}; it may be of another version.")
    return Unavailable(f"The server can't answer now (status {status}).", hint="Try again.")
