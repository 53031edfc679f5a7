"""MLflow's traces: ``Trace.to_json()``, and the data frame of ``mlflow.search_traces()``.

Each is ``{"info": ..., "data": {"spans": [...]}}``; the data frame holds it as text in its column ``trace``. Spans of
MLflow 3 are OpenTelemetry's with ids in base64, those of MLflow 2 have a ``context``. Feedback becomes scores; an
expectation is no judgement and stays an attribute of the root.
"""

from __future__ import annotations

from typing import Any

import msgspec

from noria.bridges.files.foreign import (
    Price,
    hex_id,
    listed,
    mapping,
    nanoseconds,
    raw_span,
    score_value,
    span_from,
    text,
    without_nothing,
)
from noria.bridges.files.records import Records
from noria.bridges.otlp.raw import RawEvent
from noria.core.errors import InvalidInput
from noria.core.scores import Score, Source
from noria.core.spans import Span

_SOURCES: dict[str, Source] = {"HUMAN": "human", "LLM_JUDGE": "model", "AI_JUDGE": "model", "CODE": "code"}
_ON_EVERY_SPAN = ("mlflow.trace.session", "mlflow.trace.user")


class MlflowTraces:
    """See the module.

    Arguments:
        price: what a call costs, where MLflow did not say so.
    """

    name = "mlflow"

    def __init__(self, price: Price) -> None:
        self._price = price

    def knows(self, values: Any) -> bool:
        """Whether it is a trace with its spans, or a row of the data frame."""
        return isinstance(values, dict) and _trace(values) is not None

    def survey(self, values: Any) -> None:
        """Each trace stands for itself."""

    def records(self, values: Any) -> Records:
        """All spans of a trace, and the feedback on them."""
        trace = _trace(values) if isinstance(values, dict) else None
        if trace is None:
            raise InvalidInput("it is no trace with spans.")
        info = mapping(trace["info"])
        metadata = mapping(info.get("trace_metadata") or info.get("request_metadata"))
        shared = {name: metadata[name] for name in _ON_EVERY_SPAN if isinstance(metadata.get(name), str)}
        spans = tuple(self._span(one, shared) for one in listed(mapping(trace["data"]).get("spans")))
        if not spans:
            return Records()
        judged = [one for one in listed(info.get("assessments")) if isinstance(one, dict)]
        roots = [span for span in spans if span.parent_id is None] or [spans[0]]
        told = _told(info, judged)
        spans = tuple(_with(span, told) if span is roots[0] else span for span in spans)
        return Records(spans, tuple(score for one in judged for score in _scores(one, roots[0])))

    def _span(self, one: Any, shared: dict[str, Any]) -> Span:
        if not isinstance(one, dict):
            raise InvalidInput("one of its spans is no object.")
        context = mapping(one.get("context"))
        parent = one.get("parent_span_id") or one.get("parent_id")
        start = nanoseconds("start_time", one.get("start_time_unix_nano", one.get("start_time")))
        status = mapping(one.get("status"))
        code = str(status.get("code") or one.get("status_code"))
        raw = raw_span(
            trace_id=hex_id("trace_id", one.get("trace_id") or context.get("trace_id"), 32),
            span_id=hex_id("span_id", one.get("span_id") or context.get("span_id"), 16),
            parent_id=hex_id("parent_id", parent, 16) if parent else None,
            name=text(one.get("name")),
            start_ns=start,
            end_ns=max(start, nanoseconds("end_time", one.get("end_time_unix_nano", one.get("end_time")), start)),
            attributes=without_nothing(mapping(one.get("attributes"))) | shared,
            events=[_event(event, start) for event in listed(one.get("events")) if isinstance(event, dict)],
            failed=code.endswith("ERROR"),
            message=text(status.get("message") or one.get("status_message")),
        )
        return span_from(raw, self._price)


def _trace(values: dict[str, Any]) -> dict[str, Any] | None:
    """The trace in a row."""
    for found in (values, mapping(values.get("trace"))):
        if isinstance(found.get("info"), dict) and "spans" in mapping(found.get("data")):
            return found
    return None


def _event(event: dict[str, Any], start: int) -> RawEvent:
    moment = event.get("time_unix_nano") or event.get("timestamp")
    return RawEvent(text(event.get("name")), nanoseconds("timestamp", moment, start), mapping(event.get("attributes")))


def _told(info: dict[str, Any], judged: list[dict[str, Any]]) -> dict[str, Any]:
    """What the trace says as a whole, as attributes of its root."""
    tags = {f"mlflow.tag.{name}": value for name, value in mapping(info.get("tags")).items() if "mlflow." not in name}
    expected = {
        f"mlflow.expectation.{one.get('assessment_name') or one.get('name')}": mapping(one["expectation"]).get("value")
        for one in judged
        if isinstance(one.get("expectation"), dict)
    }
    return without_nothing(tags | expected)


def _with(span: Span, told: dict[str, Any]) -> Span:
    return msgspec.structs.replace(span, attributes=span.attributes | told) if told else span


def _scores(one: dict[str, Any], root: Span) -> list[Score]:
    """The feedback as a score; none where it is no feedback, failed, or was replaced by a later one."""
    feedback, source = mapping(one.get("feedback")), mapping(one.get("source"))
    name = one.get("assessment_name") or one.get("name")
    value = score_value(feedback.get("value"))
    if value is None or one.get("valid") is False:
        return []
    if not isinstance(name, str):
        raise InvalidInput("one of its assessments has no name.")
    kind = str(source.get("source_type"))
    more = {"assessment_id": one.get("assessment_id"), "source_id": source.get("source_id")}
    moment = one.get("last_update_time") or one.get("create_time")
    about = one.get("span_id")
    return [
        Score(
            scorer=name,
            version="mlflow",
            value=value,
            reason=text(one.get("rationale")),
            source=_SOURCES.get(kind, "code"),
            metadata=without_nothing(mapping(one.get("metadata")) | more),
            trace_id=root.trace_id,
            span_id=hex_id("span_id", about, 16) if about else root.span_id,
            time_ns=nanoseconds("create_time", moment, root.end_ns),
        )
    ]
