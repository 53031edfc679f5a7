"""The client: a request goes out on a kept connection, or on a new one to an address that was checked."""

from __future__ import annotations

import asyncio
import functools
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

from noria.core.errors import CallFailed, CallGarbled, CallTimeout
from noria.targets.egress.addresses import Origin, literal, refusal
from noria.targets.egress.compression import KNOWN, Unpacker
from noria.targets.egress.connection import Connection, NothingCame, Timeouts
from noria.targets.egress.failures import Callee, NoAddress, broken, unanswered
from noria.targets.egress.reading import ResponseReader

_Found = TypeVar("_Found")
KEPT_S = 30.0
"""How long a connection is kept that nobody uses; a server that says less (``Keep-Alive: timeout=5``) is believed."""
MOST_KEPT = 256
"""Connections without a call that are kept for one server."""
STALE_S = 1.0
"""A kept connection that ends so soon after a request, without a byte of answer, was closed by the server before it came."""


class Response:
    """A response whose head has come. Close it: that keeps the connection, or ends the call upstream at once."""

    def __init__(
        self,
        connection: Connection,
        reader: ResponseReader,
        waits: Timeouts,
        callee: Callee,
        over: Callable[[Connection], None],
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._over = over
        self._waits = waits
        self._wait_s = waits.first_byte_s
        self._began = False
        self._callee = callee
        self._unpacked: Iterator[bytes] | None = None
        self._unpacker: Unpacker | None = None
        self.status = reader.status
        """Status code."""
        self.headers = reader.headers
        """Names in lower case."""
        if "content-encoding" in reader.headers:
            encoding = reader.headers["content-encoding"].strip().lower()
            if encoding in KNOWN:
                self._unpacker = Unpacker()
            elif encoding != "identity":
                self.close()
                raise CallFailed(f"{callee.Name} compresses its reply with {encoding[:40]!r}, which was not asked for.")

    @property
    def content_type(self) -> str:
        """Media type of the body, without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def over(self) -> bool:
        """All of the body was read, as far as is known without waiting."""
        return self._reader.complete and not self._reader.waiting and self._unpacker is None

    def read(self, within_s: float | None = None) -> Awaitable[bytes]:
        """More of the body, as soon as there is any; empty at its end.

        Arguments:
            within_s: how long to wait, instead of what the time-outs say.

        Raises:
            CallTimeout: nothing came in time.
            CallCut: the connection ended before the body did.
        """
        return self._read(within_s) if self._unpacker is None else self._read_unpacked(self._unpacker, within_s)

    async def _read(self, within_s: float | None) -> bytes:
        reader = self._reader
        while not (data := reader.take()):
            if reader.complete:
                return b""
            if self._connection.lost or self._connection.error is not None:
                raise broken(self._connection.error, self._callee)
            await self._waited(self._connection.wait(self._wait_s if within_s is None else within_s))
        self._wait_s, self._began = self._waits.idle_s, True
        return data

    def _goes_on(self) -> bool:
        """Whether all that has come was taken, and there may be more."""
        return not (self._reader.waiting or self._reader.complete or self._connection.lost or self._connection.error)

    async def _waited(self, wait: Awaitable[_Found]) -> _Found:
        try:
            return await wait
        except NothingCame as error:
            where = "in the middle of its reply" if self._began else "before its reply began"
            failure = CallTimeout(f"{self._callee.Name} sent nothing more in time, {where}.")
            raise self._callee.at(failure) from error

    async def hand_on(self, take: Callable[[bytes], Awaitable[None] | None], done: Callable[[], bool]) -> None:
        """Hand the body on, to its end or until it is ``done``; mostly by the event loop's own call that has read it.

        Arguments:
            take: takes a piece of it. What it returns is awaited before the next one; what it raises is raised here.
            done: whether no more is wanted. It is asked when something was awaited.

        Raises:
            CallTimeout: nothing came in time.
            CallCut: the connection ended before the body did.
        """
        while not done() and (data := await self.read()):
            waiting = take(data)
            if waiting is None and self._unpacker is None and self._goes_on():
                waiting = await self._waited(self._connection.hand_on(take, self._waits.idle_s))
            if waiting is not None:
                await waiting

    async def _read_unpacked(self, unpacker: Unpacker, within_s: float | None) -> bytes:
        while True:
            try:
                piece = next(self._unpacked, None) if self._unpacked is not None else None
            except zlib.error as error:
                raise CallGarbled(f"{self._callee.Name} sent a compressed reply that can't be unpacked.") from error
            if piece is not None:
                return piece
            packed = await self._read(within_s)
            if not packed:
                if not unpacker.complete:
                    raise broken(None, self._callee)
                return b""
            self._unpacked = unpacker.feed(packed)

    def close(self) -> None:
        """The call is over, at its end or before."""
        if self._connection.reader is self._reader:  # else it was closed before, and carries another call
            self._over(self._connection)


class Egress:
    """Connections to servers, kept between calls. It lives on one event loop; close it at the end.

    As many connections are made as there are calls: whoever limits calls limits them.

    Arguments:
        kept_s: how long a connection is kept that nobody uses.
    """

    def __init__(self, *, kept_s: float = KEPT_S) -> None:
        self._kept_s = kept_s
        self._loop: asyncio.AbstractEventLoop | None = None  # Python 3.11 asks the system each time it is asked for
        self._kept: dict[Origin, list[Connection]] = {}
        self._open: set[Connection] = set()
        self._reaper: asyncio.TimerHandle | None = None
        self._tls: ssl.SSLContext | None = None

    async def post(self, origin: Origin, request: bytes, *, waits: Timeouts, callee: Callee) -> Response:
        """Send a request and return when the head of its response has come.

        A kept connection that its server has closed meanwhile is seen only when it is used; then, where nothing was answered,
        the request goes out once more, on a new one.

        Arguments:
            origin: where to.
            request: head and body, as they go over the wire.
            waits: how long to wait.
            callee: who is called, for people.

        Raises:
            CallTimeout: the connection, or the head, did not come in time.
            CallFailed: no connection, or no HTTP.
        """
        loop = self._loop = self._loop or asyncio.get_running_loop()
        now = loop.time()
        end = now + waits.total_s
        connection = self._take(origin, now)
        kept = connection is not None
        while True:
            if connection is None:
                connection = await self._connected(origin, waits, callee)
            began = loop.time()
            reader = connection.begin(request, end)
            try:
                while not (reader.headed or connection.lost or connection.error):
                    await connection.wait_until(began + waits.first_byte_s)
            except NothingCame as error:
                connection.abort()
                raise callee.at(CallTimeout(f"{callee.Name} did not begin to answer in time.")) from error
            except BaseException:
                connection.abort()
                raise
            if reader.headed:
                return Response(connection, reader, waits, callee, functools.partial(self._put_back, origin))
            connection.abort()
            if not (kept and not reader.begun and loop.time() - began < STALE_S):
                raise unanswered(connection.error, callee)
            connection, kept = None, False

    def _put_back(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection whose call is over, where it can carry another; else end it."""
        reader = connection.reader
        if not connection.finish() or reader is None or not origin.kept:
            connection.abort()
            return
        waiting = self._kept.setdefault(origin, [])
        if len(waiting) >= MOST_KEPT:
            connection.abort()
            return
        assert self._loop is not None  # noqa: S101  # a call was made
        loop = self._loop
        connection.idle_until = loop.time() + min(self._kept_s, _stated_s(reader.headers))
        waiting.append(connection)
        if self._reaper is None:
            self._reaper = loop.call_later(self._kept_s, self._reap)

    async def aclose(self) -> None:
        """End all connections, and wait until they have ended."""
        if self._reaper is not None:
            self._reaper.cancel()
        ended = [connection.ended for connection in self._open]
        for connection in self._open:
            connection.abort()
        if ended:
            await asyncio.wait(ended)

    def _take(self, origin: Origin, now: float) -> Connection | None:
        """The connection that was used last, so that the others grow old and leave."""
        waiting = self._kept.get(origin)
        while waiting:
            connection = waiting.pop()
            if connection.usable and connection.idle_until > now:
                return connection
            connection.abort()
        return None

    async def _connected(self, origin: Origin, waits: Timeouts, callee: Callee) -> Connection:
        within_s = min(waits.connect_s, waits.total_s)
        until = asyncio.get_running_loop().time() + within_s
        try:
            async with asyncio.timeout(within_s):
                addresses = await _addresses(origin)
            return await self._connect(origin, addresses, until)
        except (OSError, UnicodeError) as error:  # a time-out is an OSError
            raise unanswered(error, callee) from error

    async def _connect(self, origin: Origin, addresses: list[tuple[int, str]], until: float) -> Connection:
        """Connect to the first address that answers; each gets its share of the time. Raises ``OSError`` and its kinds."""
        loop = asyncio.get_running_loop()
        failed: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
        for left, (family, address) in zip(range(len(addresses), 0, -1), addresses, strict=True):
            try:
                async with asyncio.timeout((until - loop.time()) / left):
                    _, connection = await loop.create_connection(
                        lambda: Connection(loop, self._lost),
                        address,
                        origin.port,
                        family=family,
                        ssl=self._context() if origin.secure else None,
                        server_hostname=origin.host if origin.secure else None,
                    )
            except OSError as error:
                failed = error
                continue
            self._open.add(connection)
            return connection
        raise failed

    def _lost(self, connection: Connection) -> None:
        self._open.discard(connection)

    def _context(self) -> ssl.SSLContext:
        """The system's certificate authorities. Made when first needed: reading them takes a tenth of a second."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls

    def _reap(self) -> None:
        """End what nobody used for so long."""
        self._reaper = None
        loop = asyncio.get_running_loop()
        now = loop.time()
        for origin, waiting in list(self._kept.items()):
            young = [connection for connection in waiting if connection.usable and connection.idle_until > now]
            for connection in set(waiting).difference(young):
                connection.abort()
            if young:
                self._kept[origin] = young
            else:
                del self._kept[origin]
        if self._kept:
            self._reaper = loop.call_later(self._kept_s, self._reap)


async def _addresses(origin: Origin) -> list[tuple[int, str]]:
    """Families and addresses that may be connected to, in the system's order.

    Raises:
        NoAddress: there are some, and none may be called.
    """
    found: list[tuple[int, str]]
    if (itself := literal(origin.host)) is not None:
        found = [(socket.AF_INET if itself.version == 4 else socket.AF_INET6, origin.host)]
    else:
        loop = asyncio.get_running_loop()
        infos = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
        found = [(info[0], str(info[4][0])) for info in infos]
    refused = {address: why for _, address in found if (why := refusal(origin, address))}
    allowed = [pair for pair in found if pair[1] not in refused]
    if refused and not allowed:
        address, why = next(iter(refused.items()))
        raise NoAddress(address, why)
    return allowed


def _stated_s(headers: dict[str, str]) -> float:
    """How long the server keeps the connection, a second less for the way; infinite where it does not say."""
    for piece in headers["keep-alive"].split(",") if "keep-alive" in headers else ():
        name, _, value = piece.strip().partition("=")
        if name.lower() == "timeout" and value.strip().isdecimal():
            return max(0.0, float(value) - 1)
    return float("inf")
