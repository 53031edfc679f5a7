"""The command line's way to a workspace: always the REST API, over HTTP or inside this process.

Where a server runs (``--url``, ``NORIA_URL``, or whoever holds the data folder), requests go to it. Where none runs,
the folder is opened here and the very same application answers in this process. So a command works the same both ways.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

from noria.core import errors
from noria.core.errors import InvalidInput, NoriaError, NotAllowed, Unavailable
from noria.settings import Settings, load_settings

T = TypeVar("T")

TIMEOUT_S = 300.0
"""Longest wait for one answer; work that takes longer is a job that is asked about."""

_KINDS: dict[str, type[NoriaError]] = {
    kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, NoriaError)
}


class Api:
    """The REST API as typed calls. Answers are validated on their way in."""

    def __init__(self, client: httpx.AsyncClient, settings: Settings, server_url: str = "", key: str = "") -> None:
        self._client = client
        self.settings = settings
        """The configuration."""
        self.server_url = server_url
        """The server's URL; empty when the folder is opened in this process."""
        self.key = key
        """The key for ``server_url``, for programs that this one starts."""

    async def get(self, path: str, kind: type[T], **query: Any) -> T:
        """Read."""
        return await self._call("GET", path, kind, query=query)

    async def post(self, path: str, kind: type[T], body: Any = None) -> T:
        """Make or do."""
        return await self._call("POST", path, kind, body=body)

    async def put(self, path: str, kind: type[T], body: Any) -> T:
        """Set."""
        return await self._call("PUT", path, kind, body=body)

    async def delete(self, path: str, kind: type[T]) -> T:
        """Remove."""
        return await self._call("DELETE", path, kind)

    async def _call(
        self, method: str, path: str, kind: type[T], *, query: Mapping[str, Any] | None = None, body: Any = None
    ) -> T:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        content = None if body is None else msgspec.json.encode(body)
        try:
            response = await self._client.request(method, path, params=given, content=content)
        except httpx.TimeoutException as error:
            raise Unavailable(f"The server at {self.server_url} did not answer in {TIMEOUT_S:.0f} s.") from error
        except httpx.HTTPError as error:
            raise Unavailable(
                f"The server at {self.server_url} can't be reached: {error}.", hint="Start it with `noria up`."
            ) from error
        if response.is_error:
            raise _error_of(response)
        return msgspec.json.decode(response.content, type=kind)


@contextlib.asynccontextmanager
async def open_api(options: Mapping[str, Any], *, holder: str) -> AsyncIterator[Api]:
    """The API of the running server, or of the folder itself.

    Arguments:
        options: settings from command-line flags.
        holder: how this process is known to others while it holds the folder.
    """
    settings = load_settings(os.environ, Path.cwd(), options)
    url, key = running_server(settings)
    if url:
        async with connected(settings, url, key) as api:
            yield api
        return
    from noria.assemble import open_workspace  # noqa: PLC0415  # half a second that a call over HTTP need not pay
    from noria.serve.access import Access  # noqa: PLC0415
    from noria.serve.app import Application  # noqa: PLC0415

    async with open_workspace(settings, os.environ, holder=holder) as workspace:
        application = Application(workspace, Access(workspace.key))
        headers = {"authorization": f"Bearer {workspace.key.reveal()}", **_headers()}
        transport = httpx.ASGITransport(app=application)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1", headers=headers, timeout=TIMEOUT_S
        ) as client:
            yield Api(client, settings)


@contextlib.asynccontextmanager
async def connected(settings: Settings, url: str, key: str) -> AsyncIterator[Api]:
    """The API of a server at ``url``."""
    headers = {"authorization": f"Bearer {key}", **_headers()}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=TIMEOUT_S, trust_env=False) as client:
        yield Api(client, settings, url, key)


def running_server(settings: Settings) -> tuple[str, str]:
    """URL and key of the running server; empty when none runs.

    The key that lies in the data folder goes only to the server that holds this folder, never to another URL.
    """
    from noria.assemble.holder import holder_of, stored_key  # noqa: PLC0415  # see above

    given = os.environ.get("NORIA_API_KEY", "").strip()
    holder = holder_of(settings.folder)
    own_url = holder.url if holder else None
    url = settings.url.rstrip("/") or own_url
    if not url:
        return "", ""
    key = given or (stored_key(settings.folder) if url == own_url else None)
    if not key:
        raise InvalidInput(f"There is no key for {url}.", hint="Set NORIA_API_KEY.")
    return url, key


def _headers() -> dict[str, str]:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    actor = f"{user}@{socket.gethostname()}".encode("ascii", "replace").decode()
    return {"noria-actor": actor[:120], "content-type": "application/json"}


def _error_of(response: httpx.Response) -> NoriaError:
    """The error that the server raised, raised again here."""
    try:
        fields = msgspec.json.decode(response.content)["error"]
        code, message = str(fields["code"]), str(fields["message"])
        texts = {"kept": str(fields.get("kept", "")), "hint": str(fields.get("hint", ""))}
    except (msgspec.DecodeError, KeyError, TypeError):
        return Unavailable(f"The server answered {response.status_code} with something that is not Noria's.")
    kind = _KINDS.get(code, NoriaError)
    if kind is NotAllowed:
        return NotAllowed(message, status=response.status_code, **texts)
    return kind(message, **texts)
