"""A backup while everything runs: the record, the catalogue and the blobs as one stream of bytes.

Spans go first, then scores, the catalogue, the blobs: whatever a record names was there before it, so it is in the
backup too.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable

import msgspec

from noria.assemble.identifiers import new_id
from noria.core.backups import FORMAT, Manifest
from noria.core.cursors import cursor_behind, place_of
from noria.core.errors import UnknownName
from noria.core.protocols import BlobStore, Clock, TraceStore
from noria.core.questions import Aggregate, Order, Question
from noria.core.scores import Score
from noria.core.spans import Span
from noria.settings import Secret
from noria.stores.backup_file import BackupWriter
from noria.stores.catalogue import Catalogue

_PAGE = 2000
"""Records read at a time."""
_TAIL = 20_000
"""Records read at once at the end: more than can come meanwhile, so that there is an end also while more arrives."""
_FILE_BYTES = 16 << 20
"""JSON in one file of a backup, before it is compressed."""


class Backups:
    """Makes backups of a workspace."""

    def __init__(
        self,
        catalogue: Catalogue,
        traces: TraceStore,
        blobs: BlobStore,
        *,
        now: Clock,
        version: str,
        key: Callable[[], Secret],
    ) -> None:
        self._catalogue = catalogue
        self._traces = traces
        self._blobs = blobs
        self._now = now
        self._version = version
        self._key = key

    async def stream(self, name: str, *, by: str, weights: bool = True, key: bool = False) -> AsyncIterator[bytes]:
        """The bytes of a backup. Everything acknowledged before the first of them is in it.

        It is read as fast as the reader takes it. One that ends without its last file, the manifest, is none.

        Arguments:
            name: how the backup is called in the audit log and in receipts of erasures.
            by: who makes it.
            weights: whether weights of local models are put in.
            key: whether the admin key is put in.
        """
        id, created_ns = f"backup_{new_id()}", self._now()
        # An erasure from now on names this backup, whether it is ever completed or not.
        await self._tell("backup.begun", name, by, backup=id, weights=weights, key=key)
        writer = BackupWriter(created_ns / 1e9)
        manifest = Manifest(
            format=FORMAT, id=id, noria=self._version, created_ns=created_ns, weights=weights, key=key,
            revision=self._catalogue.schema_version,
        )  # fmt: skip
        files = _Files(writer)
        async for spans in self._spans():
            for piece in await asyncio.to_thread(files.add, "spans", spans):
                yield piece
        yield await asyncio.to_thread(files.finish, "spans")
        async for scores in self._scores():
            for piece in await asyncio.to_thread(files.add, "scores", scores):
                yield piece
        yield await asyncio.to_thread(files.finish, "scores")
        tables = await asyncio.to_thread(self._catalogue.dump)
        for table, rows in tables.items():
            yield writer.whole(f"catalogue/{table}.jsonl", rows)
        damaged: list[str] = []
        async for piece in self._blob_files(writer, damaged, weights=weights):
            yield piece
        if key:
            yield writer.whole("admin.key", self._key().reveal().encode())
        yield writer.end(
            msgspec.structs.replace(
                manifest,
                spans=files.counts["spans"],
                scores=files.counts["scores"],
                blobs=sum(name.startswith("blobs/") for name in writer.files) - len(damaged),
                audit_head=_head_of(tables["audit_log"]),
                damaged=tuple(damaged),
            )
        )
        await self._tell("backup.made", name, by, backup=id, spans=files.counts["spans"])

    async def _spans(self) -> AsyncIterator[tuple[Span, ...]]:
        """Everything that has arrived. What is sent again meanwhile moves behind the cursor, and is met there."""
        count = (await self._traces.query(Question(measures=(Aggregate(measure="count"),)))).rows[0][0]
        cursor, seen = None, 0
        while True:
            limit = _PAGE if seen < count else _TAIL
            found = await self._traces.arrivals(cursor, limit=limit)
            if found.spans:
                yield found.spans
            if len(found.spans) < limit:
                return
            cursor, seen = found.cursor, seen + limit

    async def _scores(self) -> AsyncIterator[list[Score]]:
        """All scores: those of before this moment, and then what has come since or is dated ahead."""
        moment, order = self._now(), (Order(column="time_ns"),)
        for asked in (
            Question(source="scores", until_ns=moment, order=order, limit=_PAGE),
            Question(source="scores", since_ns=moment, order=order, limit=_TAIL),
        ):
            page = asked
            while True:
                found = await self._traces.scores(page)
                if found:
                    yield found
                if len(found) < (page.limit or 0):
                    break
                page = msgspec.structs.replace(page, after=cursor_behind(page, [place_of(score) for score in found]))

    async def _blob_files(self, writer: BackupWriter, damaged: list[str], *, weights: bool) -> AsyncIterator[bytes]:
        sizes = await asyncio.to_thread(self._blobs.sizes)
        models = await asyncio.to_thread(self._catalogue.models.list)
        left_out = set() if weights else {model.sha256 for model in models}
        for digest in sorted(sizes.keys() - left_out):
            try:
                file = await asyncio.to_thread(self._blobs.open, digest)
            except UnknownName:  # deleted meanwhile
                continue
            with file:
                pieces = writer.pieces(f"blobs/{digest}", sizes[digest], file.read)
                while piece := await asyncio.to_thread(next, pieces, b""):
                    yield piece
            if writer.files[f"blobs/{digest}"].sha256 != digest:
                damaged.append(digest)

    async def _tell(self, action: str, name: str, by: str, **details: object) -> None:
        await asyncio.to_thread(self._catalogue.audit.add, action, name, by=by, **details)


class _Files:
    """Records gathered to files of some size."""

    def __init__(self, writer: BackupWriter) -> None:
        self._writer = writer
        self._lines = bytearray()
        self._number = 0
        self.counts = {"spans": 0, "scores": 0}
        """Records so far."""

    def add(self, folder: str, records: tuple[Span, ...] | list[Score]) -> list[bytes]:
        """Take records; the files that are full."""
        self._lines += msgspec.json.Encoder().encode_lines(records)
        self.counts[folder] += len(records)
        return [self.finish(folder, last=False)] if len(self._lines) >= _FILE_BYTES else []

    def finish(self, folder: str, *, last: bool = True) -> bytes:
        """The file of what was gathered; nothing where that is nothing."""
        content, self._lines = bytes(self._lines), bytearray()
        self._number += 1
        name = f"{folder}/{self._number:06}.jsonl.gz"
        self._number = 0 if last else self._number
        return self._writer.whole(name, gzip.compress(content, compresslevel=1, mtime=0)) if content else b""


def _head_of(rows: bytes) -> str:
    """Hash of the last row of the audit log."""
    last = rows.rstrip(b"\n").rpartition(b"\n")[2]
    return str(msgspec.json.decode(last)["hash"]) if last else ""
