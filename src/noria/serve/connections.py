"""Connections as uvicorn makes them, with limits on what a stranger may send before anybody has asked for a key.

The parser keeps whatever comes until a head is complete, and waits for it for ever: without limits one connection fills
the memory, and some thousand slow ones take all of the process's file descriptors (Slowloris, CWE-400).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from noria.serve.asgi import CAME, GONE, Hangup
from noria.serve.sending import Sending

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

MAX_HEAD = 64 * 1024
"""Most bytes of a request's line and headers, or of the trailers of its body. What one read brings may exceed it."""
BODY_S = 60.0
"""Seconds that a body may pause between two pieces, while somebody waits for the next."""
LINGER_S = 5.0
"""Seconds that the rest of a body may take after its answer, which is mostly that a key is missing."""
STALLED_S = 60.0
"""Seconds that a client may take nothing of its answer, while more of it waits; its call holds a place, and a provider's answer."""
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
    _stalled_timer: asyncio.TimerHandle | None = None
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
        self._stop_stalled_timer()
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
            return app(scope, receive, Sending(cycle))

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

    def pause_writing(self) -> None:
        """The client reads more slowly than its answer comes."""
        super().pause_writing()
        if self._stalled_timer is None:
            self._expect_reading(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """It has read."""
        self._stop_stalled_timer()
        super().resume_writing()

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

    def _expect_reading(self, left: int) -> None:
        """Look again later whether any of the ``left`` bytes was taken; a client that takes none is gone."""
        self._stalled_timer = self.loop.call_later(STALLED_S, self._end_stalled, left)

    def _end_stalled(self, left: int) -> None:
        now = self.transport.get_write_buffer_size()
        if now >= left:
            self._stalled_timer = None
            self.transport.abort()
        else:
            self._expect_reading(now)

    def _stop_stalled_timer(self) -> None:
        if self._stalled_timer is not None:
            self._stalled_timer.cancel()
            self._stalled_timer = None

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
