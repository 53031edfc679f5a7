"""Pulls of weights under way: started by one request, watched by others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from noria.assemble.reports import PullProgress
from noria.core.errors import NoriaError, UnknownName
from noria.core.models import LocalModel

_log = structlog.get_logger(__name__)

Report = Callable[[str, int, int | None], None]
"""Stage, bytes done, bytes in all."""
Fetch = Callable[[Report], Awaitable[LocalModel]]


class Pulls:
    """Runs pulls in the background and remembers how far each is."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._states: dict[str, PullProgress] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, reference: str, fetch: Fetch) -> PullProgress:
        """Begin."""
        state = PullProgress(id=self._new_id(), reference=reference)
        self._states[state.id] = state
        task = asyncio.create_task(self._run(state.id, fetch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return state

    def progress(self, id: str) -> PullProgress:
        """How far a pull is. Raises ``UnknownName``."""
        if id not in self._states:
            raise UnknownName(f"There is no pull {id!r}.", hint="A server forgets its pulls when it ends; pull again.")
        return self._states[id]

    async def close(self) -> None:
        """Give up what is under way; nothing half-written stays."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, id: str, fetch: Fetch) -> None:
        def report(stage: str, done: int, total: int | None) -> None:
            self._set(id, stage=stage, done=done, total=total)

        try:
            model = await fetch(report)
        except NoriaError as error:
            self._set(id, stage="failed", error=str(error), error_code=error.code)
        except Exception as error:  # noqa: BLE001  # a job's boundary: whoever watches it must hear of a defect too
            _log.error("pull.unexpected", reference=self._states[id].reference, exc_info=error)
            self._set(
                id,
                stage="failed",
                error=f"Noria failed ({type(error).__name__}); its log says why.",
                error_code="error",
            )
        else:
            self._set(id, stage="ready", model=model)

    def _set(self, id: str, **changes: object) -> None:
        self._states[id] = msgspec.structs.replace(self._states[id], **changes)
