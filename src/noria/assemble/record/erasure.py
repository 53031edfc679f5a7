"""Erasure of one end user: what belongs to them is found, deleted everywhere, and receipted."""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from noria.assemble.gateway.caching import Caches
from noria.assemble.identifiers import new_id
from noria.assemble.record.belongings import Belongings, Key, batches, belongings
from noria.assemble.record.collecting import BlobCollector
from noria.assemble.record.mentions import digests, pages, score_pages
from noria.core.audit import SYSTEM
from noria.core.erasures import Erased, Erasure, Receipt, user_digest
from noria.core.errors import Conflict, InvalidInput
from noria.core.protocols import BlobStore, TraceStore
from noria.core.questions import Aggregate, Filter, Question
from noria.core.scores import Score
from noria.core.spans import Span
from noria.stores.catalogue import Catalogue

_ROUNDS = 3
"""A user who still calls writes new records meanwhile; after so many rounds the erasure says so."""


class Erasures:
    """Erases users, and keeps the receipts."""

    def __init__(
        self,
        catalogue: Catalogue,
        traces: TraceStore,
        blobs: BlobStore,
        collector: BlobCollector,
        caches: Caches,
    ) -> None:
        self._catalogue = catalogue
        self._traces = traces
        self._blobs = blobs
        self._collector = collector
        self._caches = caches

    async def erase(self, user: str, *, by: str = SYSTEM, dry_run: bool = False) -> Erasure:
        """Delete everything about a user, and tell what it was. A second time finds nothing.

        Cut short, by a crash or a full disk, it is simply run again: spans that name the user go last, so the rest
        can still be found.

        Raises:
            InvalidInput: the id is empty.
            Conflict: the user still calls, so that new records came faster than old ones could be deleted.
        """
        if not user:
            raise InvalidInput("An empty id names no user.")
        id, tally = f"erasure_{new_id()}", _Tally()
        if not dry_run:
            await self._forget(user, ())
        for number in range(_ROUNDS):
            found = await belongings(self._traces, user)
            if found.nothing:
                break
            tally.of_trace.clear()
            await self._look(found, tally)
            loose = await self._loose_scores(tally)
            if dry_run:
                break
            if not number:  # so that one which was cut short is on record, too
                await asyncio.to_thread(self._catalogue.audit.add, "erasure.begun", id, by=by)
            await self._forget(user, tally.of_trace)
            await self._delete_scores(loose)
            for question in found.questions():
                await self._traces.delete(question)
        else:
            if not (await belongings(self._traces, user)).nothing:
                raise Conflict(
                    "New records about this user arrive while old ones are deleted.",
                    kept="What was there when this began is deleted; no receipt was made.",
                    hint="Stop their calls, then run it again.",
                )
        sizes = await self._blobs_of(tally)
        if dry_run or not tally.spans:
            return Erasure(found=tally.erased(sizes))
        gone = await self._collector.collect(among=sizes, grace_s=0)
        erased = tally.erased(gone)
        return Erasure(found=erased, receipt=await asyncio.to_thread(self._receipt, id, user, erased, by))

    def receipts(self) -> Sequence[Receipt]:
        """All receipts, newest first."""
        return self._catalogue.receipts.list()

    async def _forget(self, user: str, traces: Iterable[str]) -> None:
        """Kept replies are no record, and go without being counted."""
        await asyncio.to_thread(self._caches.forget, user=user, traces=list(traces))

    async def _look(self, found: Belongings, tally: _Tally) -> None:
        for question in found.questions():
            async for spans in pages(self._traces, question):
                tally.take(spans)
        await tally.count_scores(self._traces)

    async def _loose_scores(self, tally: _Tally) -> set[Key]:
        """Scores on traces that go whole, which are on none of their spans; they are counted, too."""
        loose: set[Key] = set()
        for some in batches(sorted(tally.of_trace)):
            where = (Filter(column="trace_id", op="in", value=some),)
            counted = Question(where=where, group_by=("trace_id",), measures=(Aggregate(measure="count"),), limit=None)
            left = dict((await self._traces.query(counted)).rows)
            whole = {trace_id for trace_id in some if left.get(trace_id) == len(tally.of_trace[trace_id])}
            async for scores in score_pages(self._traces, Question(source="scores", where=where)):
                mine = [
                    one for one in scores if one.trace_id in whole and one.span_id not in tally.of_trace[one.trace_id]
                ]
                loose.update((one.trace_id, one.span_id) for one in mine)
                tally.take_scores(mine)
        return loose

    async def _delete_scores(self, loose: Iterable[Key]) -> None:
        """Delete scores that are on no span: a store deletes scores with their span, so they get one first."""
        keys = sorted(loose)
        if not keys:
            return
        await self._traces.append(
            [
                Span(trace_id=trace_id, span_id=span_id, name="erased", start_ns=0, end_ns=0)
                for trace_id, span_id in keys
            ]
        )
        for some in batches([trace_id for trace_id, _ in keys]):
            where = (Filter(column="trace_id", op="in", value=some), Filter(column="name", value="erased"))
            await self._traces.delete(Question(where=where, limit=None))

    async def _blobs_of(self, tally: _Tally) -> dict[str, int]:
        """Blobs among what the records mention, with their sizes; others may mention them too."""
        if not tally.digests:
            return {}
        sizes = await asyncio.to_thread(self._blobs.sizes)
        return {digest: sizes[digest] for digest in tally.digests & sizes.keys()}

    def _receipt(self, id: str, user: str, erased: Erased, by: str) -> Receipt:
        salt = secrets.token_hex(16)
        made = self._catalogue.audit.list(1000, action="backup.begun")
        return self._catalogue.receipts.add(
            Receipt(
                id=id,
                time_ns=0,
                actor=by,
                user_digest=user_digest(user, salt),
                salt=salt,
                erased=erased,
                mentions=self._mentions(user),
                backups=tuple(f"{entry.subject}, made {_utc(entry.time_ns)}" for entry in made),
            )
        )

    def _mentions(self, user: str) -> dict[str, tuple[str, ...]]:
        found = self._catalogue.receipts.mentions(user)
        needle = msgspec.json.encode(user)
        holding = []
        for dataset in self._catalogue.datasets.list():
            if self._blobs.has(dataset.blob):
                with self._blobs.open(dataset.blob) as file:
                    if any(needle in line for line in file):
                        holding.append(f"{dataset.name} {dataset.id}")
        return {**found, "dataset": tuple(holding)} if holding else found


