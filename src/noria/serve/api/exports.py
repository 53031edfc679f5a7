"""The record out and in: a stream for programs, pages for those who want to go on later, batches to take in."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, JSONBody, QueryParameter
from litestar.response import Stream

from noria.assemble import Workspace
from noria.assemble.record.exchange import Records, Selection, Taken
from noria.serve.shapes import PutRecords, RecordsPage

Since = Annotated[
    int | None,
    QueryParameter(ge=0, le=2**63 - 1, description="Spans that started then or later, nanoseconds since 1970 UTC."),
]
Until = Annotated[
    int | None, QueryParameter(ge=0, le=2**63 - 1, description="Spans that started before, nanoseconds since 1970 UTC.")
]
WithBlobs = Annotated[bool, QueryParameter(description="Put large contents from the blob store back in their places.")]
PageSize = Annotated[int, QueryParameter(ge=1, le=5_000, description="Most spans.")]


class ExportsController(Controller):
    """``/api/traces/export`` and ``/api/traces/import``."""

    path = "/traces"
    tags = ("traces",)

    @get("/export", media_type="application/x-ndjson")
    async def export(
        self,
        workspace: NamedDependency[Workspace],
        app: FromQuery[str | None] = None,
        since_ns: Since = None,
        until_ns: Until = None,
        with_blobs: WithBlobs = False,
    ) -> Stream:
        """All spans, or some, as JSON lines: one a span, with its scores. It is read as fast as the reader takes it."""
        selection = Selection(app=app, since_ns=since_ns, until_ns=until_ns)
        return Stream(workspace.exchange.lines(selection, with_blobs=with_blobs), media_type="application/x-ndjson")

    @get("/export/page")
    async def page(
        self,
        workspace: NamedDependency[Workspace],
        *,
        app: FromQuery[str | None] = None,
        since_ns: Since = None,
        until_ns: Until = None,
        after: FromQuery[str | None] = None,
        limit: PageSize = 500,
        with_blobs: WithBlobs = False,
    ) -> RecordsPage:
        """The next spans of an export, with their scores and a cursor to go on from, today or later."""
        selection = Selection(app=app, since_ns=since_ns, until_ns=until_ns)
        found = await workspace.exchange.page(selection, after, limit=limit, with_blobs=with_blobs)
        return RecordsPage(spans=found.records.spans, scores=found.records.scores, cursor=found.cursor, more=found.more)

    @post("/import", status_code=200)
    async def take(self, workspace: NamedDependency[Workspace], data: JSONBody[PutRecords]) -> Taken:
        """Store spans and scores from elsewhere. The same ones again change nothing."""
        return await workspace.exchange.take(Records(data.spans, data.scores))
