"""Log records that are GenAI events: judgements become scores, messages a span below the call that they belong to.

Instrumentations of 2024 and 2025 send what was said as log records, apart from the span and mostly before it. A record
of its own keeps that durable whatever comes later: operation ``log``, the call as its parent, an id made of what it
says, so that sending it again changes nothing. Other logs are not Noria's business; they are rejected by number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from noria.bridges.otlp.conventions import ALL
from noria.bridges.otlp.conventions.draft import LINEAGE, Draft
from noria.bridges.otlp.conventions.genai_before import MESSAGE_EVENTS, read_events
from noria.bridges.otlp.judgements import score_of
from noria.bridges.otlp.mapping import DETAILS, EVALUATION, Source
from noria.bridges.otlp.problems import Notes
from noria.bridges.otlp.raw import Attributes, RawEvent, RawLog, RawSpan
from noria.bridges.otlp.values import kept
from noria.core.requests import Lineage
from noria.core.scores import Score
from noria.core.spans import Span

OPERATION = "log"
"""Operation of a span that holds what log records said."""


class Told(NamedTuple):
    """What log records tell."""

    spans: list[Span]
    """What was said in calls."""
    scores: list[Score]
    """Judgements."""


def records_of(logs: Iterable[RawLog], source: Source, notes: Notes) -> Told:
    """Spans and scores from the log records of one scope."""
    scores: list[Score] = []
    calls: dict[tuple[str, str], list[RawEvent]] = {}
    for record in logs:
        name = record.name or str(record.attributes.get("event.name", ""))
        details: Attributes = {key: value for key, value in record.attributes.items() if key != "event.name"}
        if isinstance(record.body, dict):
            details |= record.body
        if name not in MESSAGE_EVENTS and name not in {DETAILS, EVALUATION}:
            notes.note("not_an_event", trace_id=record.trace_id, span_id=record.span_id, key=name)
        elif len(record.trace_id) != 32 or len(record.span_id) != 16:
            notes.note("no_span_named", trace_id=record.trace_id, span_id=record.span_id, key=name)
        elif name == EVALUATION:
            score = score_of(details, record.trace_id, record.span_id, record.time_ns, notes)
            if score is None:
                notes.note("not_an_event", trace_id=record.trace_id, span_id=record.span_id, key=name)
            else:
                scores.append(score)
        else:
            event = RawEvent(name, record.time_ns, details)
            calls.setdefault((record.trace_id, record.span_id), []).append(event)
    spans = [_span(trace_id, span_id, events, source, notes) for (trace_id, span_id), events in calls.items()]
    return Told(spans, scores)


def _span(trace_id: str, span_id: str, events: list[RawEvent], source: Source, notes: Notes) -> Span:
    """What the events of one call say, as a span below it."""
    attributes: Attributes = {}
    for event in events:
        if event.name == DETAILS:
            attributes = event.attributes | attributes
    digest = hashlib.sha256(
        msgspec.json.encode([trace_id, span_id, [(e.name, e.time_ns, e.attributes) for e in events]])
    )
    times = [event.time_ns for event in events if event.time_ns] or [notes.now_ns]
    raw = RawSpan(
        trace_id, digest.hexdigest()[:16], span_id, OPERATION, 0, min(times), max(times), attributes, (), (), 0, "", ""
    )
    draft = Draft(raw)
    ALL.read(draft, attributes)
    left = read_events(draft, [event for event in events if event.name != DETAILS])
    columns = {name: value for name, value in draft.columns.items() if name in _COLUMNS}
    lineage = {name: value for name, value in draft.columns.items() if name in LINEAGE}
    if source.app is not None:
        lineage.setdefault("app", source.app)
    for event in left:
        draft.rest.update(event.attributes)
    return Span(
        trace_id=trace_id,
        span_id=raw.span_id,
        parent_id=span_id,
        name="messages",
        operation=OPERATION,
        start_ns=raw.start_ns,
        end_ns=raw.end_ns,
        params=draft.params,
        lineage=Lineage(**lineage),
        attributes=kept(source.attributes | draft.rest, notes, trace_id, raw.span_id),
        **columns,
    )


_COLUMNS = frozenset(
    {"input", "output", "finish_reasons", "provider", "request_model", "response_model", "documents", "tool_name"}
)
"""Columns that messages can fill. Usage and cost are the call's own: a sum over spans must not count them twice."""
