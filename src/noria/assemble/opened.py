"""What a workspace works on, opened: in a data folder that this process holds, or shared by several that hold nothing."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol

from noria.assemble.clock import now
from noria.assemble.record.spools import spool_as
from noria.core.errors import InvalidInput
from noria.core.protocols import BlobStore, TraceStore
from noria.settings import Secret, Settings
from noria.stores.blobs import open_blobs
from noria.stores.catalogue import Catalogue
from noria.stores.folder import DataFolder
from noria.stores.own_folder import own_folder
from noria.stores.traces.clickhouse.address import is_address
from noria.stores.traces.clickhouse.store import ClickHouseTraces
from noria.stores.traces.duckdb import DuckDBTraces

Numbers = Callable[[], Mapping[str, float]]


class KeptTraces(TraceStore, Protocol):
    """A trace store that says beforehand when it has no room."""

    def check_room(self) -> None:
        """Raise ``StorageFull`` or ``Unavailable`` while it takes no records."""
        ...


class Opened(NamedTuple):
    """Everything open, in its place."""

    key: Secret
    """The admin key."""
    key_given: bool
    """Whether it came from the environment."""
    catalogue: Catalogue
    traces: KeptTraces
    numbers: Numbers
    """What ``/metrics`` shows of the traces."""
    blobs: BlobStore
    replies: str
    """Database URL of kept replies."""
    replies_alone: bool
    """Whether no other process answers calls from them."""
    logs: Path
    """Folder of the engines' logs."""
    announce: Callable[[str], None]
    """Tells other programs of this machine where the server answers."""
    place: str
    """Where all this is, for people."""
    shared: bool
    """Whether other processes work on it at the same time."""


@contextlib.asynccontextmanager
async def open_folder(settings: Settings, environ: Mapping[str, str], *, holder: str) -> AsyncIterator[Opened]:
    """Hold the data folder; what the settings place elsewhere is opened there.

    Raises:
        Conflict: another process holds the folder.
        InvalidInput: it is of a newer version, or can't be used.
        Unavailable: a database does not answer.
    """
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(DataFolder.open(settings.folder, holder=holder))
        catalogue = Catalogue.open(settings.catalogue or folder.catalogue_url, now=now)
        stack.callback(catalogue.close)
        catalogue.limits.forget_leases()
        blobs = open_blobs(settings.blobs or folder.blobs, cache=folder.path / "cache")
        if settings.traces:
            traces, numbers = await stack.enter_async_context(open_clickhouse(settings.traces, environ))
        else:
            traces, numbers = await stack.enter_async_context(_duckdb(settings, folder))
        yield Opened(
            key=Secret(folder.admin_key(environ.get("NORIA_API_KEY"))),
            key_given=bool(environ.get("NORIA_API_KEY", "").strip()),
            catalogue=catalogue,
            traces=traces,
            numbers=numbers,
            blobs=blobs,
            replies=folder.replies_url,
            replies_alone=True,
            logs=folder.logs,
            announce=folder.set_url,
            place=str(settings.folder),
            shared=False,
        )


@contextlib.asynccontextmanager
async def open_shared(settings: Settings, environ: Mapping[str, str]) -> AsyncIterator[Opened]:
    """Open what several processes share. This one keeps nothing: what it needs on disk meanwhile goes with it.

    Raises:
        InvalidInput: something is not shared, or there is no key.
        Unavailable: a database or the blob store does not answer.
    """
    key = check_shared(settings, environ)
    async with contextlib.AsyncExitStack() as stack:
        folder, _ = stack.enter_context(own_folder("serve"))
        (folder / "logs").mkdir()
        catalogue = Catalogue.open(settings.catalogue, now=now)
        stack.callback(catalogue.close)
        blobs = open_blobs(settings.blobs, cache=folder / "cache")
        traces, numbers = await stack.enter_async_context(open_clickhouse(settings.traces, environ))
        yield Opened(
            key=key,
            key_given=True,
            catalogue=catalogue,
            traces=traces,
            numbers=numbers,
            blobs=blobs,
            replies=settings.catalogue,
            replies_alone=False,
            logs=folder / "logs",
            announce=lambda _url: None,
            place="shared stores",
            shared=True,
        )


def is_shared(catalogue: str) -> bool:
    """Whether a catalogue is a database that other processes may work on at the same time."""
    return catalogue.startswith(("postgresql:", "postgresql+psycopg:", "postgres:"))


def check_shared(settings: Settings, environ: Mapping[str, str]) -> Secret:
    """Refuse settings under which two processes would not see the same. The admin key.

    Raises:
        InvalidInput: naming each setting that is missing, and what it must be.
    """
    missing = []
    if not is_shared(settings.catalogue):
        missing.append("catalogue (NORIA_CATALOGUE) must be a PostgreSQL database, postgresql://USER@HOST/DATABASE")
    if not is_address(settings.traces) or settings.traces.startswith("chdb:"):
        missing.append("traces (NORIA_TRACES) must be a ClickHouse server, clickhouse://USER@HOST:8123/DATABASE")
    scheme, colon, _ = settings.blobs.partition("://")
    if not colon or scheme in {"file", "local", "memory"}:
        missing.append("blobs (NORIA_BLOBS) must be an object store, s3://BUCKET/PREFIX")
    if missing:
        raise InvalidInput(
            f"noria serve keeps nothing itself, so everything must be shared: {'; '.join(missing)}.",
            kept="Nothing was started.",
            hint="Set them (docs/scale.md), or keep everything in a folder of this machine with `noria up`, which takes "
            "--workers, too.",
        )
    key = environ.get("NORIA_API_KEY", "").strip()
    if not key:
        raise InvalidInput(
            "noria serve needs the admin key in NORIA_API_KEY, the same for all processes.",
            kept="Nothing was started.",
            hint="""Make one: python -c "import secrets; print('noria_' + secrets.token_urlsafe(32))\".""",
        )
    return Secret(key)


@contextlib.asynccontextmanager
async def _duckdb(settings: Settings, folder: DataFolder) -> AsyncIterator[tuple[KeptTraces, Numbers]]:
    traces = await DuckDBTraces.open(folder.traces, folder.spool, open_spool=spool_as(settings))

    def numbers() -> Mapping[str, float]:
        stats = traces.stats()
        return {
            "noria_records_appended_total": stats.appended,
            "noria_records_drained_total": stats.drained,
            "noria_records_recovered_total": stats.recovered,
            "noria_records_refused_total": stats.refused,
            "noria_records_pending": stats.pending,
            "noria_spool_pending_bytes": stats.pending_bytes,
            "noria_spool_cut_bytes_total": stats.cut_bytes,
            "noria_spool_turned_away_total": stats.turned_away,
            "noria_spool_damaged_bytes_total": stats.damaged_bytes,
        }

    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(traces.close)
        yield traces, numbers


@contextlib.asynccontextmanager
async def open_clickhouse(url: str, environ: Mapping[str, str]) -> AsyncIterator[tuple[KeptTraces, Numbers]]:
    """Open traces in ClickHouse. Raises ``InvalidInput`` and ``Unavailable``."""
    traces = await ClickHouseTraces.open(url, password=environ.get("NORIA_CLICKHOUSE_PASSWORD", ""))

    def numbers() -> Mapping[str, float]:
        stats = traces.stats()
        return {
            "noria_records_appended_total": stats.appended,
            "noria_records_pending": stats.pending,
            "noria_clickhouse_inserts_total": stats.inserts,
            "noria_clickhouse_repeated_inserts_total": stats.repeated,
        }

    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(traces.close)
        yield traces, numbers
