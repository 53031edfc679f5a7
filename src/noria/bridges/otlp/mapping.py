"""A raw span to a :class:`~noria.core.spans.Span`, whichever convention its attributes follow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from noria.bridges.otlp.conventions import ALL, OWN
from noria.bridges.otlp.conventions.draft import LINEAGE, Draft
from noria.bridges.otlp.conventions.genai_before import read_events
from noria.bridges.otlp.conventions.noria import FOR_OTHERS, MARK
from noria.bridges.otlp.problems import Notes
from noria.bridges.otlp.raw import Attributes, RawEvent, RawLink, RawScope, RawSpan
from noria.bridges.otlp.values import kept
from noria.core.requests import Lineage
from noria.core.spans import Span, SpanEvent

DETAILS = "gen_ai.client.inference.operation.details"
"""The event that carries what its span's attributes may carry, too."""
EVALUATION = "gen_ai.evaluation.result"
"""The event that is a judgement."""
MOST_EVENTS = 1_000
"""Events of one span that are kept."""

_S = 1_000_000_000
_DAY_NS = 86_400 * _S
_AHEAD_NS = 600 * _S
_EARLIEST_NS = 946_684_800 * _S
"""2000-01-01."""
_LATEST_NS = 4_102_444_800 * _S
"""2100-01-01."""
_NO_TRACE, _NO_SPAN = "0" * 32, "0" * 16
_CHUNKS = frozenset({"First Token Stream Event", "gen_ai.content.completion.chunk"})
"""Events that mark a chunk of a streamed answer: OpenInference's, of the first, and OpenLLMetry's, of each."""
_KINDS = {2: "server", 3: "client", 4: "producer", 5: "consumer"}
_ERROR = 2

Price = Callable[[Span], float | None]


class Source:
    """What all spans of one scope share, worked out once."""

    def __init__(self, scope: RawScope) -> None:
        resource = dict(scope.resource)
        own = resource.pop("noria.app", None)
        service = resource.get("service.name")
        self.service = service if isinstance(service, str) else ""
        """``service.name``, empty where there is none."""
        named = "" if self.service.startswith("unknown_service") else self.service
        self.app = own if isinstance(own, str) and own else named or None
        """The app, as far as the resource says it."""
        if self.app == service:
            resource.pop("service.name", None)
        self.attributes: Attributes = {f"resource.{key}": value for key, value in resource.items()}
        """Attributes that every span of it gets."""
        if scope.name:
            self.attributes["otel.scope.name"] = scope.name
        if scope.version:
            self.attributes["otel.scope.version"] = scope.version


def span_of(raw: RawSpan, source: Source, notes: Notes, price: Price) -> Span | None:
    """The span; None where it can't be kept, which ``notes`` tells.

    Arguments:
        raw: as sent, without the events that are judgements.
        source: who sent it.
        notes: takes what was refused or repaired.
        price: what a call costs, where its sender did not say so.
    """
    times = _times(raw, notes)
    if times is None:
        return None
    draft = Draft(raw)
    if MARK in raw.attributes:
        return _own(raw, source, notes, draft, times)
    attributes, events = _with_details(raw)
    ALL.read(draft, attributes)
    if events:
        events = _first_chunk(draft, read_events(draft, events))
    columns = draft.columns
    status, error_type, error_message = _outcome(raw, columns, events)
    operation = columns.pop("operation", None)
    if operation is None:
        told = ("request_model", "response_model", "input_tokens", "output_tokens", "output")
        operation = "chat" if any(name in columns for name in told) else "span"
    lineage = {name: columns.pop(name) for name in LINEAGE & columns.keys()}
    if source.app is not None:
        lineage.setdefault("app", source.app)
    if columns.get("ttft_s") is not None and "tpot_s" not in columns:
        rest_s = (times[1] - times[0]) / _S - columns["ttft_s"]
        tokens = columns.get("output_tokens") or 0
        if tokens > 1 and rest_s >= 0:
            columns["tpot_s"] = rest_s / (tokens - 1)
    span = Span(
        trace_id=raw.trace_id,
        span_id=raw.span_id,
        parent_id=_parent(raw, notes),
        name=raw.name or operation,
        operation=operation,
        start_ns=times[0],
        end_ns=times[1],
        status=status,
        error_type=error_type,
        error_message=error_message,
        params=draft.params,
        lineage=Lineage(**lineage) if lineage else _NO_LINEAGE,
        events=_events(events, raw, notes) if events else (),
        attributes=kept(source.attributes | _envelope(raw) | draft.rest, notes, raw.trace_id, raw.span_id),
        **columns,
    )
    if span.cost_usd is None and (cost := price(span)) is not None:
        return msgspec.structs.replace(span, cost_usd=cost)
    return span


