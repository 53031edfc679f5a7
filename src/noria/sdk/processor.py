"""The SDK's part in OpenTelemetry's: stamps every span as it begins, and puts it in the outbox as it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from noria.sdk.outbox import Letter, Outbox
from noria.sdk.surroundings import stamped

_SPAN_BYTES = 300
"""A span without attributes, about."""
_VALUE_BYTES = 16
"""An attribute's name, type and short value in memory, beside its text."""


class NoriaProcessor(SpanProcessor):
    """Works for spans of every instrumentation in the process.

    Arguments:
        outbox: where ended spans go; None only stamps.
        attributes: for every span.
    """

    def __init__(self, outbox: Outbox[ReadableSpan] | None, attributes: Mapping[str, Any]) -> None:
        self._outbox = outbox
        self._attributes = dict(attributes)
        self._retired = False

    def retire(self) -> None:
        """Do nothing any longer: OpenTelemetry has no way to take a processor out."""
        self._retired = True

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Stamp it with what holds around it."""
        if self._retired:
            return
        found = {**self._attributes, **stamped(parent_context)}
        if found:
            span.set_attributes(found)

    def on_end(self, span: ReadableSpan) -> None:
        """Queue it, if it was sampled."""
        if (
            self._outbox is not None
            and not self._retired
            and span.context is not None
            and span.context.trace_flags.sampled
        ):
            self._outbox.put(span, size_of(span))

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits."""
        return self._outbox is None or self._outbox.flush(timeout_millis / 1000)


def size_of(span: ReadableSpan) -> int:
    """About the bytes of a span, without encoding it."""
    size = _SPAN_BYTES + _size(span.attributes)
    for event in span.events:
        size += 64 + _size(event.attributes)
    return size


def spans_letter() -> Letter:
    """OTLP over HTTP, as protobuf."""
    return Letter(
        path="/v1/traces", content_type="application/x-protobuf", compress=True, encode=_encode, refused=_refused
    )


def _size(attributes: Mapping[str, Any] | None) -> int:
    size = 0
    for name, value in (attributes or {}).items():
        size += _VALUE_BYTES + len(name)
        if isinstance(value, str | bytes):
            size += len(value)
        elif isinstance(value, Sequence):
            size += sum(len(item) if isinstance(item, str) else 8 for item in value)
    return size


def _encode(spans: Sequence[ReadableSpan]) -> bytes:
    body: bytes = encode_spans(spans).SerializeToString()
    return body


def _refused(body: bytes) -> tuple[int, str]:
    answer = ExportTraceServiceResponse()
    try:
        answer.ParseFromString(body)
    except Exception:  # noqa: BLE001  # protobuf's error is no public name everywhere; a success without a readable word is one
        return 0, ""
    return answer.partial_success.rejected_spans, answer.partial_success.error_message
