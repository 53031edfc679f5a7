"""A backup back into a data folder that was not there before: whole, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import secrets
import shutil
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from noria.assemble.clock import now
from noria.assemble.record.spools import spool_as
from noria.core.backups import Manifest
from noria.core.decoding import UNREADABLE
from noria.core.errors import Conflict, InvalidInput
from noria.core.protocols import BlobStore
from noria.core.scores import Score
from noria.core.spans import Span
from noria.settings import Settings
from noria.stores.backup_file import BackupReader
from noria.stores.blobs import open_blobs
from noria.stores.catalogue import Catalogue
from noria.stores.disk import disk_errors, sync_folder, write_whole
from noria.stores.folder import DataFolder
from noria.stores.traces.duckdb import DuckDBTraces

_AT_ONCE = 2000
"""Records in one append."""
_AT_ONCE_BYTES = 32 << 20
"""Their JSON; a few more for the last of them."""
_LONGEST = 64 << 20
"""Bytes of a record's line. Some kilobytes of gzip can hold a line that no memory can."""

_KEPT = "Nothing was restored."

Progress = Callable[[str, int, int], None]
"""What is being done, how much of it, of how much."""
R = TypeVar("R", Span, Score)


def check_backup(path: Path, progress: Progress = lambda *_: None) -> Manifest:
    """Check every byte of a backup against its manifest.

    Raises:
        InvalidInput: it can't be trusted; the message says what is wrong.
    """
    with _opened(path, progress) as backup:
        return backup.manifest


async def restore(path: Path, settings: Settings, *, by: str, progress: Progress = lambda *_: None) -> Manifest:
    """Restore a backup into the settings' data folder, which must be empty or not there.

    Everything is checked first, then built in a folder beside, which becomes the data folder at the very end. What is
    interrupted leaves nothing. Where the settings place the catalogue or the blobs elsewhere, they are restored there.

    Raises:
        InvalidInput: the backup can't be trusted, or the settings keep traces elsewhere.
        Conflict: there is something in the folder, or in the database, already.
        StorageFull: no room; nothing was restored.
    """
    folder = settings.folder
    if settings.traces:
        raise InvalidInput(
            "The settings keep traces outside of the data folder, where a restore that fails could not be undone.",
            hint="Restore without `traces` (NORIA_TRACES), then copy them with `noria migrate-store`.",
        )
    _refuse_full(folder)
    backup = await asyncio.to_thread(_opened, path, progress)
    with backup, _private(), disk_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = folder.with_name(f".{folder.name}.restoring-{secrets.token_hex(6)}")
        try:
            with DataFolder.open(beside, holder="noria restore") as opened:
                await _records(backup, opened, settings, progress)
                blobs = open_blobs(settings.blobs or opened.blobs, cache=opened.path / "cache")
                await asyncio.to_thread(_blobs, backup, blobs, progress)
                if backup.manifest.key:
                    write_whole(opened.key_file, backup.file("admin.key").read() + b"\n", mode=0o600)
                # Last, because a database elsewhere can't be thrown away with the folder.
                await asyncio.to_thread(_catalogue, backup, settings.catalogue or opened.catalogue_url, by)
            if folder.exists():
                folder.rmdir()
            beside.rename(folder)
            sync_folder(folder.parent)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
    return backup.manifest


def _opened(path: Path, progress: Progress) -> BackupReader:
    with disk_errors(path):
        size = path.stat().st_size
    checked = 0

    def tell(count: int) -> None:
        nonlocal checked
        checked += count
        progress("checking", checked, size)

    return BackupReader.open(path, progress=tell)


def _refuse_full(folder: Path) -> None:
    with disk_errors(folder):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise Conflict(
                f"{folder} is not empty.", kept="Nothing was changed.", hint="Restore into a new folder: --data DIR."
            )


@contextlib.contextmanager
def _private() -> Any:
    """Files that are made meanwhile are the user's alone."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


async def _records(backup: BackupReader, folder: DataFolder, settings: Settings, progress: Progress) -> None:
    traces = await DuckDBTraces.open(folder.traces, folder.spool, open_spool=spool_as(settings))
    try:
        done, total = 0, backup.manifest.spans + backup.manifest.scores
        for name in backup.names("spans"):
            async for spans in _decoded(backup, name, Span):
                await traces.append(spans)
                done += len(spans)
                progress("restoring records", done, total)
        for name in backup.names("scores"):
            async for scores in _decoded(backup, name, Score):
                await traces.append(scores=scores)
                done += len(scores)
                progress("restoring records", done, total)
        await traces.latest_cursor()  # takes everything from the spool into the file
    finally:
        await traces.close()


async def _decoded(backup: BackupReader, name: str, kind: type[R]) -> AsyncIterator[list[R]]:
    batches = _batches(backup, name, kind)
    while batch := await asyncio.to_thread(next, batches, None):
        yield batch


def _batches(backup: BackupReader, name: str, kind: type[R]) -> Iterator[list[R]]:
    """The records of one file, some at a time."""
    decoder, batch, size = msgspec.json.Decoder(kind), list[R](), 0
    try:
        with backup.file(name) as packed, gzip.GzipFile(fileobj=packed) as lines:
            while line := lines.readline(_LONGEST + 1):
                if len(line) > _LONGEST:
                    raise InvalidInput(f"{name} of the backup has a line that no record has.", kept=_KEPT)
                batch.append(decoder.decode(line))
                size += len(line)
                if len(batch) == _AT_ONCE or size >= _AT_ONCE_BYTES:
                    yield batch
                    batch, size = [], 0
    except (*UNREADABLE, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InvalidInput(f"{name} of the backup can't be read: {error}.", kept=_KEPT) from error
    if batch:
        yield batch


def _blobs(backup: BackupReader, blobs: BlobStore, progress: Progress) -> None:
    names = backup.names("blobs")
    for done, name in enumerate(names, start=1):
        digest = name.rpartition("/")[2]
        if digest not in backup.manifest.damaged:
            with backup.file(name) as file:
                blobs.put(file, expect=digest)
        progress("restoring blobs", done, len(names))


def _catalogue(backup: BackupReader, url: str, by: str) -> None:
    tables = {
        name.rpartition("/")[2].removesuffix(".jsonl"): backup.file(name).read() for name in backup.names("catalogue")
    }
    Catalogue.load(url, backup.manifest.revision, tables, now=now, by=by, backup=backup.manifest.id)
