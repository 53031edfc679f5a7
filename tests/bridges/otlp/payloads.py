"""OTLP requests as exporters make them, from plain dictionaries."""

from __future__ import annotations

import base64
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

NOW_NS = 1_795_600_000_000_000_000
"""A moment in November 2026."""
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def any_value(value: Any) -> AnyValue:
    made = AnyValue()
    if isinstance(value, bool):
        made.bool_value = value
    elif isinstance(value, str):
        made.string_value = value
    elif isinstance(value, int):
        made.int_value = value
    elif isinstance(value, float):
        made.double_value = value
    elif isinstance(value, bytes):
        made.bytes_value = value
    elif isinstance(value, list | tuple):
        made.array_value.SetInParent()
        made.array_value.values.extend(any_value(item) for item in value)
    elif isinstance(value, dict):
        made.kvlist_value.SetInParent()
        made.kvlist_value.values.extend(pairs(value))
    return made


def pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def request(
    *spans: dict[str, Any], resource: dict[str, Any] | None = None, scope: tuple[str, str] = ("", "")
) -> ExportTraceServiceRequest:
    """Spans of one service; a span is its attributes under ``attributes`` and any field under its name."""
    made = ExportTraceServiceRequest()
    found = made.resource_spans.add()
    found.resource.attributes.extend(pairs(resource or {}))
    scoped = found.scope_spans.add()
    scoped.scope.name, scoped.scope.version = scope
    for number, given in enumerate(spans):
        span = scoped.spans.add()
        span.trace_id = bytes.fromhex(given.get("trace_id", TRACE))
        span.span_id = bytes.fromhex(given.get("span_id", f"{number + 1:016x}"))
        span.parent_span_id = bytes.fromhex(given.get("parent_id", ""))
        span.name = given.get("name", "call")
        span.kind = given.get("kind", 0)
        span.start_time_unix_nano = given.get("start_ns", NOW_NS)
        span.end_time_unix_nano = given.get("end_ns", NOW_NS + 2_000_000_000)
        span.status.code = given.get("status", 0)
        span.status.message = given.get("status_message", "")
        span.trace_state = given.get("trace_state", "")
        span.attributes.extend(pairs(given.get("attributes", {})))
        for name, attributes in given.get("events", ()):
            event = span.events.add()
            event.name, event.time_unix_nano = name, NOW_NS + 1
            event.attributes.extend(pairs(attributes))
        for trace_id, span_id in given.get("links", ()):
            link = span.links.add()
            link.trace_id, link.span_id = bytes.fromhex(trace_id), bytes.fromhex(span_id)
    return made


def as_json(made: Any) -> dict[str, Any]:
    """The same in OTLP's JSON: protobuf's own, with ids in hex and enums as numbers."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            return {
                key: base64.b64decode(item).hex() if key in {"traceId", "spanId", "parentSpanId"} else walk(item)
                for key, item in value.items()
            }
        return [walk(item) for item in value] if isinstance(value, list) else value

    return walk(MessageToDict(made, use_integers_for_enums=True))  # type: ignore[no-any-return]
