"""The record: questions over spans and scores, whole traces, and spans as they arrive."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter
from litestar.response import Stream
from msgspec.structs import replace

from noria.assemble import Workspace
from noria.assemble.record.traffic import Bucket, By, Traffic
from noria.core.cursors import cursor_behind, place_of
from noria.core.errors import UnknownName
from noria.core.questions import Filter, Question, Table
from noria.core.spans import Span, otel_attributes
from noria.serve.api.finding import provide_question
from noria.serve.api.paging import Limit
from noria.serve.api.spelt import SpeltOut
from noria.serve.api.tail import Tails, events
from noria.serve.shapes import OTelSpan, Trace

Cursor = Annotated[str | None, QueryParameter(description="Where an earlier answer ended: its cursor.")]
LastEventId = Annotated[
    str | None,
    HeaderParameter(name="Last-Event-ID", description="The id of the last event seen; without it, from now."),
]
_WHOLE = 32
"""Digits of a trace id."""


class TracesController(Controller):
    """``/api/traces``."""

    path = "/traces"
    tags = ("traces",)
    dependencies = {"question": Provide(provide_question)}

    @get()
    async def latest(
        self,
        request: Request[Any, Any, Any],
        workspace: NamedDependency[Workspace],
        question: NamedDependency[Question],
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response[list[Span]]:
        """Spans that match, newest first. The ``Link`` header leads to the next page (RFC 8288)."""
        asked = replace(question, limit=limit + 1, after=cursor)
        found = await workspace.traces.spans(asked)
        page = found[:limit]
        if len(found) == len(page):
            return SpeltOut(page)
        following = cursor_behind(asked, [place_of(span) for span in page])
        query = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
        link = f'<{request.url.path}?{urlencode([*query, ("cursor", following)])}>; rel="next"'
        return SpeltOut(page, headers={"link": link})

    @get("/tail", media_type="text/event-stream")
    async def tail(
        self,
        workspace: NamedDependency[Workspace],
        tails: NamedDependency[Tails],
        question: NamedDependency[Question],
        cursor: Cursor = None,
        last_event_id: LastEventId = None,
    ) -> Stream:
        """Spans that match as they arrive, as Server-Sent Events: ``span`` events, and ids to go on from after a break.

        Without a cursor or ``Last-Event-ID`` it begins with what arrives next. A reader that is too slow holds its own
        stream back and nothing else.
        """
        after = last_event_id or cursor or None
        if after is not None:
            await workspace.traces.arrivals(after, limit=1)  # a wrong cursor is refused before the stream begins
        batches = workspace.tail(question, after, closing=lambda: tails.closing)
        return Stream(tails.counted(events(batches)), media_type="text/event-stream")

    @get("/stats")
    async def stats(
        self,
        workspace: NamedDependency[Workspace],
        question: NamedDependency[Question],
        by: FromQuery[By] = "model",
        bucket: FromQuery[Bucket] = "hour",
        limit: Limit = 500,
    ) -> list[Traffic]:
        """Model calls that match, by time and model: error rate, percentiles, tokens, cost; the newest first."""
        return await workspace.traffic(question, by=by, bucket=bucket, limit=limit)

    @post("/query", status_code=200)
    async def query(self, workspace: NamedDependency[Workspace], data: JSONBody[Question]) -> Table:
        """Answer a question over spans or scores."""
        return await workspace.traces.query(data)

    @get("/{trace_id:str}")
    async def show(self, workspace: NamedDependency[Workspace], trace_id: FromPath[str]) -> Trace:
        """One trace, by id or the beginning of it."""
        return await _found(workspace, trace_id)

    @get("/{trace_id:str}/otel")
    async def show_as_otel(self, workspace: NamedDependency[Workspace], trace_id: FromPath[str]) -> list[OTelSpan]:
        """A trace's spans in OpenTelemetry's GenAI terms."""
        return [
            OTelSpan(
                trace_id=span.trace_id,
                span_id=span.span_id,
                parent_span_id=span.parent_id,
                name=span.name,
                start_time_unix_nano=span.start_ns,
                end_time_unix_nano=span.end_ns,
                attributes=otel_attributes(span),
            )
            for span in (await _found(workspace, trace_id)).spans
        ]


async def _found(workspace: Workspace, beginning: str) -> Trace:
    """The one trace whose id begins so. A whole id is taken at its word: a store finds one trace without a look at all."""
    beginning = beginning.lower()
    if len(beginning) == _WHOLE:
        spans, scores = await workspace.traces.trace(beginning)
        if spans:
            return Trace(trace_id=beginning, spans=tuple(spans), scores=tuple(scores))
    found = await _whole_id(workspace, beginning)
    spans, scores = await workspace.traces.trace(found)
    return Trace(trace_id=found, spans=tuple(spans), scores=tuple(scores))


async def _whole_id(workspace: Workspace, beginning: str) -> str:
    last = beginning + "\U0010ffff"
    where = (Filter(column="trace_id", op=">=", value=beginning), Filter(column="trace_id", op="<", value=last))
    table = await workspace.traces.query(Question(where=where, group_by=("trace_id",), limit=2))
    found = [row["trace_id"] for row in table.records()]
    if not found:
        raise UnknownName(f"There is no trace {beginning!r}.")
    if len(found) > 1:
        raise UnknownName(f"Several traces begin with {beginning!r}.", hint="Write more of the id.")
    return str(found[0])
