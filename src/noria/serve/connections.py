"""Connections as uvicorn makes them, with limits on what a stranger may send before anybody has asked for a key.

The parser keeps whatever comes until a head is complete, and waits for it for ever: without limits one connection fills
the memory, and some thousand slow ones take all of the process's file descriptors (Slowloris, CWE-400).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from noria.serve.asgi import CAME, GONE, Hangup

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

MAX_HEAD = 64 * 1024
"""Most bytes of a request's line and headers, or of the trailers of its body. What one read brings may exceed it."""
BODY_S = 60.0
"""Seconds that a body may pause between two pieces, while somebody waits for the next."""
LINGER_S = 5.0
"""Seconds that the rest of a body may take after its answer, which is mostly that a key is missing."""
HEAD_S = 20.0
"""Seconds from the connection, or from a request's first byte, to the end of its headers."""


class BoundedHTTP(HttpToolsProtocol):
    """HTTP/1.1 on one connection."""

    _unheard = 0
    """Bytes since the parser last passed something on."""
    _in_head = False
    """A request has begun, and its head is not whole."""
    _in_body = False
    """A head was whole, and its body is not."""
    _head_timer: asyncio.TimerHandle | None = None
    _body_timer: asyncio.TimerHandle | None = None
    _last_piece = 0.0
    """When the last piece of a body came, on the loop's clock."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn's own
        """Wait for the first request, for some time."""
        super().connection_made(transport)
        self._hangup = Hangup()
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop_head_timer()
        self._stop_body_timer()
        super().connection_lost(exc)
        self._hangup.happen()

    def data_received(self, data: bytes) -> None:
        """Parse what came; end a connection whose head or trailers have no end.

        What came whole, as most requests do, is never waited for, and needs no timers.
        """
        self._unheard += len(data)
        super().data_received(data)
        if self._in_head and self._head_timer is None:
            self._expect_head()
        if self._in_body and self._body_timer is None:
            self._body_timer = self.loop.call_later(BODY_S, self._end_idle_body)
        if self._unheard > MAX_HEAD and not self.transport.is_closing():
            self.send_400_response(f"The request's head is larger than {MAX_HEAD:,} bytes.")

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        def at_once(scope: Any, receive: Any, _send: Any) -> Awaitable[None]:
            return app(scope, receive, _Sending(cycle))

        cycle.scope[CAME] = self.loop.time()  # type: ignore[literal-required]  # our own, beside those of ASGI
        super()._start_asgi_task(cycle, at_once)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._stop_head_timer()
        self._in_head = True
        super().on_message_begin()
        self.scope[GONE] = self._hangup  # type: ignore[literal-required]  # our own, beside those of ASGI

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._stop_head_timer()
        self._in_head, self._in_body = False, True
        self._last_piece = self.loop.time()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of its body, which whoever answers bounds."""
        self._unheard = 0
        self._last_piece = self.loop.time()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """It ends."""
        self._unheard = 0
        self._in_body = False
        self._stop_body_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Its answer is sent; what is still missing of its body is waited for, but not for ever."""
        if self._in_body and self.cycle.response_complete:  # not of a pipelined one before it
            self._stop_body_timer()
            self._body_timer = self.loop.call_later(LINGER_S, self.transport.close)
        super().on_response_complete()

    def _end_idle_body(self) -> None:
        """Hang up on a body of which nothing came, unless nobody asked for more of it."""
        idle_s = 0.0 if self.flow.read_paused else self.loop.time() - self._last_piece
        if idle_s >= BODY_S:
            self.transport.close()
        else:
            self._body_timer = self.loop.call_later(BODY_S - idle_s, self._end_idle_body)

    def _stop_body_timer(self) -> None:
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def _expect_head(self) -> None:
        self._stop_head_timer()
        self._head_timer = self.loop.call_later(HEAD_S, self.transport.close)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _Sending:
    """Sends a response by as few writes as can be, since each is a call of the system and wakes the client.

    A whole one, head and body, goes by one; a streamed one by one for each piece, its head with the first. Whatever is not so simple is sent as uvicorn sends it.

    Arguments:
        cycle: uvicorn's state of the response.
    """

    __slots__ = ("_cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    async def __call__(self, message: Any) -> None:
        """ASGI's ``send``."""
        await self._cycle.send(message)

    def at_once(self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
        """Send a response whose headers tell the length of its body.

        Returns:
            Whether it was simple enough, and is sent.
        """
        cycle, head = self._cycle, self._head(headers)
        if head is None:
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[status], head, body))
        cycle.message_event.set()
        cycle.on_response()
        return True

    def begin(self, status: int, headers: Sequence[tuple[bytes, bytes]], piece: bytes) -> bool:
        """Begin a response whose length nobody knows, with its first piece. Its end is sent as ASGI has it.

        Returns:
            Whether it was simple enough, and is sent; then the other pieces can go by :meth:`more`.
        """
        cycle, head = self._cycle, self._head(headers)
        if head is None:
            return False
        cycle.response_started = cycle.chunked_encoding = True
        cycle.waiting_for_100_continue = False
        framed = (STATUS_LINE[status], head, len(piece), piece)
        cycle.transport.write(b"%b%btransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n" % framed)
        return True

    def more(self, piece: bytes) -> Awaitable[None] | None:
        """Send a piece that is not empty; what it returns has to be awaited, because the client reads too slowly."""
        cycle = self._cycle
        if cycle.disconnected:
            return None
        cycle.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        return cycle.flow.drain() if cycle.flow.write_paused else None

    def _head(self, headers: Sequence[tuple[bytes, bytes]]) -> bytes | None:
        """The lines of a simple head; None where uvicorn has to see to it."""
        cycle = self._cycle
        if (
            not cycle.keep_alive
            or cycle.scope["method"] == "HEAD"
            or cycle.disconnected
            or cycle.response_started
            or cycle.flow.write_paused
            or cycle.access_log
        ):
            return None
        fields = [*cycle.default_headers, *headers]
        head = b"".join([b"%b: %b\r\n" % field for field in fields])
        count = len(fields)
        if head.count(b"\n") != count or head.count(b"\r") != count or b"\0" in head or b"connection: " in head:
            return None  # uvicorn says what is wrong with it, or heeds it
        return head
