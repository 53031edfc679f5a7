"""One connection to a server, which answers one request at a time.

Time is kept by one timer, which looks up, when it rings, whether it rang too early: a timer for every piece would cost more
than reading the piece, and one for every call nearly as much as sending it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from noria.core.struct import Noun
from noria.targets.egress.reading import BadResponse, ResponseReader

HIGH = 256 * 1024
"""When so many bytes of a body wait for their reader, the server has to wait."""


class NothingCame(Exception):
    """Nothing came in time. No ``TimeoutError``, which whoever is handed the body may raise for reasons of its own."""


class Timeouts(Noun):
    """How long to wait, seconds. Running out of any raises ``CallTimeout``."""

    connect_s: float = 10.0
    """For the connection: the name, TCP and TLS."""
    first_byte_s: float = 120.0
    """For the head of the reply, and again for the first byte of its body: the provider's queue and the prompt."""
    idle_s: float = 60.0
    """Between two pieces of the body."""
    total_s: float = 600.0
    """For the whole call, pauses of whoever reads the events included."""


class Connection(asyncio.Protocol):
    """Bytes between one request and its response.

    Arguments:
        loop: the event loop.
        on_lost: is told when the connection has ended.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_lost: Callable[[Connection], Any]) -> None:
        self._loop = loop
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._paused = False
        self._timer: asyncio.TimerHandle | None = None
        self._rings = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self._until = 0.0
        self._end = 0.0
        self._take: Callable[[bytes], Awaitable[None] | None] | None = None
        self._left: Awaitable[None] | None = None
        self._idle_s = 0.0
        self.lost = False
        """It has ended."""
        self.reader: ResponseReader | None = None
        """The response that is being read; None between two."""
        self.ended: asyncio.Future[None] = loop.create_future()
        """Done when the connection has ended."""
        self.error: Exception | None = None
        """Why, where it did not just end."""
        self.idle_until = 0.0
        """For whoever keeps it: the loop's time when it is too old to be used."""

    # -- called by the event loop

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # it is one of streams
        """It is there."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Read, and wake who waits."""
        reader = self.reader
        if reader is None:  # nothing was asked
            self.abort()
            return
        try:
            reader.feed(data)
        except BadResponse as error:
            self.error = error
            self.abort()
        if self._take is not None and not reader.complete and self._taken(reader, self._take):
            return
        if reader.waiting > HIGH and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        self.lost = True
        self.ended.set_result(None)
        self.error = self.error or exc
        if self.reader is not None:
            self.reader.end()
        self._stop_timer()
        self._wake()
        self._on_lost(self)

    # -- called by whoever sends a request

    @property
    def usable(self) -> bool:
        """A request can be sent on it, as far as anybody knows."""
        return not self.lost and self._transport is not None and not self._transport.is_closing()

    def begin(self, request: bytes, end: float) -> ResponseReader:
        """Send a request; the whole call must end by ``end``, on the loop's clock."""
        assert self._transport is not None  # noqa: S101  # it was connected before anybody got it
        self._end = end
        self.reader = ResponseReader()
        self._transport.write(request)
        return self.reader

    def wait(self, wait_s: float) -> asyncio.Future[None]:
        """Done when something has come, or the connection has ended; has ``NothingCame`` where not in time."""
        return self.wait_until(self._loop.time() + wait_s)

    def wait_until(self, until: float) -> asyncio.Future[None]:
        """The same, with the end as the loop's clock has it."""
        if self._paused and self._transport is not None and not self.lost:
            self._paused = False
            self._transport.resume_reading()
        self._until = min(until, self._end)
        if self._timer is None or self._until < self._rings:
            self._set_timer(self._until)
        waiter = self._waiter = self._loop.create_future()
        return waiter

    async def hand_on(self, take: Callable[[bytes], Awaitable[None] | None], idle_s: float) -> Awaitable[None] | None:
        """Hand pieces of the body on where they are read, without a task that is woken for each.

        Arguments:
            take: takes a piece. What it raises is raised here.
            idle_s: how long to wait for each.

        Returns:
            What ``take`` has returned that has to be awaited, or None where the body has ended. What came since is waiting then.

        Raises:
            NothingCame: not in time.
        """
        self._take, self._left, self._idle_s = take, None, idle_s
        try:
            await self.wait(idle_s)
        finally:
            self._take = None
        return self._left

    def finish(self) -> bool:
        """The call is over; whether the connection can carry another. What is still coming is not waited for."""
        reader, self.reader = self.reader, None  # the timer stays: it finds out by itself that nobody waits
        if reader is not None:
            reader.close()
        if reader is not None and reader.reusable and not self._paused and self.usable and self._all_sent():
            return True
        self.abort()
        return False

    def abort(self) -> None:
        """End it at once."""
        if self._transport is not None:
            self._transport.abort()

    def _all_sent(self) -> bool:
        return self._transport is not None and self._transport.get_write_buffer_size() == 0

    def _taken(self, reader: ResponseReader, take: Callable[[bytes], Awaitable[None] | None]) -> bool:
        """Hand on what has come; whether more may come. Else whoever waits has to go on."""
        waiter = self._waiter
        if waiter is None or waiter.done() or self.error is not None:
            return False
        self._until = min(self._loop.time() + self._idle_s, self._end)
        data = reader.take()
        try:
            self._left = take(data) if data else None
        except BaseException as error:  # noqa: BLE001  # it is whose call it is that has to know
            waiter.set_exception(error)
            return True
        return self._left is None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _ring(self) -> None:
        self._timer = None
        waiter = self._waiter
        if waiter is None or waiter.done():  # somebody works on what has come; the next wait sets it again
            return
        if self._loop.time() >= self._until:
            waiter.set_exception(NothingCame())
        else:
            self._set_timer(self._until)

    def _set_timer(self, at: float) -> None:
        self._stop_timer()
        self._rings = at
        self._timer = self._loop.call_at(at, self._ring)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
