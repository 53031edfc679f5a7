"""Calls that were cancelled half-way: whoever cancelled them does not wait, and their spans are kept all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from noria.core.errors import NoriaError
from noria.core.spans import Span

_log = structlog.get_logger(__name__)


class CutCalls:
    """Writes spans in tasks of its own, because the tasks that made the calls are being cancelled."""

    def __init__(self, record: Callable[[Span], Awaitable[None]]) -> None:
        self._record = record
        self._writing: set[asyncio.Task[None]] = set()

    def __call__(self, span: Span) -> None:
        """Take the span of a cancelled call."""
        task = asyncio.create_task(self._write(span))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def drain(self) -> None:
        """Return when all of them are durable."""
        await asyncio.gather(*self._writing)

    async def _write(self, span: Span) -> None:
        try:
            await self._record(span)
        except NoriaError as error:
            _log.error("cut_call.not_recorded", trace_id=span.trace_id, code=error.code)  # no defect
