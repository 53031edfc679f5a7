"""Of how many pieces a request is made, told before anybody makes them.

An empty span takes two bytes on the wire and hundreds in memory: sixty megabytes of them, sixty kilobytes with gzip,
would take all of a machine's. Knows the shape of OTLP, and nothing of what it means.

Source: https://protobuf.dev/programming-guides/encoding/ and opentelemetry-proto 1.x.
"""

from __future__ import annotations

from http import HTTPStatus

from noria.core.errors import InvalidInput

MOST = 1_000_000
"""Messages of one request: spans, events, links, attributes and their values."""
MOST_BRACES = 2 * MOST
"""Opening braces of one request in JSON, where those in texts can't be told apart so cheaply."""
SMALL = 1 << 20
"""Bytes of a request that can't be made of too many; exporters send less, and pay nothing."""

Fields = dict[int, "Fields"]
"""Number of a field that holds a message -> the fields of that message."""

_ANY: Fields = {}
_PAIR: Fields = {2: _ANY}
_ANY |= {5: {1: _ANY}, 6: {1: _PAIR}}
_RESOURCE, _SCOPE = {1: _PAIR}, {3: _PAIR}
_SPAN: Fields = {9: _PAIR, 11: {3: _PAIR}, 13: {4: _PAIR}, 15: {}}
_LOG: Fields = {5: _ANY, 6: _PAIR}
TRACES: Fields = {1: {1: _RESOURCE, 2: {1: _SCOPE, 2: _SPAN}}}
"""Fields of an ``ExportTraceServiceRequest``."""
LOGS: Fields = {1: {1: _RESOURCE, 2: {1: _SCOPE, 2: _LOG}}}
"""Fields of an ``ExportLogsServiceRequest``."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10


def check_protobuf(body: bytes, fields: Fields) -> None:
    """Refuse a request of too many messages; what is no protobuf is left to the decoder.

    Raises:
        InvalidInput: 413.
    """
    if len(body) <= SMALL:
        return
    count = 0
    waiting = [(0, len(body), fields)]
    while waiting:
        at, end, fields = waiting.pop()
        try:
            while at < end:
                tag, at = _varint(body, at)
                kind = tag & 7
                if kind == _BYTES:
                    size, at = _varint(body, at)
                    inner = fields.get(tag >> 3)
                    if inner is not None:
                        count += 1
                        if count > MOST:
                            raise _too_many()
                        if size:
                            waiting.append((at, min(at + size, end), inner))
                    at += size
                elif kind == _VARINT:
                    _, at = _varint(body, at)
                else:  # a group's fields are looked at as if they stood beside it
                    at += {_FIXED64: 8, _FIXED32: 4}.get(kind, 0)
        except IndexError:
            continue  # the decoder will refuse it, but only after it has made all that stands before


def check_json(body: bytes) -> None:
    """Refuse a request of too many objects; braces within its texts count too, which only the largest ones feel.

    Raises:
        InvalidInput: 413.
    """
    if len(body) > SMALL and body.count(b"{") > MOST_BRACES:
        raise _too_many()


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """A whole number and where it ends. Raises ``IndexError`` where it has no end."""
    byte = body[at]
    if byte < 0x80:
        return byte, at + 1
    value = 0
    for place in range(_LONGEST_VARINT):
        byte = body[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise IndexError(at)


def _too_many() -> InvalidInput:
    error = InvalidInput(
        f"The request is made of more than {MOST:,} spans, events, attributes and values.",
        kept="Nothing of it was kept.",
        hint="Send fewer in one request.",
    )
    error.status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE.value
    return error
