"""The command line's way to a workspace: always the REST API, over HTTP or inside this process.

Where a server runs (``--url``, ``NORIA_URL``, or whoever holds the data folder), requests go to it. Where none runs,
the folder is opened here and the very same application answers in this process. So a command works the same both ways.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import msgspec

from noria.cli.configuration import configuration
from noria.cli.transports import Answer, InProcess, OnFirstUse, OverHTTP, Query, Refused, Transport
from noria.core import errors
from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput, NoriaError, NotAllowed, Unavailable
from noria.settings import Settings, load_address, load_settings

T = TypeVar("T")

_KINDS: dict[str, type[NoriaError]] = {
    kind.code: kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, NoriaError)
}


class Api:
    """The REST API as typed calls. Answers are validated on their way in.

    Arguments:
        transport: takes requests there.
        settings: the configuration.
        server_url: the server's URL; empty when the folder is opened in this process.
        key: the key that it takes, for those who call it in another way; empty when there is no server.
    """

    def __init__(self, transport: Transport, settings: Settings, *, server_url: str = "", key: str = "") -> None:
        self._transport = transport
        self.settings = settings
        """The configuration."""
        self.server_url = server_url
        """The server's URL; empty when the folder is opened in this process."""
        self.key = key
        """The server's key; empty when there is no server."""
        self.missing: Path | None = None
        """The data folder that is not there yet, where an empty one is looked at in its place."""
        self.unread: InvalidInput | None = None
        """What is wrong with the configuration, which a running server need not care about."""
        self._headers = _headers()

    async def get(self, path: str, kind: type[T], **query: Any) -> T:
        """Read."""
        return await self._call("GET", path, kind, query=query)

    async def page(self, path: str, kind: type[T], **query: Any) -> tuple[T, str | None]:
        """Read a part of a list, and the cursor of the next part where there is one (RFC 8288)."""
        answer = await self._ask("GET", path, query=query)
        found = re.search(r'[?&]cursor=([^&>]+)[^>]*>; *rel="next"', answer.headers.get("link", ""))
        return self._read(answer, kind), unquote(found[1]) if found else None

    async def lines(self, path: str, **query: Any) -> AsyncIterator[str]:
        """Read a stream of lines from a running server, until it ends. Raises ``Unavailable`` where there is none."""
        if not isinstance(self._transport, OverHTTP):
            raise Unavailable("No server runs.", hint="Start one with `noria up`, or name one with --url.")
        try:
            async for line in self._transport.lines(path, _parameters(query), self._headers):
                yield line
        except Refused as refused:
            raise self._error_of(refused.answer) from refused

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
        return self._read(await self._ask(method, path, query=query, body=body), kind)

    async def _ask(self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None) -> Answer:
        given = _parameters(query or {})
        content = b"" if body is None else msgspec.json.encode(body)
        answer = await self._transport(method, path, given, content, self._headers)
        if answer.status >= 300:
            raise self._error_of(answer)
        return answer

    def _read(self, answer: Answer, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except UNREADABLE as error:
            raise self._stranger(str(error)) from error

    def _error_of(self, answer: Answer) -> NoriaError:
        """The error that the server raised, raised again here."""
        try:
            fields = msgspec.json.decode(answer.body)["error"]
            code, message = str(fields["code"]), str(fields["message"])
            texts = {"kept": str(fields.get("kept", "")), "hint": str(fields.get("hint", ""))}
        except (*UNREADABLE, KeyError, TypeError, AttributeError):
            return self._stranger(f"status {answer.status}")
        kind = _KINDS.get(code, NoriaError)
        if kind is NotAllowed:
            if answer.status == 401:
                texts["hint"] = "Set NORIA_API_KEY to this server's key; it lies in admin.key of its data folder."
            return NotAllowed(message, status=answer.status, **texts)
        return kind(message, **texts)

    def _stranger(self, what: str) -> Unavailable:
        return Unavailable(
            f"What answers at {self.server_url or 'the data folder'} is not this version of Noria ({what}).",
            hint="Check NORIA_URL or --url, and that server and command line are of one version.",
        )


def _parameters(query: Mapping[str, Any]) -> Query:
    """Query parameters as texts; those that are None are left out."""
    return {
        name: [str(one) for one in value] if isinstance(value, list | tuple) else str(value)
        for name, value in query.items()
        if value is not None
    }


def part(name: str) -> str:
    """A name as one part of a path.

    Raises:
        InvalidInput: it is empty, or has a slash, which would make it two.
    """
    if not name or "/" in name or name in {".", ".."}:
        raise InvalidInput(f"{name!r} can't be a name.", hint="A name is not empty and has no slash.")
    return name


@contextlib.asynccontextmanager
async def open_api(options: Mapping[str, Any], *, holder: str, reads_only: bool = False) -> AsyncIterator[Api]:
    """The API of the running server, or of the folder itself, which is opened at the first request.

    So whatever is wrong with a file or a flag is said before anything is touched. Beside a running server only its address and key
    are needed: what else is wrong with the configuration is no reason not to ask it.

    Arguments:
        options: settings from command-line flags.
        holder: how this process is known to others while it holds the folder.
        reads_only: the command only looks. A folder that is not there yet is then left so: an empty one elsewhere is
            looked at.
    """
    settings, unread = _settings(options)
    url, key = running_server(settings)
    if url:
        async with connected(settings, url, key) as api:
            api.unread = unread
            yield api
        return
    if unread:
        raise unread
    async with contextlib.AsyncExitStack() as stack:
        used = settings
        missing = settings.folder if reads_only and not settings.folder.exists() else None
        if missing:
            empty = tempfile.TemporaryDirectory(prefix="noria-", ignore_cleanup_errors=True)
            used = msgspec.structs.replace(settings, data=stack.enter_context(empty))

        async def opened() -> Transport:
            configuration(**options)  # whatever is wrong with it for the rooms that are entered now
            return await stack.enter_async_context(_opened(used, holder))

        api = Api(OnFirstUse(opened), settings)
        api.missing = missing
        yield api


def _settings(options: Mapping[str, Any]) -> tuple[Settings, InvalidInput | None]:
    """The configuration; where it is wrong, of it what says where a server is, and what is wrong."""
    try:
        return load_settings(os.environ, Path.cwd(), options), None
    except InvalidInput as error:
        try:
            return load_address(os.environ, Path.cwd(), options), error
        except InvalidInput:
            raise error from None


@contextlib.asynccontextmanager
async def connected(settings: Settings, url: str, key: str) -> AsyncIterator[Api]:
    """The API of a server at ``url``."""
    yield Api(OverHTTP(url, key), settings, server_url=url, key=key)


def running_server(settings: Settings) -> tuple[str, str]:
    """URL and key of the running server; empty when none runs.

    The key that lies in the data folder goes only to the server that holds this folder, never to another URL.
    """
    from noria.assemble.workers.holder import holder_of, stored_key  # noqa: PLC0415  # `noria --help` need not pay

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


@contextlib.asynccontextmanager
async def _opened(settings: Settings, holder: str) -> AsyncIterator[Transport]:
    """The way to the API of the folder, which is opened here."""
    from noria.assemble import open_workspace  # noqa: PLC0415  # two seconds that a call over HTTP need not pay
    from noria.cli.logs import configure_logging  # noqa: PLC0415
    from noria.serve.access import Access  # noqa: PLC0415
    from noria.serve.app import Application  # noqa: PLC0415

    configure_logging("warning")
    async with open_workspace(settings, os.environ, holder=holder) as workspace:
        yield InProcess(Application(workspace, Access(workspace.key)), workspace.key.reveal())


def actor() -> str:
    """Who acts, as it stands in the record: user and machine."""
    return f"{_user()}@{socket.gethostname()}".encode("ascii", "replace").decode()[:120]


def _headers() -> dict[str, str]:
    return {"noria-actor": actor(), "content-type": "application/json"}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user without a name
        return str(os.getuid()) if hasattr(os, "getuid") else "someone"
