"""The spool's file format: frames one after another, each checked by itself.

    frame = marker (4 bytes) | payload length (u32) | CRC-32 (u32) | payload       little-endian

A file has no header, so there is no byte whose loss would cost more than the frame it is in. The checksum also covers
the file's number and the frame's offset: a frame copied elsewhere, or old disk blocks that come back after a crash,
are not taken for records. The marker holds bytes that no UTF-8 text contains, so JSON inside a payload can't look
like a frame.

Pure: bytes in, bytes out.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

MARKER = b"\xf5\xff\x01\xfe"
"""Start of a frame; the third byte is the format's version."""
_HEAD = struct.Struct("<4sII")
_SEED = struct.Struct("<QQI")
LARGEST = 2**32 - 1
"""Most bytes of a payload."""
SUFFIX = ".spool"
"""What a segment's name ends in."""


class Position(NamedTuple):
    """A place between two frames. Positions grow."""

    segment: int
    """Number of the file; 0 is before the first."""
    offset: int
    """Bytes into it."""


START = Position(0, 0)
"""Before the first frame of a new spool."""


def segment_path(folder: Path, number: int) -> Path:
    """The file of a segment."""
    return folder / f"{number:016d}{SUFFIX}"


class Frame(NamedTuple):
    """A whole frame."""

    end: int
    """Offset after its last byte."""
    payload: bytes
    """What was appended."""


class Damage(NamedTuple):
    """Bytes that are no frame."""

    start: int
    """First bad offset."""
    end: int
    """Offset of the next whole frame, or of the end of the file."""


def frame(payload: bytes, number: int, offset: int) -> bytes:
    """``payload`` as a frame for file ``number`` at ``offset``."""
    return _HEAD.pack(MARKER, len(payload), _checksum(payload, number, offset)) + payload


def frame_size(payload: bytes) -> int:
    """Bytes that ``payload`` takes in a file."""
    return _HEAD.size + len(payload)


def scan(data: bytes, number: int, *, base: int = 0) -> Iterator[Frame | Damage]:
    """Everything in ``data``, which starts at offset ``base`` of file ``number``, in order and without gaps.

    After damage the scan goes on at the next whole frame, so one bad sector costs the frames in it and no more.
    """
    at = 0
    while at < len(data):
        found = _whole(data, number, base, at)
        if found is not None:
            yield found
            at = found.end - base
            continue
        start = at
        at = data.find(MARKER, start + 1)
        while at >= 0 and _whole(data, number, base, at) is None:
            at = data.find(MARKER, at + 1)
        at = at if at >= 0 else len(data)
        yield Damage(base + start, base + at)


def _whole(data: bytes, number: int, base: int, at: int) -> Frame | None:
    start = at + _HEAD.size
    if start > len(data):
        return None
    marker, length, checksum = _HEAD.unpack_from(data, at)
    if marker != MARKER or start + length > len(data):
        return None
    payload = data[start : start + length]
    if _checksum(payload, number, base + at) != checksum:
        return None
    return Frame(base + start + length, payload)


def _checksum(payload: bytes, number: int, offset: int) -> int:
    return zlib.crc32(payload, zlib.crc32(_SEED.pack(number, offset, len(payload))))