_NO_LINEAGE = Lineage()


def plain_span(raw: RawSpan, source: Source, notes: Notes) -> Span | None:
    """The span without any reading of its attributes, for those whose reading fails."""
    times = _times(raw, Notes(notes.now_ns))
    if times is None:
        return None
    notes.note("not_understood", trace_id=raw.trace_id, span_id=raw.span_id)
    return Span(
        trace_id=raw.trace_id,
        span_id=raw.span_id,
        parent_id=_parent(raw, notes),
        name=raw.name or "span",
        operation="span",
        start_ns=times[0],
        end_ns=times[1],
        status="error" if raw.status == _ERROR else "ok",
        error_message=raw.status_message or None,
        lineage=Lineage(app=source.app),
        events=_events(raw.events, raw, notes),
        attributes=kept(source.attributes | _envelope(raw) | raw.attributes, notes, raw.trace_id, raw.span_id),
    )


def _own(raw: RawSpan, source: Source, notes: Notes, draft: Draft, times: tuple[int, int]) -> Span:
    """A span that Noria exported: exactly what it says, nothing made up, nothing added but who passed it on."""
    OWN.read(draft, raw.attributes)
    draft.rest = {name: value for name, value in draft.rest.items() if name not in FOR_OTHERS}
    columns = draft.columns
    lineage = {name: columns.pop(name) for name in LINEAGE & columns.keys()}
    status = columns.pop("status", "error" if raw.status == _ERROR else "ok")
    message = columns.pop("error_message", raw.status_message or None)
    return Span(
        trace_id=raw.trace_id,
        span_id=raw.span_id,
        parent_id=_parent(raw, notes),
        name=raw.name,
        start_ns=times[0],
        end_ns=times[1],
        status=status,
        error_message=message,
        params=draft.params,
        lineage=Lineage(**lineage) if lineage else _NO_LINEAGE,
        events=_events(raw.events, raw, notes) if raw.events else (),
        attributes=kept(source.attributes | draft.rest, notes, raw.trace_id, raw.span_id),
        **columns,
    )


def _times(raw: RawSpan, notes: Notes) -> tuple[int, int] | None:
    """Start and end; None where the span can't be placed: without ids, or at no possible time."""
    start, end = raw.start_ns or raw.end_ns, raw.end_ns or raw.start_ns
    if reason := _refusal(raw, start, end, notes.now_ns):
        notes.note(reason, trace_id=raw.trace_id, span_id=raw.span_id)
        return None
    if not raw.start_ns:
        notes.note("start_repaired", trace_id=raw.trace_id, span_id=raw.span_id)
    if end < start or not raw.end_ns:
        notes.note("end_repaired", trace_id=raw.trace_id, span_id=raw.span_id)
        end = start
    if start > notes.now_ns + _AHEAD_NS:
        notes.note("clock_ahead", trace_id=raw.trace_id, span_id=raw.span_id)
    elif end < notes.now_ns - _DAY_NS:
        notes.note("old", trace_id=raw.trace_id, span_id=raw.span_id)
    return start, end


