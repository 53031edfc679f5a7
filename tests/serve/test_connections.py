"""What a stranger may send to the server before anybody has asked for a key."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import pytest

from noria.serve import connections
from noria.serve.connections import MAX_HEAD

from .conftest import KEY, Noria

PIECE = b"a" * 16_384
ENOUGH = 4_096
"""Pieces of 16 KiB: 64 MiB, far more than a head may have."""


async def connect(server: Noria) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(server.url)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def sent_before_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, start: bytes) -> int:
    """Send ``start`` and then pieces until the server hangs up; how many bytes it took."""
    count = 0
    try:
        writer.write(start)
        for _ in range(ENOUGH):
            writer.write(PIECE)
            await writer.drain()
            count += len(PIECE)
    except ConnectionError:
        pass
    writer.close()
    return count


HOST = b"Host: 127.0.0.1\r\n"


@pytest.mark.parametrize("key", ["", f"Authorization: Bearer {KEY}\r\n"], ids=["a stranger", "a sender with a key"])
async def test_nobody_holds_a_connection_with_a_body_that_has_no_end(
    server: Noria, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LINGER_S", 0.5)
    monkeypatch.setattr(connections, "BODY_S", 0.5)
    reader, writer = await connect(server)
    kind = b"Content-Type: application/x-protobuf\r\nContent-Length: 1000000\r\n"
    writer.write(b"POST /v1/traces HTTP/1.1\r\n" + HOST + key.encode() + kind + b"\r\n")

    async def drip() -> None:
        while not key:  # a stranger was answered already, so not even drops help
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.05)

    dripping = asyncio.create_task(drip())
    try:
        async with asyncio.timeout(20):
            answer = await reader.read()
    except ConnectionError:
        answer = b"HTTP/1.1 401"
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 401") or (key and not answer)


async def test_a_slow_body_that_goes_on_is_taken(server: Noria, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "BODY_S", 0.5)
    reader, writer = await connect(server)
    head = f"Authorization: Bearer {KEY}\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n"
    writer.write(b"POST /v1/traces HTTP/1.1\r\n" + HOST + head.encode())
    for piece in (b"{", b"  ", b"      ", b" ", b" ", b"}"):
        await asyncio.sleep(0.2)
        writer.write(piece)
    async with asyncio.timeout(20):
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()


@pytest.mark.parametrize(
    "start",
    [
        b"GET /",
        b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: ",
        b"GET /healthz HTTP/1.1\r\n" + HOST,
        b"POST /healthz HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: ",
    ],
    ids=["a target", "a header", "a header's name", "a trailer"],
)
async def test_nobody_fills_the_memory_with_a_head_that_has_no_end(server: Noria, start: bytes) -> None:
    reader, writer = await connect(server)
    async with asyncio.timeout(20):
        taken = await sent_before_the_end(reader, writer, start)
    assert taken < len(PIECE) * ENOUGH
    assert (await server.client.get("/healthz")).status_code == 200


async def test_too_large_a_head_is_told(server: Noria) -> None:
    reader, writer = await connect(server)
    writer.write(b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: " + b"a" * MAX_HEAD)
    answer = await asyncio.wait_for(reader.read(), 20)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"head is larger than 65,536 bytes" in answer
    writer.close()


async def test_bodies_and_many_requests_on_one_connection_are_no_heads(server: Noria) -> None:
    reader, writer = await connect(server)
    head = b"POST /healthz HTTP/1.1\r\n" + HOST
    get = b"GET /healthz HTTP/1.1\r\n" + HOST
    chunk = b"8000\r\n" + b"a" * 0x8000 + b"\r\n"
    for _ in range(3):
        writer.write(head + b"Content-Length: 200000\r\n\r\n" + b"a" * 200_000)
        assert b" 405 " in await asyncio.wait_for(reader.readline(), 20)
        writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 5 + b"0\r\n\r\n")
        writer.write((get + b"X: " + b"a" * 1_000 + b"\r\n\r\n") * 100)
        await writer.drain()
        answered = b""
        while answered.count(b"HTTP/1.1 200 OK") < 100:
            piece = await asyncio.wait_for(reader.read(65_536), 20)
            assert piece, answered[-300:]
            answered += piece
        assert answered.count(b" 405 ") == 1
        while not answered.endswith(b'{"status":"ok"}'):
            answered += await asyncio.wait_for(reader.read(65_536), 20)
    writer.close()


@pytest.mark.parametrize("start", [b"", b"GET /healthz HTTP/1.1\r\nX: "], ids=["nothing", "half a head"])
async def test_who_does_not_say_what_it_wants_is_left(
    server: Noria, start: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.05)
    reader, writer = await connect(server)
    writer.write(start)
    assert await asyncio.wait_for(reader.read(), 20) == b""
    writer.close()


async def test_a_second_request_has_its_own_time(server: Noria, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = await connect(server)
    writer.write(b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n")
    assert b" 200 " in await asyncio.wait_for(reader.readline(), 20)
    monkeypatch.setattr(connections, "HEAD_S", 0.05)
    writer.write(b"GET /healthz HTTP/1.1\r\nX: ")
    assert (await asyncio.wait_for(reader.read(), 20)).endswith(b'{"status":"ok"}')
    writer.close()


async def test_an_answer_may_take_longer_than_a_head(server: Noria, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.05)
    gate = asyncio.Event()
    server.upstream.script = lambda _: [gate]
    reader, writer = await connect(server)
    body = b'{"model":"up/m","messages":[{"role":"user","content":"hi"}]}'
    fields = HOST + b"Authorization: Bearer " + KEY.encode() + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\n" + fields + body)
    answer = asyncio.create_task(reader.readline())
    await asyncio.wait({answer}, timeout=0.2)
    assert not answer.done()
    gate.set()
    assert (await asyncio.wait_for(answer, 20)).startswith(b"HTTP/1.1 ")
    writer.close()


async def test_requests_that_come_together_are_answered_in_turn(server: Noria) -> None:
    reader, writer = await connect(server)
    for method, path in (("GET", "/healthz"), ("HEAD", "/healthz"), ("GET", "/nowhere")):
        close = "Connection: close\r\n" if path == "/nowhere" else ""
        key = f"Authorization: Bearer {KEY}\r\n"
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{key}{close}\r\n".encode())
    async with asyncio.timeout(20):
        answers = (await reader.read()).split(b"HTTP/1.1 ")[1:]
    writer.close()
    assert [answer[:3] for answer in answers] == [b"200", b"200", b"404"]
    assert [b'{"status":"ok"}' in answer for answer in answers] == [True, False, False]
    assert b"connection: close" in answers[2]
