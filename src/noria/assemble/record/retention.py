"""Retention: rules applied to the record, a slice at a time, every hour while a server runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from noria.assemble.gateway.caching import Caches
from noria.assemble.record.belongings import batches
from noria.assemble.record.collecting import BlobCollector
from noria.core.attributes import SHADOW
from noria.core.audit import SYSTEM
from noria.core.errors import NoriaError, UnknownName
from noria.core.protocols import Clock, TraceStore
from noria.core.questions import Aggregate, Filter, Order, Question
from noria.core.retention import EVERY_APP, RetentionRule, Tidied, Trimmed
from noria.stores.catalogue import Catalogue

SLICE = 50_000
"""Spans that one step deletes or strips at most, about: other work gets its turn between steps."""
EVERY_S = 3600.0
"""Seconds between two runs."""
FIRST_AFTER_S = 60.0
"""Seconds from a server's start to the first run."""
_DAY_NS = 86_400 * 10**9

_log = structlog.get_logger(__name__)


class Retention:
    """Applies the catalogue's rules to the record."""

    def __init__(
        self,
        catalogue: Catalogue,
        traces: TraceStore,
        collector: BlobCollector,
        now: Clock,
        caches: Caches,
    ) -> None:
        self._catalogue = catalogue
        self._traces = traces
        self._collector = collector
        self._now = now
        self._caches = caches
        self._one_at_a_time = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._collected_ns = 0
        self._numbers = {"runs": 0, "failed": 0, "spans_deleted": 0, "texts_deleted": 0, "blobs_deleted": 0}

    def start(self) -> None:
        """Run every hour from now on, until :meth:`close`."""
        if self._task is None:
            self._task = asyncio.create_task(self._keep_running())

    async def close(self) -> None:
        """Stop; a step under way is finished by the store, or not begun."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def numbers(self) -> Mapping[str, float]:
        """Counts since the start, for ``/metrics``."""
        return {f"noria_retention_{name}_total": count for name, count in self._numbers.items()}

    async def run(self, *, by: str = SYSTEM, dry_run: bool = False) -> Tidied:
        """Apply every rule now, then delete blobs that no record needs any more; when nothing changed, those once a day.

        What was done is told in the audit log, rule by rule; a run that found nothing to do leaves no entry.

        Arguments:
            by: who asked for it.
            dry_run: change nothing, and tell what a run would do.
        """
        async with self._one_at_a_time:
            rules = await asyncio.to_thread(self._catalogue.retention.list)
            named = [rule.app for rule in rules if rule.app != EVERY_APP]
            trimmed = [await self._apply(rule, named, by=by, dry_run=dry_run) for rule in rules]
            changed = any(one.deleted or one.stripped for one in trimmed)
            if changed and not dry_run:
                await self._forget_replies()
            due = changed or by != SYSTEM or self._now() - self._collected_ns > _DAY_NS
            gone = await self._collector.collect() if due and not dry_run else {}
            self._collected_ns = self._now() if due and not dry_run else self._collected_ns
            if gone:
                await asyncio.to_thread(
                    self._catalogue.audit.add,
                    "blobs.collected",
                    "blobs",
                    by=by,
                    blobs=len(gone),
                    bytes=sum(gone.values()),
                )
            self._numbers["runs"] += not dry_run
            self._numbers["blobs_deleted"] += len(gone)
            return Tidied(rules=tuple(trimmed), blobs=len(gone), blob_bytes=sum(gone.values()))

    async def _forget_replies(self) -> None:
        """Delete kept replies whose record is gone, or has no texts any more."""
        for some in batches(await asyncio.to_thread(self._caches.traces)):
            where = (Filter(column="trace_id", op="in", value=some), Filter(column="status", value="ok"))
            there = {
                span.trace_id for span in await self._traces.spans(Question(where=where, limit=None)) if span.input
            }
            await asyncio.to_thread(self._caches.forget, traces=[id for id in some if id not in there])

    async def _apply(self, rule: RetentionRule, named: Sequence[str], *, by: str, dry_run: bool) -> Trimmed:
        kinds = [_spans_of(rule, named)]
        if await asyncio.to_thread(self._has_shadows, rule.app):
            kinds.append(_shadows_of(rule))
        delete = self._count if dry_run else self._traces.delete
        strip = self._count if dry_run else self._traces.strip
        deleted = sum([await self._older(delete, where, rule.spans_days) for where in kinds])
        stripped = sum([await self._older(strip, where, rule.texts_days) for where in kinds])
        if dry_run and rule.spans_days:
            stripped = max(0, stripped - deleted)  # those would be gone by then
        if not dry_run:
            self._numbers["spans_deleted"] += deleted
            self._numbers["texts_deleted"] += stripped
            if deleted or stripped:
                await asyncio.to_thread(
                    self._catalogue.audit.add, "retention.applied", rule.app, by=by,
                    deleted=deleted, stripped=stripped, texts_days=rule.texts_days, spans_days=rule.spans_days,
                )  # fmt: skip
        return Trimmed(rule=rule, stripped=stripped, deleted=deleted)

    def _has_shadows(self, app: str) -> bool:
        """Whether calls of an app were ever mirrored: only then is it worth looking for such among those of no app."""
        if app == EVERY_APP:
            return False
        try:
            return any(release.shadows for release in self._catalogue.apps.releases(app))
        except UnknownName:  # an app of records from elsewhere
            return False

    async def _older(
        self, act: Callable[[Question], Awaitable[int]], where: tuple[Filter, ...], days: int | None
    ) -> int:
        """Act on all spans older than so many days, oldest first, slice after slice."""
        if days is None:
            return 0
        end, start, total = max(0, self._now() - days * _DAY_NS), 0, 0
        while start < end:
            until = await self._slice_end(where, start, end)
            total += await act(Question(where=where, since_ns=start, until_ns=until))
            start = until
        return total

    async def _slice_end(self, where: tuple[Filter, ...], start: int, end: int) -> int:
        """A time up to which there are at most about ``SLICE`` spans from ``start`` on."""
        question = Question(
            where=where, since_ns=start, until_ns=end, columns=("start_ns",), order=(Order(column="start_ns"),),
            offset=SLICE, limit=1,
        )  # fmt: skip
        rows = (await self._traces.query(question)).rows
        return max(int(rows[0][0]), start + 1) if rows else end

    async def _count(self, question: Question) -> int:
        counting = Question(
            where=question.where,
            since_ns=question.since_ns,
            until_ns=question.until_ns,
            measures=(Aggregate(measure="count"),),
        )
        return int((await self._traces.query(counting)).rows[0][0])

    async def _run_alone(self) -> Tidied | None:
        """Run, unless another process that shares the record does so now."""
        lease = await asyncio.to_thread(self._catalogue.leases.take, "retention")
        if lease is None:
            return None
        try:
            return await self.run()
        finally:
            await asyncio.to_thread(lease.release)

    async def _keep_running(self) -> None:
        wait = FIRST_AFTER_S
        while True:
            await asyncio.sleep(wait)
            wait = EVERY_S
            try:
                done = await self._run_alone()
            except NoriaError as error:
                self._numbers["failed"] += 1
                _log.error("retention.failed", code=error.code, error=str(error))
            except Exception:  # noqa: BLE001  # the task's boundary: if it ended here, nothing would be deleted any more
                self._numbers["failed"] += 1
                _log.exception("retention.failed")
            else:
                if done is None:
                    continue
                counts = {
                    one.rule.app: [one.deleted, one.stripped] for one in done.rules if one.deleted or one.stripped
                }
                _log.info("retention.ran", deleted_and_stripped=counts, blobs=done.blobs)


def _spans_of(rule: RetentionRule, named: Sequence[str]) -> tuple[Filter, ...]:
    """Spans that a rule speaks of. Those without an app belong to ``*``."""
    where: list[Filter] = []
    if rule.app != EVERY_APP:
        where.append(Filter(column="app", value=rule.app))
    elif named:
        where.append(Filter(column="app", op="not in", value=list(named)))
    if not rule.experiments:
        where.append(Filter(column="experiment_id", op="is null"))
    return tuple(where)


def _shadows_of(rule: RetentionRule) -> tuple[Filter, ...]:
    """Mirrored calls of the rule's app, which name no app: they hold the same texts, so they live no longer."""
    return (Filter(column="app", op="is null"), Filter(column=f"attributes.{SHADOW}", value=rule.app))
