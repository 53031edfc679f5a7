"""Live scoring: after a call is recorded, its app's monitors judge it, outside of the call's own time.

The queue is bounded. When scoring can't keep up, further calls are skipped, counted, and still in the record, so that
they can be judged later; the calls themselves are never slowed down.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog

from noria.core.errors import InvalidInput, NoriaError
from noria.core.monitors import Monitor, MonitorFailures
from noria.core.protocols import Clock
from noria.core.scores import Need, Score, Scorer, Subject
from noria.core.spans import Span

OFFERED: frozenset[Need] = frozenset({"output", "span"})
"""What a live call has. References and retrieved context come from cases."""

_log = structlog.get_logger(__name__)


def refuse_needs(scorer: Scorer) -> None:
    """Refuse a scorer that live traffic can't satisfy.

    Raises:
        InvalidInput: naming what is missing.
    """
    missing = sorted(scorer.needs - OFFERED)
    if missing:
        raise InvalidInput(
            f"Scorer {scorer.name!r} needs a {' and a '.join(missing)}, which live calls don't have.",
            hint="Use it in an experiment, or choose one that reads the output alone.",
        )


def sampled(monitor: Monitor, trace_id: str) -> bool:
    """Whether a trace belongs to the monitor's part of the traffic: a hash, so all servers agree."""
    digest = hashlib.sha256(f"{monitor.name}\0{trace_id}".encode()).digest()
    return int.from_bytes(digest[:8]) < monitor.rate * 2**64


class LiveMonitors:
    """Scores calls in the background.

    Arguments:
        attached: the monitors of an app, with their scorers.
        record: makes scores durable.
        now: time of a judgement.
        capacity: calls that may wait.
        grace_s: how long closing waits for them; a judge may take seconds for each.
    """

    def __init__(
        self,
        attached: Callable[[str], Sequence[tuple[Monitor, Scorer]]],
        record: Callable[[Sequence[Score]], Awaitable[None]],
        now: Clock,
        capacity: int = 10_000,
        grace_s: float = 5.0,
    ) -> None:
        self._attached = attached
        self._record = record
        self._now = now
        self._queue: asyncio.Queue[Span] = asyncio.Queue(capacity)
        self._worker: asyncio.Task[None] | None = None
        self._grace_s = grace_s
        self._open = 0  # taken and not yet judged
        self.scored = 0
        """Scores recorded."""
        self.skipped = 0
        """Calls that were not judged, because too many waited or the process ended first."""
        self.failed = 0
        """Judgements that failed."""
        self.failures: dict[str, MonitorFailures] = {}
        """The same by monitor, for those that had any."""

    def observe(self, span: Span) -> None:
        """Take a recorded call; returns at once."""
        if span.lineage.app is None or span.lineage.experiment_id is not None or span.status != "ok":
            return
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
        try:
            self._queue.put_nowait(span)
            self._open += 1
        except asyncio.QueueFull:
            self.skipped += 1

    async def drain(self) -> None:
        """Return when everything taken so far was judged."""
        await self._queue.join()

    async def close(self) -> None:
        """Judge what waits, as far as the grace goes, then stop. What is left is counted as skipped."""
        if self._worker is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._grace_s):
                    await self.drain()
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
            self._worker = None
            if self._open:
                self.skipped += self._open
                _log.warning("monitor.left_unjudged", calls=self._open)

    async def _work(self) -> None:
        while True:
            span = await self._queue.get()
            try:
                await self._judge(span)
            except Exception as error:  # noqa: BLE001  # the background task's boundary: one defect must not end it
                self.failed += 1
                _log.error("monitor.failed", trace_id=span.trace_id, error=type(error).__name__)
            self._open -= 1
            self._queue.task_done()

    async def _judge(self, span: Span) -> None:
        subject = Subject(output=span.output_text, input=span.variables, span=span)
        scores: list[Score] = []
        for monitor, scorer in self._attached(span.lineage.app or ""):
            if not sampled(monitor, span.trace_id):
                continue
            try:
                score = await scorer.score(subject)
            except Exception as error:  # noqa: BLE001  # a scorer may be a stranger's; its fault must not cost the others
                self.failed += 1
                code = error.code if isinstance(error, NoriaError) else type(error).__name__
                before = self.failures[monitor.name].count if monitor.name in self.failures else 0
                self.failures[monitor.name] = MonitorFailures(
                    name=monitor.name, count=before + 1, code=code, time_ns=self._now()
                )
                _log.warning("monitor.scorer_failed", monitor=monitor.name, code=code)
                continue
            if score is not None:
                scores.append(
                    msgspec.structs.replace(
                        score,
                        trace_id=span.trace_id,
                        span_id=span.span_id,
                        time_ns=self._now(),
                        monitor=monitor.name,
                    )
                )
        if scores:
            await self._record(scores)
            self.scored += len(scores)
