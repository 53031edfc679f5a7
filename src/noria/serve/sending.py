"""Responses by as few writes as can be."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from noria.core.answering import Later


class Sending:
    """Sends a response by as few writes as can be, since each is a call of the system and wakes the client.

    A whole one, head and body, goes by one; a streamed one by one for each piece, its head with the first. Whatever is not
    so simple is sent as uvicorn sends it.

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
        return Later(cycle.flow.drain) if cycle.flow.write_paused else None

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
