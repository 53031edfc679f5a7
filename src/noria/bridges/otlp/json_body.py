"""OTLP in JSON: protobuf's JSON mapping with hex ids, whole numbers also as text, enums as numbers (OTLP/HTTP, JSON).

Unknown fields are ignored and missing or null ones have their default, as the specification wants; what has the wrong
type is refused with its place.
"""

from __future__ import annotations

from typing import Any

import msgspec

from noria.bridges.otlp.pieces import check_json
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
from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput

_LARGEST_NS = 2**64
Number = int | str | None
Text = str | None


class _Value(msgspec.Struct, rename="camel"):
    string_value: Text = None
    bool_value: bool | None = None
    int_value: Number = None
    double_value: float | str | None = None
    array_value: _Array | None = None
    kvlist_value: _Pairs | None = None
    bytes_value: Text = None


class _Array(msgspec.Struct):
    values: list[_Value] | None = None


class _Pair(msgspec.Struct):
    key: Text = None
    value: _Value | None = None


class _Pairs(msgspec.Struct):
    values: list[_Pair] | None = None


class _Event(msgspec.Struct, rename="camel"):
    name: Text = None
    time_unix_nano: Number = None
    attributes: list[_Pair] | None = None


class _Link(msgspec.Struct, rename="camel"):
    trace_id: Text = None
    span_id: Text = None
    attributes: list[_Pair] | None = None


class _Status(msgspec.Struct):
    code: Number = None
    message: Text = None


class _Span(msgspec.Struct, rename="camel"):
    trace_id: Text = None
    span_id: Text = None
    parent_span_id: Text = None
    name: Text = None
    kind: Number = None
    start_time_unix_nano: Number = None
    end_time_unix_nano: Number = None
    attributes: list[_Pair] | None = None
    events: list[_Event] | None = None
    links: list[_Link] | None = None
    status: _Status | None = None
    trace_state: Text = None


class _LogRecord(msgspec.Struct, rename="camel"):
    trace_id: Text = None
    span_id: Text = None
    event_name: Text = None
    time_unix_nano: Number = None
    observed_time_unix_nano: Number = None
    body: _Value | None = None
    attributes: list[_Pair] | None = None


class _Attributed(msgspec.Struct):
    attributes: list[_Pair] | None = None


class _Scope(msgspec.Struct):
    name: Text = None
    version: Text = None


class _ScopeSpans(msgspec.Struct):
    scope: _Scope | None = None
    spans: list[_Span] | None = None


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: _Attributed | None = None
    scope_spans: list[_ScopeSpans] | None = None


class _Traces(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] | None = None


class _ScopeLogs(msgspec.Struct, rename="camel"):
    scope: _Scope | None = None
    log_records: list[_LogRecord] | None = None


class _ResourceLogs(msgspec.Struct, rename="camel"):
    resource: _Attributed | None = None
    scope_logs: list[_ScopeLogs] | None = None


class _Logs(msgspec.Struct, rename="camel"):
    resource_logs: list[_ResourceLogs] | None = None


_TRACES = msgspec.json.Decoder(_Traces)
_LOGS = msgspec.json.Decoder(_Logs)
_STATUSES = {"STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_KINDS = {
    f"SPAN_KIND_{name}": number
    for number, name in enumerate(("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"))
}


def traces(body: bytes) -> SpanBatches:
    """The spans of an ``ExportTraceServiceRequest``.

    Raises:
        InvalidInput: the text is no JSON, or not of this form.
    """
    for resource in _decoded(_TRACES, body).resource_spans or ():
        attributes = _resource(resource.resource)
        for spans in resource.scope_spans or ():
            yield _scope(attributes, spans.scope), map(_span, spans.spans or ())


def logs(body: bytes) -> LogBatches:
    """The log records of an ``ExportLogsServiceRequest``. Raises ``InvalidInput``."""
    for resource in _decoded(_LOGS, body).resource_logs or ():
        attributes = _resource(resource.resource)
        for records in resource.scope_logs or ():
            yield _scope(attributes, records.scope), map(_log, records.log_records or ())


def _decoded(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    check_json(body)
    try:
        return decoder.decode(body)
    except UNREADABLE as error:
        raise InvalidInput(f"The body is no OTLP in JSON: {error}.") from error
    except RecursionError:
        raise InvalidInput("The body is no OTLP in JSON: it is nested too deeply.") from None


def _resource(resource: _Attributed | None) -> Attributes:
    return _attributes(resource.attributes) if resource else {}


def _scope(resource: Attributes, scope: _Scope | None) -> RawScope:
    return RawScope(resource, (scope and scope.name) or "", (scope and scope.version) or "")


def _span(span: _Span) -> RawSpan:
    status = span.status or _Status()
    return RawSpan(
        (span.trace_id or "").lower(),
        (span.span_id or "").lower(),
        (span.parent_span_id or "").lower(),
        span.name or "",
        _enum(span.kind, _KINDS),
        _whole(span.start_time_unix_nano),
        _whole(span.end_time_unix_nano),
        _attributes(span.attributes),
        [RawEvent(e.name or "", _whole(e.time_unix_nano), _attributes(e.attributes)) for e in span.events or ()],
        [
            RawLink((link.trace_id or "").lower(), (link.span_id or "").lower(), _attributes(link.attributes))
            for link in span.links or ()
        ],
        _enum(status.code, _STATUSES),
        status.message or "",
        span.trace_state or "",
    )


def _log(record: _LogRecord) -> RawLog:
    return RawLog(
        (record.trace_id or "").lower(),
        (record.span_id or "").lower(),
        record.event_name or "",
        _whole(record.time_unix_nano) or _whole(record.observed_time_unix_nano),
        _value(record.body),
        _attributes(record.attributes),
    )


def _attributes(pairs: list[_Pair] | None) -> Attributes:
    return {pair.key or "": _value(pair.value) for pair in pairs or ()}


def _value(value: _Value | None) -> Any:  # noqa: PLR0911  # one a kind of value
    """The one field that is set; of several, which no sender should set, the first."""
    if value is None:
        return None
    if value.string_value is not None:
        return value.string_value
    if value.int_value is not None:
        return _integer(value.int_value)
    if value.double_value is not None:
        return _double(value.double_value)
    if value.array_value is not None:
        return [finite(_value(item)) for item in value.array_value.values or ()]
    if value.kvlist_value is not None:
        return {key: finite(item) for key, item in _attributes(value.kvlist_value.values).items()}
    return value.bytes_value if value.bool_value is None else value.bool_value  # bytes are base64 here, too


def _double(value: float | str) -> float | str:
    """A number; ``NaN`` and ``Infinity`` come as text, and so does what is no number and stays one."""
    try:
        return float(value)
    except ValueError:
        return value


def _integer(value: int | str) -> int | str:
    """A number, which may come as text; what is none stays text."""
    if isinstance(value, str) and (len(value) > 20 or not value.removeprefix("-").isdecimal()):
        return value
    return int(value)


def _whole(value: Number) -> int:
    """A time in nanoseconds, 0 where it is none."""
    number = _integer(value or 0)
    return number if isinstance(number, int) and 0 <= number < _LARGEST_NS else 0


def _enum(value: Number, names: dict[str, int]) -> int:
    """A number; the specification forbids names, some senders write them."""
    if isinstance(value, str) and value in names:
        return names[value]
    return _whole(value)
