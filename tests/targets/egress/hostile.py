"""A server on a raw socket that does whatever a test wants to each connection."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class Peer:
    """One connection, as the server sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self.reader = reader
        self.writer = writer
        self.number = number
        """Which connection, from 1."""

    async def request(self) -> bytes:
        """The next request, whole."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        return head + await self.reader.readexactly(length)

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Return when the client has ended the connection."""
        while await self.reader.read(65536):
            pass


class Server:
    def __init__(self) -> None:
        self.port = 0
        self.peers: list[Peer] = []
        self._over = asyncio.Condition()
        self._count = 0

    async def ended(self, count: int = 1) -> None:
        """Return when so many connections have ended."""
        async with asyncio.timeout(2), self._over:
            await self._over.wait_for(lambda: self._count >= count)

    async def note(self) -> None:
        async with self._over:
            self._count += 1
            self._over.notify_all()


@asynccontextmanager
async def listening(act: Callable[[Peer], Awaitable[None]], tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server, tasks = Server(), set[asyncio.Task[None] | None]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        peer = Peer(reader, writer, len(server.peers) + 1)
        server.peers.append(peer)
        try:
            await act(peer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            await server.note()

    listener = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in filter(None, tasks):
            task.cancel()
        await asyncio.gather(*filter(None, tasks), return_exceptions=True)
        for peer in server.peers:
            peer.writer.transport.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
