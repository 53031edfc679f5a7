"""AWS's framing of a stream, ``application/vnd.amazon.eventstream``: each message has its length, headers and checksums.

Source: https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

_PRELUDE = struct.Struct("!III")
_CHECKSUM = struct.Struct("!I")
_SMALLEST = _PRELUDE.size + _CHECKSUM.size
_LARGEST = 24 * 1024 * 1024
_STRING = 7
_SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of a header's value by its type, where they are fixed; 6 and 7 (bytes and text) say their length."""


class BadFrame(ValueError):
    """The bytes are no message."""


class Frame(NamedTuple):
    """One message."""

    headers: dict[str, str]
    """Headers whose value is text, such as ``:event-type``."""
    payload: bytes
    """What it brings, JSON here."""


class FrameParser:
    """Bytes in, messages out, whatever the pieces the bytes come in."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """Take more bytes; yield each message that they complete. Raises ``BadFrame``."""
        self._waiting += chunk
        while len(self._waiting) >= _PRELUDE.size:
            length, headers, checksum = _PRELUDE.unpack_from(self._waiting)
            if zlib.crc32(self._waiting[: _PRELUDE.size - 4]) != checksum:
                raise BadFrame("the checksum of a message's head is wrong")
            if not _SMALLEST + headers <= length <= _LARGEST:
                raise BadFrame("a message's length is wrong")
            if len(self._waiting) < length:
                return
            message = bytes(self._waiting[:length])
            del self._waiting[:length]
            yield _frame(message, headers)


def _frame(message: bytes, headers: int) -> Frame:
    [checksum] = _CHECKSUM.unpack_from(message, len(message) - 4)
    if zlib.crc32(message[:-4]) != checksum:
        raise BadFrame("the checksum of a message is wrong")
    start = _PRELUDE.size + headers
    return Frame(_headers(message[_PRELUDE.size : start]), message[start:-4])


def _headers(data: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    try:
        while at < len(data):
            name_end = at + 1 + data[at]
            name, kind, at = data[at + 1 : name_end].decode(), data[name_end], name_end + 1
            if kind in _SIZES:
                at += _SIZES[kind]
                continue
            end = at + 2 + int.from_bytes(data[at : at + 2])
            if kind == _STRING:
                found[name] = data[at + 2 : end].decode()
            at = end
    except (IndexError, UnicodeDecodeError) as error:
        raise BadFrame("a message's headers are wrong") from error
    return found
