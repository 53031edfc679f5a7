"""The record: questions over spans and scores, and whole traces."""

from __future__ import annotations

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from noria.assemble import Workspace
from noria.core.errors import UnknownName
from noria.core.questions import Filter, Order, Question, Table
from noria.core.spans import Span, otel_attributes
from noria.serve.api.paging import Limit
from noria.serve.shapes import OTelSpan, Trace


class TracesController(Controller):
    """``/api/traces``."""

    path = "/traces"
    tags = ("traces",)

    @get()
    async def latest(
        self, workspace: NamedDependency[Workspace], limit: Limit = 50, app: FromQuery[str | None] = None
    ) -> list[Span]:
        """The latest spans, newest first."""
        where = (Filter(column="app", value=app),) if app else ()
        order = (Order(column="start_ns", descending=True),)
        return await workspace.traces.spans(Question(where=where, order=order, limit=limit))

    @post("/query", status_code=200)
    async def query(self, workspace: NamedDependency[Workspace], data: JSONBody[Question]) -> Table:
        """Answer a question over spans or scores."""
        return await workspace.traces.query(data)

    @get("/{trace_id:str}")
    async def show(self, workspace: NamedDependency[Workspace], trace_id: FromPath[str]) -> Trace:
        """One trace, by id or the beginning of it."""
        found = await _whole_id(workspace, trace_id)
        spans, scores = await workspace.traces.trace(found)
        return Trace(trace_id=found, spans=tuple(spans), scores=tuple(scores))

    @get("/{trace_id:str}/otel")
    async def show_as_otel(self, workspace: NamedDependency[Workspace], trace_id: FromPath[str]) -> list[OTelSpan]:
        """A trace's spans in OpenTelemetry's GenAI terms."""
        spans, _ = await workspace.traces.trace(await _whole_id(workspace, trace_id))
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
            for span in spans
        ]


async def _whole_id(workspace: Workspace, beginning: str) -> str:
    """The one trace id that begins so."""
    beginning = beginning.lower()
    last = beginning + "\U0010ffff"
    where = (Filter(column="trace_id", op=">=", value=beginning), Filter(column="trace_id", op="<", value=last))
    table = await workspace.traces.query(Question(where=where, group_by=("trace_id",), limit=2))
    found = [row["trace_id"] for row in table.records()]
    if not found:
        raise UnknownName(f"There is no trace {beginning!r}.")
    if len(found) > 1:
        raise UnknownName(f"Several traces begin with {beginning!r}.", hint="Write more of the id.")
    return str(found[0])
