"""What was sent, before anybody asks what it means."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

Attributes = dict[str, Any]
"""Name -> text, number, boolean, list or dictionary of these; bytes as base64 text. Keys are hostile text."""


def finite(value: Any) -> Any:
    """A value within a list or dictionary: numbers that JSON has no form for become text."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


class RawEvent(msgspec.Struct, gc=False):
    """Something that happened during a span."""

    name: str
    time_ns: int
    attributes: Attributes


class RawLink(msgspec.Struct, gc=False):
    """A span that this one is related to."""

    trace_id: str
    span_id: str
    attributes: Attributes


class RawSpan(msgspec.Struct):
    """A span as sent; ids in lower-case hex, empty where absent."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: int
    start_ns: int
    end_ns: int
    attributes: Attributes
    events: Sequence[RawEvent]
    links: Sequence[RawLink]
    status: int
    """0 unset, 1 ok, 2 error."""
    status_message: str
    trace_state: str


class RawLog(msgspec.Struct):
    """A log record as sent. Its name is ``event_name``, or in older SDKs the attribute ``event.name``."""

    trace_id: str
    span_id: str
    name: str
    time_ns: int
    body: Any
    attributes: Attributes


class RawScope(msgspec.Struct):
    """Who made the spans of a batch."""

    resource: Attributes
    """Attributes of the process or service."""
    name: str
    """The instrumentation library; may be empty."""
    version: str
    """Its version; may be empty."""


SpanBatches = Iterator[tuple[RawScope, Iterator[RawSpan]]]
LogBatches = Iterator[tuple[RawScope, Iterator[RawLog]]]
