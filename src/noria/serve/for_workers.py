"""The holder's side of workers: it answers what they pass on, as it would on a port, and what they themselves ask for.

It listens on a Unix socket that this machine's user alone can reach. What workers ask for has paths of its own, which no
worker passes on, and needs the admin key all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import msgspec

from noria.assemble import Workspace
from noria.assemble.workers.link import HERE, Failure, Lent
from noria.assemble.workers.told import Told
from noria.core.errors import EngineFailed, NoriaError, UnknownName
from noria.core.models import LocalModel
from noria.core.protocols import Endpoint
from noria.core.questions import Question
from noria.serve.access import Access
from noria.serve.app import Application
from noria.serve.asgi import Receive, Scope, Send, headers_of, read_body, respond
from noria.serve.failures import own_error
from noria.serve.traffic import Traffic

_MOST = 1 << 20
"""Bytes of what a worker asks."""
_NOTICE_S = 5.0
"""How long a crash is waited for; the worker waits for less."""
_JSON = "application/json"


class ForWorkers:
    """The application of a process that has workers.

    Arguments:
        workspace: the holder's.
        access: who may come in.
    """

    def __init__(self, workspace: Workspace, access: Access) -> None:
        self._workspace = workspace
        self._access = access
        self._application = Application(workspace, access)
        self.traffic: Traffic = self._application.traffic
        """What is being answered now."""
        self._answers: dict[str, Callable[[bytes], Awaitable[object]]] = {
            "engine": self._engine,
            "crashed": self._crashed,
            "spans": self._spans,
            "told": self._told,
        }

    def stop(self) -> None:
        """End what has no end of its own."""
        self._application.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http" or not scope["path"].startswith(HERE):
            await self._application(scope, receive, send)
            return
        try:
            self._access.check_key(headers_of(scope), ("admin",))
            answer = self._answers.get(scope["path"].removeprefix(HERE))
            if answer is None:
                raise UnknownName("Workers ask for nothing of this name.")  # noqa: TRY301  # answered as all others
            given = await answer(await read_body(receive, _MOST))
        except Exception as error:  # noqa: BLE001  # this boundary's one broad catch
            failure = own_error(error, scope["path"])
            await respond(send, failure.status, msgspec.json.encode(_told(failure)), _JSON)
        else:
            await respond(send, 200, msgspec.json.encode(given), _JSON)

    async def _engine(self, body: bytes) -> Lent:
        model = await self._model(msgspec.json.decode(body, type=str))
        engine = self._workspace.calling.engines.engine(model)
        return Lent(endpoint=await engine.start(), status=engine.status())

    async def _crashed(self, body: bytes) -> Failure:
        model_id, endpoint = msgspec.json.decode(body, type=tuple[str, Endpoint])
        engine = self._workspace.calling.engines.engine(await self._model(model_id))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_NOTICE_S):
                return _told(await engine.crashed(endpoint))
        raise EngineFailed("The engine is well.")

    async def _spans(self, body: bytes) -> object:
        return await self._workspace.traces.spans(msgspec.json.decode(body, type=Question))

    async def _told(self, body: bytes) -> bool:
        self._workspace.told.take(msgspec.json.decode(body, type=Told))
        return True

    async def _model(self, model_id: str) -> LocalModel:
        for model in await asyncio.to_thread(self._workspace.catalogue.models.list):
            if model.id == model_id:
                return model
        raise UnknownName("The model's set-up is gone.", hint="Pull it again: `noria models pull`.")


def _told(error: NoriaError) -> Failure:
    return Failure(code=error.code, message=error.message, kept=error.kept, hint=error.hint)
