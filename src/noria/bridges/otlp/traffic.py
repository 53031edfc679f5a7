"""One request's bytes to the records in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from noria.bridges.otlp import json_body, protobuf_body
from noria.bridges.otlp.answers import Encoding, Signal
from noria.bridges.otlp.judgements import score_of
from noria.bridges.otlp.large import Put, slim, slim_score
from noria.bridges.otlp.logs import records_of
from noria.bridges.otlp.mapping import EVALUATION, Price, Source, plain_span, span_of
from noria.bridges.otlp.problems import Notes
from noria.bridges.otlp.raw import RawSpan
from noria.core.errors import InvalidInput
from noria.core.scores import Score
from noria.core.spans import Span


class Records(NamedTuple):
    """What a request holds."""

    spans: list[Span]
    """Those that can be kept."""
    scores: list[Score]
    """Judgements on them, or on spans that came before."""
    received: int
    """Spans or log records in the request, those refused included."""


class Reader:
    """Reads requests. Any thread may use it.

    Arguments:
        price: what a call costs, where its sender did not say so.
        put: stores a blob durably.
        large: bytes from which contents go to the blob store.
        on_defect: told of a span whose reading failed, which is a defect of Noria's; the span is kept as it was sent. By
            default the error is raised again.
    """

    def __init__(
        self, price: Price, put: Put, large: int, on_defect: Callable[[Exception], None] | None = None
    ) -> None:
        self._on_defect = on_defect
        self._price = price
        self._put = put
        self._large = large

    def read(self, signal: Signal, body: bytes, encoding: Encoding, notes: Notes) -> Records:
        """The records of an ``ExportTraceServiceRequest`` or ``ExportLogsServiceRequest``.

        Raises:
            InvalidInput: the body can't be decoded.
        """
        try:
            records = self._traces(body, encoding, notes) if signal == "traces" else self._logs(body, encoding, notes)
        except RecursionError:
            raise InvalidInput("The body is nested too deeply.") from None
        if len(body) > self._large:
            return self._slim(records, notes)
        return records

    def _traces(self, body: bytes, encoding: Encoding, notes: Notes) -> Records:
        decode = protobuf_body.traces if encoding == "protobuf" else json_body.traces
        spans: list[Span] = []
        scores: list[Score] = []
        received = 0
        for scope, raws in decode(body):
            source = Source(scope)
            notes.service = source.service
            for raw in raws:
                received += 1
                judged = self._judgements(raw, notes) if raw.events else []
                span = self._span(raw, source, notes)
                if span is None:
                    continue
                spans.append(span)
                scores += judged
        return Records(spans, scores, received)

    @staticmethod
    def _logs(body: bytes, encoding: Encoding, notes: Notes) -> Records:
        decode = protobuf_body.logs if encoding == "protobuf" else json_body.logs
        spans: list[Span] = []
        scores: list[Score] = []
        received = 0
        for scope, raws in decode(body):
            source = Source(scope)
            notes.service = source.service
            found = list(raws)
            received += len(found)
            told = records_of(found, source, notes)
            spans += told.spans
            scores += told.scores
        return Records(spans, scores, received)

    def _span(self, raw: RawSpan, source: Source, notes: Notes) -> Span | None:
        try:
            return span_of(raw, source, notes, self._price)
        except Exception as error:  # others' data must not sink the spans beside it, whatever we got wrong
            if self._on_defect is None:
                raise
            self._on_defect(error)
            return plain_span(raw, source, notes)

    @staticmethod
    def _judgements(raw: RawSpan, notes: Notes) -> list[Score]:
        """Scores from the span's events, which are taken out of it."""
        events = [event for event in raw.events if event.name == EVALUATION]
        if not events:
            return []
        found = []
        others = [event for event in raw.events if event.name != EVALUATION]
        for event in events:
            score = score_of(event.attributes, raw.trace_id, raw.span_id, event.time_ns, notes)
            if score is None:
                others.append(event)
            else:
                found.append(score)
        raw.events = others
        return found

    def _slim(self, records: Records, notes: Notes) -> Records:
        spans, scores = [], []
        for span in records.spans:
            small = slim(span, self._put, self._large)
            if small is None:
                notes.note("too_large", trace_id=span.trace_id, span_id=span.span_id)
            else:
                spans.append(small)
        for score in records.scores:
            judged = slim_score(score, self._put, self._large)
            if judged is None:
                notes.note("too_large", trace_id=score.trace_id, span_id=score.span_id)
            else:
                scores.append(judged)
        return Records(spans, scores, records.received)
