"""A worker's workspace: it answers the gateway's calls on a data folder that another process holds.

It reads the catalogue, counts in its limits and keeps its own records, each durable before its call ends. What else is
asked for is the holder's: questions to the record, engines, and everything that changes something.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

from noria.assemble.clock import now
from noria.assemble.gateway.sum import stood
from noria.assemble.opened import KeptTraces, Numbers, Opened, open_clickhouse
from noria.assemble.record.spools import spool_as
from noria.assemble.workers.holding import Holding, hearing_changes
from noria.assemble.workers.link import LentEngines, Link
from noria.assemble.workers.told import Told
from noria.assemble.workspace import Workspace
from noria.core.errors import InvalidInput, NoriaError, Unavailable
from noria.core.questions import Arrivals, Question, Table
from noria.core.scores import Score
from noria.core.spans import Span
from noria.settings import Secret, Settings
from noria.stores.blobs import open_blobs
from noria.stores.catalogue import Catalogue
from noria.stores.folder import FolderPaths, stored_key
from noria.stores.segments import Position
from noria.stores.traces.rows import pack
from noria.stores.worker_spool import WorkerSpool
from noria.targets.egress import Egress

TELL_S = 1.0
"""How often a worker tells what it has counted."""


class WorkerTraces:
    """A worker's part of the trace store: it appends, and asks the holder, who has everything.

    Arguments:
        spool: this process's.
        link: the way to the holder.
    """

    def __init__(self, spool: WorkerSpool, link: Link) -> None:
        self._spool = spool.spool
        self._link = link

    async def append(self, spans: Sequence[Span] = (), scores: Sequence[Score] = ()) -> None:
        """See :class:`~noria.stores.traces.duckdb.DuckDBTraces`."""
        if spans or scores:
            await asyncio.shield(self.begin(spans, scores))

    def begin(self, spans: Sequence[Span] = (), scores: Sequence[Score] = ()) -> asyncio.Future[Position]:
        """The same without waiting."""
        return self._spool.begin(pack(spans, scores))

    def check_room(self) -> None:
        """Raise ``StorageFull`` while the disk has no room for records."""
        self._spool.check_room()

    async def spans(self, question: Question) -> list[Span]:
        """Whole spans that match, those that any worker was told are durable among them."""
        return await self._link.ask("spans", question, list[Span])

    async def query(self, question: Question) -> Table:
        """Not a worker's."""
        raise _not_here(question)

    async def scores(self, question: Question) -> list[Score]:
        """Not a worker's."""
        raise _not_here(question)

    async def trace(self, trace_id: str) -> tuple[list[Span], list[Score]]:
        """Not a worker's."""
        raise _not_here(trace_id)

    async def arrivals(self, after: str | None = None, *, limit: int = 1000) -> Arrivals:
        """Not a worker's."""
        raise _not_here((after, limit))

    async def latest_cursor(self) -> str:
        """Not a worker's."""
        raise _not_here(None)

    async def delete(self, question: Question) -> int:
        """Not a worker's."""
        raise _not_here(question)

    async def strip(self, question: Question) -> int:
        """Not a worker's."""
        raise _not_here(question)


@contextlib.asynccontextmanager
async def open_worker_workspace(
    settings: Settings,
    environ: Mapping[str, str],
    holding: Holding,
    *,
    read_again: Callable[[], Settings] | None = None,
) -> AsyncIterator[tuple[Workspace, Link]]:
    """The workspace of a worker, with its way to the holder.

    Raises:
        InvalidInput: there is no key, or the traces are in a database that one process alone can have.
        StorageFull: its spool can't be made.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(os.umask, os.umask(0o077))
        paths = _paths(settings)
        key = environ.get("NORIA_API_KEY", "").strip() or stored_key(paths.path)
        if not key:
            raise InvalidInput(f"There is no key in {paths.path}.", hint="It is made by whoever holds the folder.")
        link = Link(Path(holding.socket), Secret(key))
        stack.push_async_callback(link.close)
        name = f"worker-{holding.worker}-{time.time_ns()}"
        opened = await stack.enter_async_context(
            _opened(settings, environ, paths, link=link, key=Secret(key), name=name)
        )
        stack.enter_context(hearing_changes(opened.catalogue, Path(holding.page)))
        egress = await stack.enter_async_context(contextlib.aclosing(Egress()))
        engines = LentEngines(link)
        workspace = Workspace(settings, environ, opened, egress=egress, read_again=read_again, engines=engines)
        stack.push_async_callback(workspace.close)
        workspace.keyring.start()
        async with _telling(workspace, link, holding.worker, name):
            yield workspace, link


def _paths(settings: Settings) -> FolderPaths:
    return FolderPaths(Path(settings.folder).expanduser().absolute())


@contextlib.asynccontextmanager
async def _opened(
    settings: Settings, environ: Mapping[str, str], paths: FolderPaths, *, link: Link, key: Secret, name: str
) -> AsyncIterator[Opened]:
    async with contextlib.AsyncExitStack() as stack:
        catalogue = Catalogue.open(settings.catalogue or paths.catalogue_url, now=now)
        stack.callback(catalogue.close)
        traces: KeptTraces
        numbers: Numbers
        if settings.traces:
            traces, numbers = await stack.enter_async_context(open_clickhouse(settings.traces, environ))
        else:
            spool = WorkerSpool.open(paths.spool, name, spool_as(settings))
            stack.push_async_callback(spool.close)
            traces, numbers = (
                WorkerTraces(spool, link),
                lambda: {"noria_spool_turned_away_total": spool.spool.turned_away},
            )
        yield Opened(
            key=key,
            key_given=True,
            catalogue=catalogue,
            traces=traces,
            numbers=numbers,
            blobs=open_blobs(settings.blobs or paths.blobs, cache=paths.path / "cache"),
            replies=paths.replies_url,
            replies_alone=False,
            logs=paths.logs,
            announce=lambda _url: None,
            place=str(settings.folder),
            shared=False,
        )


@contextlib.asynccontextmanager
async def _telling(workspace: Workspace, link: Link, worker: int, process: str) -> AsyncIterator[None]:
    """Tell what was counted, every second and at the end."""

    async def tell() -> None:
        calling = workspace.calling
        told = Told(
            worker=worker,
            process=process,
            numbers=dict(workspace.numbers()),
            calls=calling.metrics.counted(),
            stood=stood(calling.answers.standing, calling.slots),
        )
        with contextlib.suppress(NoriaError):  # the next one says it all
            await link.ask("told", told, bool)

    async def go_on() -> None:
        while True:
            await tell()
            await asyncio.sleep(TELL_S)

    task = asyncio.create_task(go_on(), name="noria-worker-tells")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await tell()


def _not_here(_asked: object) -> Unavailable:
    return Unavailable("A worker answers calls alone; the process that holds the data folder has the record.")