class _Tally:
    """Counts what is to be deleted, each span once."""

    def __init__(self) -> None:
        self.spans: set[Key] = set()
        self.sessions: set[str] = set()
        self.digests: set[str] = set()
        self.scores = 0
        self._fresh: set[Key] = set()
        self.of_trace: defaultdict[str, set[str]] = defaultdict(set)

    def take(self, spans: Iterable[Span]) -> None:
        for span in spans:
            key = (span.trace_id, span.span_id)
            self.of_trace[span.trace_id].add(span.span_id)
            if key not in self.spans:
                self.spans.add(key)
                self._fresh.add(key)
            if span.lineage.session_id is not None:
                self.sessions.add(span.lineage.session_id)
            self.digests |= digests([span])

    async def count_scores(self, store: TraceStore) -> None:
        """Count the scores on spans taken since the last count."""
        for some in batches(sorted({trace_id for trace_id, _ in self._fresh})):
            on_them = Question(source="scores", where=(Filter(column="trace_id", op="in", value=some),))
            async for scores in score_pages(store, on_them):
                self.take_scores([score for score in scores if (score.trace_id, score.span_id) in self._fresh])
        self._fresh.clear()

    def take_scores(self, scores: Sequence[Score]) -> None:
        self.scores += len(scores)
        self.digests |= digests(scores)

    def erased(self, blobs: Mapping[str, int]) -> Erased:
        return Erased(
            spans=len(self.spans),
            scores=self.scores,
            traces=len({trace_id for trace_id, _ in self.spans}),
            sessions=len(self.sessions),
            blobs=tuple(sorted(blobs)),
            blob_bytes=sum(blobs.values()),
        )


def _utc(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="seconds")
