"""What OTLP sends back: what was taken and what was not, or why nothing was.

Source: https://opentelemetry.io/docs/specs/otlp/ (full, partial success; failures; throttling).
"""

from __future__ import annotations

from typing import Literal

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

Encoding = Literal["protobuf", "json"]
Signal = Literal["traces", "logs"]

INVALID_ARGUMENT, RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE, UNAUTHENTICATED = 3, 8, 13, 14, 16
"""Codes of google.rpc.Code, the ones that Noria answers with."""
_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"


def accepted(signal: Signal, encoding: Encoding, *, rejected: int = 0, message: str = "") -> bytes:
    """The body of a success: empty when all is well, else with the number of rejected records and why.

    A message without rejected records is a warning, as the specification allows.
    """
    if encoding == "json":
        name = "rejectedSpans" if signal == "traces" else "rejectedLogRecords"
        partial = {name: str(rejected), "errorMessage": message}
        return msgspec.json.encode({"partialSuccess": partial} if rejected or message else {})
    if not (rejected or message):
        return b""
    if signal == "traces":
        traces = ExportTraceServiceResponse()
        traces.partial_success.rejected_spans = rejected
        traces.partial_success.error_message = message
        return bytes(traces.SerializeToString())
    logs = ExportLogsServiceResponse()
    logs.partial_success.rejected_log_records = rejected
    logs.partial_success.error_message = message
    return bytes(logs.SerializeToString())


def refused(encoding: Encoding, code: int, message: str, *, retry_after_s: float | None = None) -> bytes:
    """The body of a failure: a ``google.rpc.Status``, with ``RetryInfo`` where trying again may help."""
    if encoding == "json":
        return msgspec.json.encode({"code": code, "message": message})
    # Few fields: written out here, they spare a dependency on all of Google's common messages.
    status = b"\x08" + _varint(code) + _field(2, message.encode("utf-8", "replace"))
    if retry_after_s is not None:
        delay = b"\x08" + _varint(int(retry_after_s)) + b"\x10" + _varint(int(retry_after_s % 1 * 1e9))
        status += _field(3, _field(1, _RETRY_INFO.encode()) + _field(2, _field(1, delay)))
    return status


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
