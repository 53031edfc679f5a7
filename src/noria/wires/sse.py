"""Server-sent events: the framing under every streamed reply.

Source: WHATWG HTML, "Server-sent events", section 9.2.6, https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_LINE_END = re.compile(rb"\r\n|\r|\n")
_EVENT_END = re.compile(rb"\n\n|\r\n\r\n|\r\r")
_LONGEST_MARK = 3
"""Bytes at a piece's end that may begin an event's end: all of the longest mark but its last."""
_ONE_LINE = b"data: "
_NAMED = b"event: "
_BOM = b"\xef\xbb\xbf"


class ServerSentEvent(NamedTuple):
    """One dispatched event."""

    type: str
    """Event type, ``message`` when the stream names none."""
    data: bytes
    """The data lines joined by LF, as bytes: the standard replaces malformed UTF-8, which would silently change an
    answer, so whoever parses the data decides; a JSON decoder refuses it."""


class EventParser:
    """Bytes in, events out, whatever the pieces the bytes come in.

    Knows CRLF, CR and LF line ends, one leading byte order mark, comments and data of several lines. Event ids and
    reconnection times are read over: a model's reply cannot be resumed.
    """

    def __init__(self) -> None:
        self._partial: list[bytes] = []
        self._after_cr = False
        self._at_start = True
        self._type = ""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> Iterable[ServerSentEvent]:
        """Take more bytes; yield each event that they complete. Run the iterator to its end before feeding again."""
        event = self.lone(chunk)
        return self._events(chunk) if event is None else (event,)

    def lone(self, chunk: bytes) -> ServerSentEvent | None:
        """The event that a chunk is, as most are, where it is one of one line of data and nothing came before it that belongs to it.

        There is nothing of it to feed then.
        """
        if (
            not chunk.endswith(b"\n\n")
            or b"\r" in chunk
            or self._at_start
            or self._after_cr
            or self._data
            or self._type
        ):
            return None
        kind, start = "message", 0
        if chunk.startswith(_NAMED):
            start = chunk.find(b"\n") + 1
            kind = chunk[len(_NAMED) : start - 1].decode("utf-8", "replace") or kind
        if not chunk.startswith(_ONE_LINE, start) or chunk.find(b"\n", start) != len(chunk) - 2 or any(self._partial):
            return None
        return ServerSentEvent(kind, chunk[start + len(_ONE_LINE) : -2])

    def _events(self, chunk: bytes) -> Iterator[ServerSentEvent]:
        if not chunk:
            return
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]  # the second half of a CRLF whose CR ended a line already
        self._after_cr = chunk.endswith(b"\r")
        first, *rest = _LINE_END.split(chunk)
        self._partial.append(first)
        for following in rest:
            line = b"".join(self._partial)
            self._partial = [following]
            if event := self._line(line):
                yield event

    def _line(self, line: bytes) -> ServerSentEvent | None:
        if self._at_start:
            line, self._at_start = line.removeprefix(_BOM), False
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._type = value.decode("utf-8", "replace")
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        kind, data = self._type or "message", self._data
        self._type, self._data = "", []
        return ServerSentEvent(kind, b"\n".join(data)) if data else None


def encode_event(data: bytes) -> bytes:
    """One event with one line of data, which holds no line end (JSON as msgspec writes it never does)."""
    return b"data: " + data + b"\n\n"


def encode_named_event(type: bytes, data: bytes) -> bytes:
    """As :func:`encode_event`, with the event's type."""
    return b"event: " + type + b"\ndata: " + data + b"\n\n"


def single_events(data: bytes) -> Iterable[bytes]:
    """Whole events, as :class:`Whole` returns them, one by one and untouched."""
    return (data,) if data.find(b"\n\n") == len(data) - 2 and b"\r" not in data else _cut(data)


def _cut(data: bytes) -> Iterator[bytes]:
    start = 0
    for end in _EVENT_END.finditer(data):
        yield data[start : end.end()]
        start = end.end()


class Whole:
    """Cuts a stream of bytes where events end, so that nobody is ever sent half of one."""

    def __init__(self) -> None:
        self.partial: list[bytes] = []
        """What has come of an event that is not whole yet."""
        self._last = b""

    def feed(self, chunk: bytes) -> bytes:
        """All whole events that have come and were not returned yet; empty while the first is still under way.

        Each byte is looked at once, and joined once: an event that does not end must not cost more the longer it gets.
        """
        if not self.partial and chunk.endswith(b"\n\n"):
            return chunk  # as most do
        known = len(self._last)
        near = self._last + chunk if known else chunk  # a mark may have begun in the pieces before
        end = 0
        for mark in (b"\n\n", b"\r\n\r\n", b"\r\r"):
            if (found := near.rfind(mark)) >= 0:
                end = max(end, found + len(mark))
        if not end:
            self.partial.append(chunk)
            self._last = near[-_LONGEST_MARK:]
            return b""
        end -= known
        whole, rest = b"".join((*self.partial, chunk[:end])), chunk[end:]
        self.partial = [rest] if rest else []
        self._last = rest[-_LONGEST_MARK:]
        return whole