def _refusal(raw: RawSpan, start: int, end: int, now: int) -> str | None:
    """Why the span can't be placed."""
    if len(raw.trace_id) != 32 or raw.trace_id == _NO_TRACE:
        return "no_trace_id"
    if len(raw.span_id) != 16 or raw.span_id == _NO_SPAN:
        return "no_span_id"
    if not start:
        return "no_time"
    if not (_EARLIEST_NS <= start < _LATEST_NS and _EARLIEST_NS <= end < _LATEST_NS):
        return "time_out_of_range"
    if start > now + _DAY_NS:
        return "in_the_future"
    return "ends_before_start" if end < start - _DAY_NS else None


def _parent(raw: RawSpan, notes: Notes) -> str | None:
    parent = raw.parent_id
    if not parent or parent == _NO_SPAN:
        return None
    if len(parent) != 16 or parent == raw.span_id:
        notes.note("parent_repaired", trace_id=raw.trace_id, span_id=raw.span_id)
        return None
    return parent


def _with_details(raw: RawSpan) -> tuple[Attributes, Sequence[RawEvent]]:
    """The span's attributes with those of its details event, and the other events."""
    if not raw.events:
        return raw.attributes, ()
    attributes, others = raw.attributes, []
    for event in raw.events:
        if event.name == DETAILS:
            attributes = event.attributes | attributes
        else:
            others.append(event)
    return attributes, others


def _first_chunk(draft: Draft, events: Sequence[RawEvent]) -> Sequence[RawEvent]:
    """The time to the first chunk from instrumentations that mark it by an event; the other events.

    OpenLLMetry marks every chunk, with nothing but its time: a span of a long answer would be mostly marks.
    """
    marks = [event for event in events if event.name in _CHUNKS and not event.attributes]
    if not marks:
        return events
    first_ns = min(event.time_ns for event in marks)
    if first_ns >= draft.raw.start_ns > 0:
        draft.offer("ttft_s", (first_ns - draft.raw.start_ns) / _S)
    return [event for event in events if event.attributes or event.name not in _CHUNKS]


def _outcome(raw: RawSpan, columns: dict[str, Any], events: Sequence[RawEvent]) -> tuple[Any, str | None, str | None]:
    """Status, type and message of the error, from the status, ``error.type``, and the last exception."""
    status = columns.pop("status", None)
    kind, message = columns.pop("error_type", None), columns.pop("error_message", None)
    if status is None:
        status = "error" if raw.status == _ERROR or (raw.status == 0 and kind) else "ok"
    if status != "ok":
        message = message or raw.status_message or None
        exception = next((event for event in reversed(events) if event.name == "exception"), None)
        if exception is not None:
            kind = kind or _text(exception.attributes.get("exception.type"))
            message = message or _text(exception.attributes.get("exception.message"))
    return status, kind, message


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _envelope(raw: RawSpan) -> Attributes:
    """What OpenTelemetry has fields for and Noria has not."""
    found: Attributes = {}
    if kind := _KINDS.get(raw.kind):
        found["otel.span.kind"] = kind
    if raw.trace_state:
        found["otel.trace_state"] = raw.trace_state
    if raw.status_message and raw.status != _ERROR:
        found["otel.status_message"] = raw.status_message
    if raw.links:
        found["otel.links"] = [_link(link) for link in raw.links[:MOST_EVENTS]]
    return found


def _link(link: RawLink) -> Attributes:
    found: Attributes = {"trace_id": link.trace_id, "span_id": link.span_id}
    return found | {"attributes": link.attributes} if link.attributes else found


def _events(events: Iterable[RawEvent], raw: RawSpan, notes: Notes) -> tuple[SpanEvent, ...]:
    events = sorted(events, key=lambda event: event.time_ns)
    if len(events) > MOST_EVENTS:
        notes.note("attributes_cut", trace_id=raw.trace_id, span_id=raw.span_id, key="events")
    return tuple(
        SpanEvent(
            name=event.name,
            time_ns=min(event.time_ns, _LATEST_NS),
            attributes=kept(event.attributes, notes, raw.trace_id, raw.span_id),
        )
        for event in events[:MOST_EVENTS]
    )
