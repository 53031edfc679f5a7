"""Moving traces from one store to another: what is opened, where the place is kept, what is refused."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from noria.assemble.record.spools import spool_as
from noria.core.errors import Conflict, InvalidInput
from noria.core.protocols import TraceStore
from noria.core.questions import Aggregate, Question
from noria.core.struct import Noun
from noria.settings import Settings
from noria.stores.disk import disk_errors, write_whole
from noria.stores.folder import DataFolder
from noria.stores.traces.clickhouse.address import address, is_address
from noria.stores.traces.clickhouse.store import ClickHouseTraces
from noria.stores.traces.copying import Days, Progress, copy, days, differing
from noria.stores.traces.duckdb import DuckDBTraces

Tell = Callable[[Literal["copying", "checking source", "checking target"], int, int], None]
"""Hears what is done, how many records of it, and of how many."""


class Moved(Noun):
    """A finished move."""

    source: str
    """Where the records came from."""
    target: str
    """Where they are now, too: nothing was taken away."""
    spans: int
    """Spans that both hold."""
    scores: int
    """Scores that both hold."""
    days: Days
    """By UTC day: counts and checksums, the same in both."""


class _Kept(Noun):
    """What is kept of a move under way."""

    source: str
    target: str
    progress: Progress


async def move(source: str, target: str, settings: Settings, environ: Mapping[str, str], tell: Tell) -> Moved:
    """Copy every span and score, and compare. It can be stopped anywhere and begun again: it goes on where it was.

    Arguments:
        source: a data folder, or a URL of a ClickHouse store. Nothing may write to it meanwhile.
        target: the same.
        settings: how spools are opened.
        environ: where ``NORIA_CLICKHOUSE_PASSWORD`` is.
        tell: hears how far it is.

    Raises:
        Conflict: the target holds records that this move did not put there; a server holds a data folder.
        InvalidInput: a place is none, or after the copy the two do not hold the same.
        Unavailable, StorageFull: a store does not answer, or is full; run again.
    """
    if _name(source) == _name(target):
        raise InvalidInput("Source and target are the same store.")
    async with (
        _opened(source, settings, environ, make=False) as old,
        _opened(target, settings, environ, make=True) as new,
    ):
        note = _note(source, target, settings)
        at = await _begin(note, source, target, new)
        total = await _count(old, "spans") + await _count(old, "scores")

        def keep(progress: Progress) -> None:
            _write(note, _Kept(source=_name(source), target=_name(target), progress=progress))
            tell("copying", progress.spans + progress.scores, total)

        if not at.copied:
            at = await copy(old, new, at, keep)
        before = await days(old, lambda read: tell("checking source", read, total))
        after = await days(new, lambda read: tell("checking target", read, total))
    if wrong := differing(before, after):
        raise InvalidInput(
            f"The two do not hold the same on {len(wrong)} days: {', '.join(wrong[:5])}{' ...' if wrong[5:] else ''}.",
            kept="The source is unchanged.",
            hint="Was one of them written to meanwhile? Empty the target and begin again.",
        )
    return Moved(
        source=_name(source),
        target=_name(target),
        spans=sum(day.spans for day in before.values()),
        scores=sum(day.scores for day in before.values()),
        days=before,
    )


@contextlib.asynccontextmanager
async def _opened(
    place: str, settings: Settings, environ: Mapping[str, str], *, make: bool
) -> AsyncIterator[TraceStore]:
    async with contextlib.AsyncExitStack() as stack:
        if is_address(place):
            shared = await ClickHouseTraces.open(place, password=environ.get("NORIA_CLICKHOUSE_PASSWORD", ""))
            stack.push_async_callback(shared.close)
            yield shared
            return
        path = _folder(place, make=make)
        folder = stack.enter_context(DataFolder.open(path, holder="noria migrate-store"))
        embedded = await DuckDBTraces.open(folder.traces, folder.spool, open_spool=spool_as(settings))
        stack.push_async_callback(embedded.close)
        yield embedded


def _folder(place: str, *, make: bool) -> Path:
    path = Path(place).expanduser().absolute()
    if not make and not (path / "traces.duckdb").exists():
        raise InvalidInput(f"There are no traces in {path}.", hint="Name the data folder that they are in.")
    return path


async def _begin(note: Path, source: str, target: str, new: TraceStore) -> Progress:
    """Where an earlier run of the same move was, else the beginning of one into an empty store."""
    kept = _read(note)
    if kept is not None:
        return kept.progress
    there = await _count(new, "spans") + await _count(new, "scores")
    if there:
        raise Conflict(
            f"The store {_name(target)} holds {there:,} records already that a move from {_name(source)} did not put there.",
            kept="Nothing was copied.",
            hint="Move into an empty database or folder; what another source began, go on with from there.",
        )
    return Progress()


async def _count(store: TraceStore, source: Literal["spans", "scores"]) -> int:
    table = await store.query(Question(source=source, measures=(Aggregate(measure="count"),)))
    return int(table.rows[0][0])


def _note(source: str, target: str, settings: Settings) -> Path:
    """Where the place of this move is kept: in the data folder that takes part, else in the one of the settings."""
    folders = [place for place in (source, target) if not is_address(place)]
    folder = Path(folders[0]).expanduser().absolute() if folders else settings.folder
    move = hashlib.sha256(f"{_name(source)}\0{_name(target)}".encode()).hexdigest()[:16]
    return folder / f"move-{move}.json"


def _read(note: Path) -> _Kept | None:
    with disk_errors(note):
        return msgspec.json.decode(note.read_bytes(), type=_Kept) if note.exists() else None


def _write(note: Path, kept: _Kept) -> None:
    with disk_errors(note):
        note.parent.mkdir(parents=True, exist_ok=True)
        write_whole(note, msgspec.json.encode(kept))


def _name(place: str) -> str:
    """A place without its password, the same however it was written."""
    if is_address(place):
        found = address(place)
        return f"{found}?database={found.database}" if found.folder else str(found)
    if "://" in place:
        raise InvalidInput(
            f"Traces can't live at {place.partition('://')[0]}://.", hint="Name a folder or clickhouse://."
        )
    return str(Path(place).expanduser().absolute())
