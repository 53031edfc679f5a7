"""Erasure of one end user: what belongs to them is found, deleted everywhere, and receipted."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from noria.assemble.belongings import Belongings, Key, batches, belongings
from noria.assemble.collecting import BlobCollector
from noria.assemble.identifiers import new_id
from noria.assemble.mentions import digests, pages
from noria.core.audit import SYSTEM
from noria.core.erasures import Erased, Erasure, Receipt, user_digest
from noria.core.errors import Conflict, InvalidInput
from noria.core.protocols import BlobStore, TraceStore
from noria.core.questions import Filter, Question
from noria.core.spans import Span
from noria.stores.catalogue import Catalogue

_ROUNDS = 3
"""A user who still calls writes new records meanwhile; after so many rounds the erasure says so."""


class Erasures:
    """Erases users, and keeps the receipts."""

    def __init__(self, catalogue: Catalogue, traces: TraceStore, blobs: BlobStore, collector: BlobCollector) -> None:
        self._catalogue = catalogue
        self._traces = traces
        self._blobs = blobs
        self._collector = collector

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
        tally = _Tally()
        for _ in range(_ROUNDS):
            found = await belongings(self._traces, user)
            await self._look(found, tally)
            if dry_run or found.nothing:
                break
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
        return Erasure(found=erased, receipt=await asyncio.to_thread(self._receipt, user, erased, by))

    def receipts(self) -> Sequence[Receipt]:
        """All receipts, newest first."""
        return self._catalogue.receipts.list()

    async def _look(self, found: Belongings, tally: _Tally) -> None:
        for question in found.questions():
            async for spans in pages(self._traces, question):
                tally.take(spans)
        await tally.count_scores(self._traces)

    async def _blobs_of(self, tally: _Tally) -> dict[str, int]:
        """Blobs among what the spans mention, with their sizes; others may mention them too."""
        if not tally.digests:
            return {}
        sizes = await asyncio.to_thread(self._blobs.sizes)
        return {digest: sizes[digest] for digest in tally.digests & sizes.keys()}

    def _receipt(self, user: str, erased: Erased, by: str) -> Receipt:
        salt = secrets.token_hex(16)
        made = self._catalogue.audit.list(1000, action="backup.begun")
        return self._catalogue.receipts.add(
            Receipt(
                id=f"erasure_{new_id()}",
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

    def take(self, spans: Iterable[Span]) -> None:
        for span in spans:
            key = (span.trace_id, span.span_id)
            if key not in self.spans:
                self.spans.add(key)
                self._fresh.add(key)
            if span.lineage.session_id is not None:
                self.sessions.add(span.lineage.session_id)
            self.digests |= digests([span])

    async def count_scores(self, store: TraceStore) -> None:
        """Count the scores on spans taken since the last count."""
        for some in batches(sorted({trace_id for trace_id, _ in self._fresh})):
            question = Question(
                source="scores", where=(Filter(column="trace_id", op="in", value=some),), columns=("trace_id", "span_id"),
                limit=None,
            )  # fmt: skip
            rows = (await store.query(question)).rows
            self.scores += sum(tuple(row) in self._fresh for row in rows)
        self._fresh.clear()

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
