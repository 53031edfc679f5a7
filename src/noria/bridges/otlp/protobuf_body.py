"""OTLP in protobuf. The C decoder of ``protobuf`` (upb) does the work; the code here only copies out, once.

Reading a field of a upb message costs some 60 ns, so each is read once, and messages that are empty are not touched.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # its stubs are a package of their own
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from noria.bridges.otlp.pieces import LOGS, TRACES, Fields, check_protobuf
from noria.bridges.otlp.raw import (
    Attributes,
    LogBatches,
    RawEvent,
    RawLink,
    RawLog,
    RawScope,
    RawSpan,
    SpanBatches,
    finite,
)
from noria.core.errors import InvalidInput


def traces(body: bytes) -> SpanBatches:
    """The spans of an ``ExportTraceServiceRequest``.

    Raises:
        InvalidInput: the bytes are none.
    """
    request = _parsed(ExportTraceServiceRequest(), body, TRACES)
    for resource in request.resource_spans:
        attributes = _attributes(resource.resource.attributes)
        for scope in resource.scope_spans:
            yield RawScope(attributes, scope.scope.name, scope.scope.version), map(_span, scope.spans)


def logs(body: bytes) -> LogBatches:
    """The log records of an ``ExportLogsServiceRequest``. Raises ``InvalidInput``."""
    request = _parsed(ExportLogsServiceRequest(), body, LOGS)
    for resource in request.resource_logs:
        attributes = _attributes(resource.resource.attributes)
        for scope in resource.scope_logs:
            yield RawScope(attributes, scope.scope.name, scope.scope.version), map(_log, scope.log_records)


def _parsed(message: Any, body: bytes, fields: Fields) -> Any:
    check_protobuf(body, fields)
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise InvalidInput(f"The body is no {type(message).__name__} in protobuf: {error}.") from error
    return message


def _span(span: Any) -> RawSpan:
    status = span.status
    return RawSpan(
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.name,
        span.kind,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        _attributes(span.attributes),
        [RawEvent(event.name, event.time_unix_nano, _attributes(event.attributes)) for event in span.events],
        [RawLink(link.trace_id.hex(), link.span_id.hex(), _attributes(link.attributes)) for link in span.links],
        status.code,
        status.message,
        span.trace_state,
    )


def _log(record: Any) -> RawLog:
    return RawLog(
        record.trace_id.hex(),
        record.span_id.hex(),
        record.event_name,
        record.time_unix_nano or record.observed_time_unix_nano,
        _value(record.body),
        _attributes(record.attributes),
    )


def _attributes(pairs: Iterable[Any]) -> Attributes:
    """As a dictionary: the last of several values with one key wins."""
    found: Attributes = {}
    for pair in pairs:
        value = pair.value
        kind = value.WhichOneof("value")
        # Texts and whole numbers are nearly all there is; a call less for each of them.
        if kind == "string_value":
            found[pair.key] = value.string_value
        elif kind == "int_value":
            found[pair.key] = value.int_value
        else:
            found[pair.key] = _value(value)
    return found


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    held: Any = getattr(value, kind)
    if kind == "array_value":
        return [finite(_value(item)) for item in held.values]
    if kind == "kvlist_value":
        return {key: finite(item) for key, item in _attributes(held.values).items()}
    return base64.b64encode(held).decode() if kind == "bytes_value" else held
