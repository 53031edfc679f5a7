"""Many workers, one disk: records that become ready while a commit is under way are made durable together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from noria.core.errors import InvalidInput
from noria.core.protocols import TraceStore
from noria.core.scores import Score
from noria.core.spans import Span


class _Waiting(NamedTuple):
    spans: Sequence[Span]
    scores: Sequence[Score]
    durable: asyncio.Future[None]


class GroupCommit:
    """A trace store's ``append`` for many callers at once.

    A commit costs milliseconds, whether it holds one record or fifty. The first caller's commit starts at once; what
    arrives meanwhile goes into the next one. So a lone caller waits for one commit, and fifty for at most two.
    """

    def __init__(self, store: TraceStore) -> None:
        self._store = store
        self._waiting: list[_Waiting] = []
        self._committing: asyncio.Task[None] | None = None

    async def keep(self, *, spans: Sequence[Span] = (), scores: Sequence[Score] = ()) -> None:
        """Return when the records are durable; raise what the store raises. A cancelled caller's records are kept."""
        durable = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(spans, scores, durable))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit())
        await durable

    async def drain(self) -> None:
        """Wait until nothing is under way."""
        while self._committing is not None:
            await asyncio.wait({self._committing})

    async def _commit(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._commit_batch(batch)
        finally:
            self._committing = None

    async def _commit_batch(self, batch: list[_Waiting]) -> None:
        spans = [span for waiting in batch for span in waiting.spans]
        scores = [score for waiting in batch for score in waiting.scores]
        try:
            await self._store.append(spans, scores)
        except InvalidInput as error:
            if len(batch) == 1:
                _refuse(batch, error)
                return
            for waiting in batch:  # one record that can't be kept must not take its neighbours with it
                await self._commit_batch([waiting])
        except Exception as error:  # noqa: BLE001 - handed to every caller, who would wait for ever without it
            _refuse(batch, error)
        else:
            for waiting in batch:
                if not waiting.durable.done():
                    waiting.durable.set_result(None)


def _refuse(batch: list[_Waiting], error: Exception) -> None:
    for waiting in batch:
        if not waiting.durable.done():
            waiting.durable.set_exception(error)
