"""A caller who reads slowly makes the provider wait: what is on its way between them stays small."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from noria.serve import connections
from noria.settings import Provider
from targets.egress.hostile import Peer, listening

from .conftest import KEY, served

MOST = 24 * 1024 * 1024
"""What the buffers of three sockets hold where the system is generous, and two of Noria's."""
PIECE = b'data: {"choices":[{"index":0,"delta":{"content":"%b"}}]}\n\n' % (b"x" * 65_536)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


async def floods(peer: Peer) -> None:
    await peer.request()
    await peer.say(HEAD)
    while True:
        await peer.say(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))


async def asked(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A call of a caller with small buffers, its answer begun."""
    parts = urlsplit(url)
    caller = socket.socket()
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    caller.setblocking(False)
    await asyncio.get_running_loop().sock_connect(caller, (parts.hostname, parts.port))
    reader, writer = await asyncio.open_connection(sock=caller, limit=16_384)
    body = json.dumps({"model": "flood/m", "messages": [{"role": "user", "content": "?"}], "stream": True})
    fields = f"Host: {parts.netloc}\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"POST /v1/chat/completions HTTP/1.1\r\n{fields}\r\n{body}".encode())
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def test_a_provider_that_floods_waits_for_the_slowest_reader(tmp_path: Path) -> None:
    sent = 0

    async def counted(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.say(HEAD)
        while True:
            await peer.say(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
            sent += len(PIECE)

    async with listening(counted) as provider:
        flood = Provider(base_url=f"http://127.0.0.1:{provider.port}/v1")
        async with served(tmp_path / "data", {"flood": flood}) as server:
            reader, writer = await asked(server.url)
            stood = -1
            async with asyncio.timeout(20):
                while stood != sent:  # until nothing moves any more
                    stood = sent
                    await asyncio.sleep(0.3)
            assert 0 < stood < MOST
            for _ in range(100):
                await reader.readexactly(65_536)
            await asyncio.sleep(0.3)
            assert sent > stood
            writer.close()
            await provider.ended()
            await server.workspace.calling.together.drain()
            [span] = await server.spans()
            assert span["status"] == "cancelled"


async def test_a_caller_who_reads_no_more_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its call holds a place, and a provider's answer, as long as nobody ends it."""
    monkeypatch.setattr(connections, "STALLED_S", 0.3)
    async with listening(floods) as provider:
        flood = Provider(base_url=f"http://127.0.0.1:{provider.port}/v1")
        async with served(tmp_path / "data", {"flood": flood}) as server:
            _, writer = await asked(server.url)
            await provider.ended()
            await server.workspace.calling.together.drain()
            [span] = await server.spans()
            assert span["status"] == "cancelled"
            writer.close()
