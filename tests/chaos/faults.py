"""What may go wrong on the way from a provider, byte by byte. Each fault is played on a socket of its own."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .spoken import Said

DRIP_S = 0.005
_TEXT = re.compile(rb'("(?:text|content|delta|generated_text)": ?")')
_HALF = b"\\1\xe2\x82"
_CLOSE = "Connection: close\r\n"
"""In every head, so that no call meets the end of the one before it on a kept connection."""
_LINGER_NOT = b"\1\0\0\0\0\0\0\0"


class Line:
    """The provider's end of a connection."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def raw(self, data: bytes) -> None:
        """Bytes as they are."""
        self._writer.write(data)
        await self._writer.drain()
        await asyncio.sleep(0)

    async def head(
        self, said: Said, *, status: str = "200 OK", content_type: str = "", framing: str = "Transfer-Encoding: chunked"
    ) -> None:
        """A status line and headers."""
        kind = content_type or said.content_type
        await self.raw(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{_CLOSE}{framing}\r\n\r\n".encode())

    async def chunk(self, data: bytes) -> None:
        """One chunk of the body."""
        if data:
            await self.raw(b"%x\r\n%b\r\n" % (len(data), data))

    async def end(self) -> None:
        """The end of a chunked body."""
        await self.raw(b"0\r\n\r\n")

    async def body(self, status: str, content_type: str, data: bytes, more: str = "") -> None:
        """A whole response."""
        head = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {len(data)}\r\n{_CLOSE}{more}\r\n"
        await self.raw(head.encode() + data)

    def reset(self) -> None:
        """Break the connection (TCP RST)."""
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self._writer.transport.abort()

    async def stall(self) -> None:
        """Say nothing more, until the other side goes away."""
        await asyncio.Event().wait()


Play = Callable[[Line, Said], Awaitable[None]]


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong."""

    title: str
    """For the table."""
    play: Play
    """Does it; the connection is closed afterwards."""
    streamed: bool = True
    """It can happen to a stream."""
    unstreamed: bool = True
    """It can happen to a reply in one piece."""
    begins: bool = True
    """Some of a stream comes before it."""
    patience_s: float = 60.0
    """How long the gateway waits for a byte; a quarter of what the whole call may take."""


async def well(line: Line, said: Said) -> None:
    """No fault at all."""
    await line.head(said)
    await line.chunk(said.whole)
    await line.end()


async def _nothing(line: Line, said: Said) -> None:
    del line, said


async def _reset(line: Line, said: Said) -> None:
    del said
    line.reset()


async def _half_a_head(line: Line, said: Said) -> None:
    del said
    await line.raw(b"HTTP/1.1 200 OK\r\nContent-Ty")


async def _stall(line: Line, said: Said) -> None:
    del said
    await line.stall()


async def _no_http(line: Line, said: Said) -> None:
    del said
    await line.raw(b"220 smtp ready\r\n\r\n")


async def _bad_gateway(line: Line, said: Said) -> None:
    del said
    await line.body("502 Bad Gateway", "text/html", b"<html><body><h1>502 Bad Gateway</h1></body></html>")


async def _busy(line: Line, said: Said) -> None:
    await line.body("503 Service Unavailable", "application/json", b'{"message":"busy"}', "Retry-After: 7\r\n")


async def _page(line: Line, said: Said) -> None:
    await line.body("200 OK", "text/html", b"<html><body>Log in to the hotel's network.</body></html>")


async def _error_with_200(line: Line, said: Said) -> None:
    await line.body("200 OK", said.content_type, said.error)


async def _empty(line: Line, said: Said) -> None:
    await line.body("200 OK", said.content_type, b"")


async def _stall_after_the_head(line: Line, said: Said) -> None:
    await line.head(said)
    await line.stall()


async def _begin(line: Line, said: Said) -> None:
    await line.head(said)
    await line.chunk(said.before)


async def _reset_in_the_middle(line: Line, said: Said) -> None:
    await _begin(line, said)
    await line.chunk(said.next[: len(said.next) // 2])
    await asyncio.sleep(0.2)  # a reset throws away what the other side has not read yet
    line.reset()


async def _close_in_the_middle(line: Line, said: Said) -> None:
    await _begin(line, said)
    await line.chunk(said.next[: len(said.next) // 2])


async def _close_in_a_character(line: Line, said: Said) -> None:
    await _begin(line, said)
    await line.chunk(said.next.rpartition(b'"')[0] + "€".encode()[:2])


async def _half_a_character(line: Line, said: Said) -> None:
    await line.head(said)
    if said.streamed:
        await line.chunk(said.before)
        await line.chunk(_TEXT.sub(_HALF, said.next, count=1) + said.rest + said.last)
    else:
        await line.chunk(_TEXT.sub(_HALF, said.whole, count=1))
    await line.end()


async def _polite_end(line: Line, said: Said) -> None:
    await _begin(line, said)
    await line.end()


async def _no_end_mark(line: Line, said: Said) -> None:
    await _begin(line, said)
    await line.chunk(said.next + said.rest)
    await line.end()


async def _stall_in_the_middle(line: Line, said: Said) -> None:
    await _begin(line, said)
    await line.stall()


async def _slow(line: Line, said: Said) -> None:
    await _begin(line, said)
    for i in range(len(said.next + said.rest + said.last)):
        await line.chunk((said.next + said.rest + said.last)[i : i + 1])
        await asyncio.sleep(0.02)
    await line.stall()


async def _drip(line: Line, said: Said) -> None:
    await line.head(said)
    for i in range(len(said.whole)):
        await line.chunk(said.whole[i : i + 1])
    await line.end()


async def _garbled(line: Line, said: Said) -> None:
    await _begin(line, said)
    await line.chunk(said.next.replace(b'":', b'"', 1) + said.rest + said.last)
    await line.end()


async def _page_in_the_middle(line: Line, said: Said) -> None:
    await _begin(line, said)
    await line.chunk(b"data: <html>oops</html>\n\n" + said.next + said.rest + said.last)
    await line.end()


async def _error_in_the_middle(line: Line, said: Said) -> None:
    await _begin(line, said)
    await line.chunk(said.error)
    await line.end()


async def _again(line: Line, said: Said) -> None:
    await _begin(line, said)
    await line.chunk(said.before)
    await line.chunk(said.next + said.rest + said.last)
    await line.end()


async def _again_later(line: Line, said: Said) -> None:
    await _begin(line, said)
    await line.chunk(said.next)
    await line.chunk(said.whole)
    await line.end()


async def _goes_on(line: Line, said: Said) -> None:
    await line.head(said)
    await line.chunk(said.whole + said.next)
    await line.end()


async def _one_piece(line: Line, said: Said) -> None:
    await line.head(said)
    await line.chunk(said.whole.replace(b"{", b"{" + b" " * 1_000_000, 1))
    await line.end()


async def _too_short(line: Line, said: Said) -> None:
    await line.head(said, framing=f"Content-Length: {len(said.whole) + 1000}")
    await line.raw(said.before + said.next)


async def _too_long(line: Line, said: Said) -> None:
    await line.head(said, framing=f"Content-Length: {len(said.before)}")
    await line.raw(said.whole)


async def _plain_text(line: Line, said: Said) -> None:
    await line.head(said, content_type="text/plain")
    await line.chunk(said.whole)
    await line.end()


async def _no_chunk(line: Line, said: Said) -> None:
    await _begin(line, said)
    await line.raw(b"zz\r\n" + said.next)


async def _no_end(line: Line, said: Said) -> None:
    await _begin(line, said)
    await asyncio.sleep(0.05)
    await line.chunk(said.next + said.rest + said.last)
    await line.stall()


FAULTS: dict[str, Fault] = {
    "closed": Fault("closes the connection without an answer", _nothing, begins=False),
    "reset": Fault("resets the connection without an answer", _reset, begins=False),
    "half-head": Fault("closes in the middle of the head", _half_a_head, begins=False),
    "stall": Fault("never answers", _stall, patience_s=1.0, begins=False),
    "no-http": Fault("speaks no HTTP", _no_http, begins=False),
    "html-502": Fault("502 with a page of HTML", _bad_gateway, begins=False),
    "busy": Fault("503 with `Retry-After`", _busy, begins=False),
    "page": Fault("200 with a page of HTML", _page, begins=False),
    "error-200": Fault("200 with an error for its body", _error_with_200, begins=False),
    "empty": Fault("200 with an empty body", _empty, begins=False),
    "stall-body": Fault("stalls after the head", _stall_after_the_head, patience_s=1.0, begins=False),
    "no-chunk": Fault("breaks the chunked coding in the middle", _no_chunk),
    "reset-mid": Fault("resets in the middle", _reset_in_the_middle),
    "closed-mid": Fault("closes in the middle", _close_in_the_middle),
    "closed-char": Fault("closes in the middle of a UTF-8 character", _close_in_a_character),
    "polite": Fault("ends in the middle as if that were the end", _polite_end),
    "no-mark": Fault("ends before the last event", _no_end_mark, unstreamed=False),
    "too-short": Fault("closes before `Content-Length`", _too_short),
    "too-long": Fault("sends more than `Content-Length`", _too_long),
    "stall-mid": Fault("stalls in the middle", _stall_in_the_middle, patience_s=1.0),
    "slow": Fault("sends a byte now and then, for longer than the whole call may take", _slow, patience_s=1.0),
    "half-char": Fault("half a UTF-8 character within the text", _half_a_character),
    "garbled": Fault("broken JSON in the middle", _garbled),
    "page-mid": Fault("a page of HTML for an event", _page_in_the_middle, unstreamed=False),
    "error-mid": Fault("an error in the middle", _error_in_the_middle, unstreamed=False),
    "again": Fault("says its first piece twice", _again, unstreamed=False),
    "again-later": Fault("begins again in the middle", _again_later, unstreamed=False),
    "goes-on": Fault("goes on after the end", _goes_on),
    "no-end": Fault("says all, and never ends the body", _no_end, patience_s=3.0),
    "drip": Fault("says all, a byte at a time", _drip),
    "one-piece": Fault("says all in one piece of a megabyte", _one_piece),
    "plain-text": Fault("says all as `text/plain`", _plain_text),
}
"""By the name that the provider of it has in the tests."""
