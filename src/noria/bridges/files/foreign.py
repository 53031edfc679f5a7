"""What the importers of other systems' exports share: times, ids, and spans through the conventions of their attributes.

An export row becomes a raw OpenTelemetry span, and :mod:`noria.bridges.otlp` says what its attributes mean, so that an
imported span is what it would have been, had it come in live.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from noria.bridges.otlp.mapping import Source, span_of
from noria.bridges.otlp.problems import REASONS, Notes
from noria.bridges.otlp.raw import Attributes, RawEvent, RawScope, RawSpan
from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput
from noria.core.scores import Value
from noria.core.spans import Span

Price = Callable[[Span], float | None]

_NOWHERE = Source(RawScope({}, "", ""))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FAR_NS = 4_000_000_000 * 10**9
"""Later than any export: what is old or early is for the importing person to know."""
_HEX = re.compile(r"[0-9a-f]+")
_SCALES = ((10**17, 1), (10**14, 10**3), (10**11, 10**6), (0, 10**9))
"""From which size a number counts nanoseconds, microseconds, milliseconds, seconds since 1970."""


def span_from(raw: RawSpan, price: Price) -> Span:
    """The span that these attributes mean. Raises ``InvalidInput`` where it can't be kept."""
    notes = Notes(_FAR_NS)
    span = span_of(raw, _NOWHERE, notes, price)
    if span is None:
        reasons = "; ".join(REASONS[name][1] for name in notes.refused)
        raise InvalidInput(reasons or "the span can't be kept.")
    return span


def raw_span(
    *,
    trace_id: str,
    span_id: str,
    parent_id: str | None,
    name: str,
    start_ns: int,
    end_ns: int,
    attributes: Attributes,
    events: list[RawEvent] | None = None,
    failed: bool = False,
    message: str = "",
) -> RawSpan:
    """A raw span without what exports do not have."""
    return RawSpan(
        trace_id, span_id, parent_id or "", name, 0, start_ns, end_ns, attributes, events or [], (),
        2 if failed else 1, message if failed else "", "",
    )  # fmt: skip


def nanoseconds(name: str, value: Any, default: int | None = None) -> int:
    """Nanoseconds since 1970 of an ISO 8601 text (UTC where it names no zone) or of a number of any usual unit.

    Raises:
        InvalidInput: it is neither, and there is no default.
    """
    found = None
    if isinstance(value, str) and value:
        found = int(value) if value.isdecimal() and len(value) < 20 else _iso(value)
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        found = value if isinstance(value, int) else None
        if found is None and 0 <= value < 1e19:
            found = round(value * 10**3) if value < 10**11 else round(value)
    if found is not None and (isinstance(value, int | float) or str(value).isdecimal()):
        if not 0 <= found < 10**19:
            found = None
        else:
            found *= next(factor for size, factor in _SCALES if found >= size)
    if found is None:
        found = default
    if found is None:
        raise InvalidInput(f"{name} is {str(value)[:40]!r}, which is no time.")
    return found


def _iso(text: str) -> int | None:
    try:
        read = datetime.fromisoformat(text)
        at = read if read.tzinfo else read.replace(tzinfo=UTC)
        found = (at - _EPOCH) // timedelta(microseconds=1) * 1000
    except (ValueError, OverflowError):
        return None
    return found if found >= 0 else None


def hex_id(name: str, value: Any, digits: int) -> str:
    """An id of so many hex digits from hex digits, base64 or a UUID; from any other text a digest of it, always the same.

    Raises:
        InvalidInput: it is no text, or empty.
    """
    if not isinstance(value, str) or not value:
        raise InvalidInput(f"{name} is {str(value)[:40]!r}; an id is wanted.")
    plain = value.replace("-", "").lower()
    if len(plain) == digits and _HEX.fullmatch(plain):
        return plain
    if len(value) == (digits // 2 + 2) // 3 * 4:
        try:
            decoded = base64.b64decode(value, validate=True).hex()
        except (binascii.Error, ValueError):
            decoded = ""
        if len(decoded) == digits:
            return decoded
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:digits]


def text(value: Any) -> str:
    """A text; empty for anything else."""
    return value if isinstance(value, str) else ""


def parsed(value: Any) -> Any:
    """What a JSON text says; the value itself where it is none."""
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return msgspec.json.decode(value)
        except UNREADABLE:
            return value
    return value


def mapping(value: Any) -> dict[str, Any]:
    """A dictionary, also as JSON text; an empty one for anything else."""
    found = parsed(value)
    return found if isinstance(found, dict) else {}


def listed(value: Any) -> list[Any]:
    """A list, also as JSON text; an empty one for anything else."""
    found = parsed(value)
    return found if isinstance(found, list) else []


def score_value(value: Any) -> Value | None:
    """A score's value: what it is, or its JSON; None where there is none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, bool | int | float | str):
        return value
    return msgspec.json.encode(value).decode()


def without_nothing(values: Mapping[str, Any]) -> dict[str, Any]:
    """What is there: neither null nor empty."""
    return {name: value for name, value in values.items() if value is not None and value not in ("", [], {})}


def flattened(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Attributes as OpenInference flattens them: lists of objects by index, objects by key, the rest as it is."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from flattened(f"{name}.{key}", item)
    elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        for index, item in enumerate(value):
            yield from flattened(f"{name}.{index}", item)
    elif value is not None:
        yield name, value
