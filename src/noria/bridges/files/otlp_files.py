"""Files of OTLP: the OpenTelemetry Collector's file exporter, one request a line in JSON; or one request in protobuf.

https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/fileexporter
"""

from __future__ import annotations

from typing import Any

import msgspec

from noria.bridges.files.foreign import Price
from noria.bridges.files.records import Records
from noria.bridges.otlp.answers import Signal
from noria.bridges.otlp.problems import REASONS, Notes
from noria.bridges.otlp.traffic import Reader
from noria.core.errors import InvalidInput

_FAR_NS = 4_000_000_000 * 10**9
_INLINE = 1 << 62
"""Nothing is moved to blobs here: whoever takes the records in does that."""


class OtlpFiles:
    """Requests as they go over the wire, kept in files.

    Arguments:
        price: what a call costs, where its sender did not say so.
    """

    name = "otlp"

    def __init__(self, price: Price) -> None:
        self._reader = Reader(price, lambda _: "", _INLINE)

    def knows(self, values: Any) -> bool:
        """Whether it is an ``ExportTraceServiceRequest`` or ``ExportLogsServiceRequest``."""
        if isinstance(values, bytes):
            return bool(_messages(values))
        return isinstance(values, dict) and not values.keys().isdisjoint(_JSON_NAMES)

    def survey(self, values: Any) -> None:
        """Each request stands for itself."""

    def records(self, values: Any) -> Records:
        """The spans of a request, and the judgements among their events."""
        notes = Notes(_FAR_NS)
        try:
            if isinstance(values, bytes):
                read = [self._reader.read("traces", body, "protobuf", notes) for body in _messages(values)]
            else:
                named = {_JSON_NAMES.get(name, name): value for name, value in values.items()}
                signal: Signal = "logs" if "resourceLogs" in named else "traces"
                read = [self._reader.read(signal, msgspec.json.encode(named), "json", notes)]
        except UnicodeEncodeError as error:
            raise InvalidInput("it holds half a surrogate pair, which is no text.") from error
        if refused := notes.refused:
            why = "; ".join(f"{count} × {REASONS[name][1]}" for name, count in refused.items())
            raise InvalidInput(f"some of its records can't be kept: {why}")
        return Records(
            tuple(span for found in read for span in found.spans),
            tuple(score for found in read for score in found.scores),
        )


_JSON_NAMES = {
    "resourceSpans": "resourceSpans",
    "resource_spans": "resourceSpans",
    "resourceLogs": "resourceLogs",
    "resource_logs": "resourceLogs",
}


def _messages(data: bytes) -> list[bytes]:
    """The requests in a protobuf file: the whole file is one, or each stands behind its length in four bytes."""
    if data[:1] == b"\x0a":
        return [data]
    found, place = [], 0
    while place + 4 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        body = data[place + 4 : place + 4 + size]
        if len(body) != size or body[:1] != b"\x0a":
            return []
        found.append(body)
        place += 4 + size
    return found if place == len(data) else []
