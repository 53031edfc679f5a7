"""A worker's way to the process that holds the data folder: HTTP over a Unix socket, with the admin key."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import aiohttp
import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import EngineFailed, InvalidInput, NoriaError, StorageFull, Unavailable, UnknownName
from noria.core.models import LocalModel
from noria.core.protocols import Endpoint, EngineStatus
from noria.core.struct import Noun
from noria.settings import Secret

HERE = "/workers/"
"""Where the holder answers its workers. Nobody else is let through to it."""
_KINDS = {kind.code: kind for kind in (EngineFailed, UnknownName, InvalidInput, StorageFull, Unavailable)}
Answer = TypeVar("Answer")


class Lent(Noun):
    """An engine of the holder's that a worker may call."""

    endpoint: Endpoint
    """Where it listens."""
    status: EngineStatus
    """How it was then."""


class Failure(Noun):
    """Why the holder could not do what a worker asked for."""

    code: str
    """The kind of error."""
    message: str
    """What happened."""
    kept: str = ""
    """What was kept."""
    hint: str = ""
    """What to do."""


class Link:
    """Asks the holder. Made on an event loop, closed by :meth:`close`.

    Arguments:
        path: its socket.
        key: the admin key.
    """

    def __init__(self, path: Path, key: Secret) -> None:
        # A connection for each request: one that was kept might be closed by the holder just when it is used again.
        connector = aiohttp.UnixConnector(path=str(path), limit=0, force_close=True)
        self.session = aiohttp.ClientSession(
            "http://localhost",
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),  # one caller's session is none of another's
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            max_line_size=64 * 1024,
            max_field_size=64 * 1024,
        )
        """For requests that are passed on."""
        self._headers = {"authorization": f"Bearer {key.reveal()}"}

    async def ask(self, what: str, given: object, kind: type[Answer]) -> Answer:
        """Ask for something of the holder's own. Raises ``Unavailable``, and what it answers with."""
        body = msgspec.json.encode(given)
        try:
            async with self.session.post(HERE + what, data=body, headers=self._headers) as response:
                answer, status = await response.read(), response.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise Unavailable(f"The process that holds the data folder does not answer: {error}.") from error
        if status == 200:
            return msgspec.json.decode(answer, type=kind)
        raise _error(answer, status)

    async def close(self) -> None:
        """Close all connections."""
        await self.session.close()


def _error(answer: bytes, status: int) -> NoriaError:
    try:
        failure = msgspec.json.decode(answer, type=Failure)
    except UNREADABLE:
        return Unavailable(f"The process that holds the data folder answered with {status}.")
    return _KINDS.get(failure.code, Unavailable)(failure.message, kept=failure.kept, hint=failure.hint)


class LentEngine:
    """An engine that the holder starts and watches, and that this process calls."""

    def __init__(self, link: Link, model_id: str) -> None:
        self._link = link
        self._model_id = model_id
        self._status = EngineStatus(state="stopped")

    async def start(self) -> Endpoint:
        """Have it started, where it does not run. Raises ``EngineFailed``, ``UnknownName``, ``Unavailable``."""
        lent = await self._link.ask("engine", self._model_id, Lent)
        self._status = lent.status
        return lent.endpoint

    async def stop(self) -> None:
        """It is the holder's, and others may call it."""

    async def crashed(self, endpoint: Endpoint) -> EngineFailed:
        """Why the process behind ``endpoint`` is gone."""
        failure = await self._link.ask("crashed", (self._model_id, endpoint), Failure)
        return EngineFailed(failure.message, kept=failure.kept, hint=failure.hint)

    def status(self) -> EngineStatus:
        """As it was when this process asked for it last."""
        return self._status


class LentEngines:
    """The holder's engines."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._engines: dict[str, LentEngine] = {}

    def engine(self, model: LocalModel) -> LentEngine:
        """The engine of a model set-up."""
        return self._engines.setdefault(model.id, LentEngine(self._link, model.id))

    def status(self, model_id: str) -> EngineStatus:
        """As it was when this process asked for it last."""
        return self._engines[model_id].status() if model_id in self._engines else EngineStatus(state="stopped")

    async def stop(self, model_id: str) -> None:
        """They are the holder's."""

    async def close(self) -> None:
        """They are the holder's."""
