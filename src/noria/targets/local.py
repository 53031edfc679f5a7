"""A local engine as a target: started when first called, its crashes told apart from its answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

import msgspec

from noria.core.errors import CallFailed, CallRefused, EngineFailed
from noria.core.events import Event, Sent
from noria.core.protocols import Endpoint, Engine, Target
from noria.core.requests import Request, replace_lineage, request_id
from noria.targets.closing import called

PEAK_MEMORY = "noria.engine.peak_rss_bytes"
"""Attribute: largest resident memory of the engine so far, so that the record knows what an answer took."""

_NOT_IMPLEMENTED = 501
"""llama.cpp's answer where its weights can't do what is asked for."""
_NOTICE_S = 0.5
"""How long a supervisor may take to notice a crash after the connection to the engine broke."""


class Local:
    """A target that answers from weights on this machine.

    Arguments:
        engine: started by the first call.
        make_remote: the target for an endpoint: a ``Remote`` with the provider ``local``, the endpoint's model and key,
            on a session that does not keep connections.
        model_id: content id of the model's set-up, stamped on requests that bring none.
    """

    def __init__(
        self, engine: Engine, make_remote: Callable[[Endpoint], Target], *, model_id: str | None = None
    ) -> None:
        self._engine = engine
        self._make_remote = make_remote
        self._model_id = model_id

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        """Call the engine. The wait for its start counts in the call's duration, not in its time to first token.

        Raises:
            EngineFailed: it can't start, or crashed during the call.
            CallFailed: it is well and the call failed all the same.
        """
        if self._model_id is not None and request.lineage.model_id is None:
            request = replace_lineage(request, model_id=self._model_id)
        yield Sent(request=request, provider="local", request_id=request_id(request))
        endpoint = await self._engine.start()
        peak = self._engine.status().peak_rss_bytes
        if peak is not None:
            request = msgspec.structs.replace(request, attributes=request.attributes | {PEAK_MEMORY: peak})
        try:
            async with called(self._make_remote(endpoint), request) as events:
                async for event in events:
                    yield event
        except CallFailed as error:
            if error.status == _NOT_IMPLEMENTED and (request.embed or request.rank):
                raise _not_for(request) from error
            if error.retryable and (crash := await self._crash(endpoint)):
                raise crash from error
            raise

    async def _crash(self, endpoint: Endpoint) -> EngineFailed | None:
        """Why the engine behind ``endpoint`` is gone; None when it is well.

        A process that ends closes its sockets, so a crash always shows first as a broken call, and there is no need
        to race every event against it.
        """
        try:
            async with asyncio.timeout(_NOTICE_S):
                return await self._engine.crashed(endpoint)
        except TimeoutError:
            return None


def _not_for(request: Request) -> CallRefused:
    what, hint = (
        ("rank documents", "Pull a reranker's weights: one whose GGUF file says pooling type `rank`.")
        if request.rank
        else (
            "give vectors",
            "Pull weights for embeddings, or pull these again with `--pooling mean` and a name of its own.",
        )
    )
    return CallRefused(f"These weights are for other things than to {what}.", status=400, hint=hint)
