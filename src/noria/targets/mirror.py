"""Makes mirrored calls in the background, so many at a time, and records each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from noria.core.protocols import Clock, Target
from noria.core.requests import Request
from noria.core.spans import Span
from noria.targets.recording import NewIds, Price, recorded_call

_log = structlog.get_logger(__name__)


class Mirror:
    """Calls that nobody waits for.

    When as many are under way as may be, further ones are left out and counted: a shadow that is slower than the
    traffic must not pile up.

    Arguments:
        record: makes one span durable.
        now: the clock.
        new_ids: makes a trace id and a span id.
        price: US dollars for a span.
        most: calls at a time.
    """

    def __init__(
        self, record: Callable[[Span], Awaitable[None]], *, now: Clock, new_ids: NewIds, price: Price, most: int = 16
    ) -> None:
        self._record = record
        self._now = now
        self._new_ids = new_ids
        self._price = price
        self._most = most
        self._running: set[asyncio.Task[None]] = set()
        self._cut: list[Span] = []
        self.made = 0
        """Mirrored calls on record."""
        self.skipped = 0
        """Calls that were not mirrored, because too many were under way."""
        self.failed = 0
        """Mirrored calls that could not be recorded."""
        self.cost_usd = 0.0
        """What they cost, as far as their prices are known, US dollars."""

    def offer(self, target: Target, request: Request) -> None:
        """Call ``target`` in the background."""
        if len(self._running) >= self._most:
            self.skipped += 1
            return
        task = asyncio.create_task(self._call(target, request))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Cut what is under way off, and record it as far as it came."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for span in self._cut:
            await self._record(span)
        self._cut.clear()

    async def _call(self, target: Target, request: Request) -> None:
        try:
            span, _ = await recorded_call(
                target, request, now=self._now, new_ids=self._new_ids, price=self._price, cut=self._cut.append
            )
            await self._record(span)
            self.made += 1
            self.cost_usd += span.cost_usd or 0.0
        except Exception as error:  # noqa: BLE001  # the background task's boundary: nobody else hears of it
            self.failed += 1
            _log.warning("shadow.failed", error=type(error).__name__)
