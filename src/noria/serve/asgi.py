"""The little of ASGI that the gateway's raw path needs: types, reading a body, sending a response.

Source: the ASGI specification, version 3.0.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any

from noria.core.errors import CallFailed, Cancelled, InvalidInput, LimitReached, NoriaError, Unavailable

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]
"""Names, in lower case, and values."""
Lines = bytes
"""Headers as they are sent, each a whole line. Nothing in them is looked at again, so they are made of what has no ends of lines."""


CAME = "noria.came"
"""Where a scope has the time at which its request was read, by the event loop's clock, where the server offers it."""
GONE = "noria.gone"
"""Where a scope has its connection's :class:`Hangup`, where the server offers one."""


class Hangup:
    """Tells when the client has gone away, without a task that waits for it."""

    __slots__ = ("happened", "listener", "task")

    def __init__(self) -> None:
        self.happened = False
        """It has gone."""
        self.listener: Callable[[], object] | None = None
        """Is called once when it goes."""
        self.task: asyncio.Task[None] | None = None
        """Answers what the client has asked last."""

    def happen(self) -> None:
        """It has gone."""
        self.happened = True
        listener, self.listener = self.listener, None
        if listener is not None:
            listener()


_READ = "noria.headers"
"""Where a scope keeps its headers once they were read: the door reads them first, and whoever answers again."""


def headers_of(scope: Scope) -> dict[str, str]:
    """Request headers by lower-case name, decoded as Latin-1.

    Repeated ones are joined by a comma (RFC 9110, section 5.3), cookies by a semicolon (RFC 9113, section 8.2.3). So a
    second ``Host``, ``Origin`` or ``Authorization`` hides behind no first one: the joined value is none of ours.
    """
    read: dict[str, str] | None = scope.get(_READ)
    if read is not None:
        return read
    raw = scope["headers"]
    found = {name.decode("latin-1"): value.decode("latin-1") for name, value in raw}  # names are in lower case
    if len(found) < len(raw):
        found = _joined(raw)
    scope[_READ] = found
    return found


def _joined(raw: Headers) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        found[name] = f"{found[name]}{'; ' if name == 'cookie' else ', '}{value}" if name in found else value
    return found


async def read_body(receive: Receive, limit: int) -> bytes:
    """The whole request body.

    Raises:
        InvalidInput: 413, it is larger than ``limit`` bytes; the rest is not read.
        Cancelled: the client went away.
    """
    pieces: list[bytes] = []
    size = 0
    while True:
        piece, more = await body_piece(receive)
        size += len(piece)
        if size > limit:
            error = InvalidInput(f"The request body is larger than {limit:,} bytes.")
            error.status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE.value
            raise error
        pieces.append(piece)
        if not more:
            return b"".join(pieces)


async def body_piece(receive: Receive) -> tuple[bytes, bool]:
    """The next piece of a request body, and whether there is more. Raises ``Cancelled`` where the client went away."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Cancelled("The client went away before its request was complete.")
    return message.get("body", b""), message.get("more_body", False)


def lines_of(headers: Headers) -> Lines:
    """Headers as lines. Raises ``ValueError`` for a header that would make others of itself."""
    lines = b"\0".join(
        [*map(b": ".join, headers), b""]
    )  # by what no header may have either: all are looked through at once
    if b"\n" in lines or b"\r" in lines or lines.count(b"\0") != len(headers):
        raise ValueError("A header of the response has the end of a line in it.")
    return lines.replace(b"\0", b"\r\n")


def headers_in(lines: Lines) -> list[tuple[bytes, bytes]]:
    """The headers of lines, as ASGI has them."""
    return [(name, value) for name, _, value in (line.partition(b": ") for line in lines.split(b"\r\n")[:-1])]


async def respond(
    send: Send, status: int, body: bytes, content_type: str, headers: Headers = (), *, more: Lines = b""
) -> None:
    """Send a whole response with these headers and ``more``; at once, where the server offers that."""
    lines = b"content-type: %b\r\ncontent-length: %d\r\nx-content-type-options: nosniff\r\n%b%b" % (
        content_type.encode(),
        len(body),
        more,
        lines_of(headers) if headers else b"",
    )
    at_once: Callable[[int, Lines, bytes], bool] | None = getattr(send, "at_once", None)
    if at_once is None or not at_once(status, lines, body):
        await send({"type": "http.response.start", "status": status, "headers": headers_in(lines)})
        await send({"type": "http.response.body", "body": body})


def retry_after(error: NoriaError) -> Headers:
    """``Retry-After`` in whole seconds, at least 1, where it is known when the same call may succeed."""
    seconds = error.retry_after_s if isinstance(error, Unavailable | CallFailed | LimitReached) else None
    return () if seconds is None else ((b"retry-after", str(max(1, math.ceil(seconds))).encode()),)
