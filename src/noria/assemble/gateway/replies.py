"""The response cache: no second store, but the record asked for spans that answered the same request."""

from __future__ import annotations

import asyncio

from noria.core.protocols import TraceStore
from noria.core.questions import Filter, Order, Question
from noria.core.spans import Span


class RememberedReplies:
    """Looks requests up by id. Look-ups that come while one question is under way are asked together in the next."""

    def __init__(self, traces: TraceStore) -> None:
        self._traces = traces
        self._waiting: dict[str, asyncio.Future[Span | None]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def __call__(self, request_id: str) -> Span | None:
        """The latest complete answer to a request; None when there is none."""
        future = self._waiting.get(request_id)
        if future is None:
            future = self._waiting[request_id] = asyncio.get_running_loop().create_future()
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(future)

    async def _ask(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, {}
                try:
                    found = await self._find(list(asked))
                except Exception as error:  # noqa: BLE001  # handed on, whatever it is, to each one who asked
                    for future in asked.values():
                        if not future.done():
                            future.set_exception(error)
                    continue
                for request_id, future in asked.items():
                    if not future.done():
                        future.set_result(found.get(request_id))
        finally:
            self._asking = None

    async def _find(self, ids: list[str]) -> dict[str, Span]:
        question = Question(
            where=(
                Filter(column="request_id", op="in", value=ids),
                Filter(column="status", value="ok"),
                Filter(column="cached", value=False),
            ),
            order=(Order(column="start_ns"),),
            limit=None,
        )
        return {span.request_id: span for span in await self._traces.spans(question) if span.request_id}
