"""Answers that are no answers: what stands at NORIA_URL need not be Noria, or even speak HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from noria.cli.api import Api, part
from noria.cli.transports import OverHTTP
from noria.core.errors import Conflict, InvalidInput, NoriaError, Unavailable
from noria.settings import Settings


@asynccontextmanager
async def answering(*pieces: bytes) -> AsyncIterator[tuple[Api, list[bytes]]]:
    """An API whose server answers with these bytes, and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield Api(OverHTTP(url + "/under/", "key"), Settings(), server_url=url), asked


def reply(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


async def test_a_request_as_it_is_sent() -> None:
    async with answering(reply(b'["a"]')) as (api, asked):
        assert await api.get("/api/a b?", list[str], limit=3, app=None) == ["a"]
    head = asked[0].decode().split("\r\n")
    assert head[0] == "GET /under/api/a%20b%3F?limit=3 HTTP/1.1"
    assert "authorization: Bearer key" in head


async def test_chunks_are_put_together() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    async with answering(head, b"3\r\n[1,\r\n", b"2\r\n2]\r\n0\r\n\r\n") as (api, _):
        assert await api.get("/", list[int]) == [1, 2]


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", Unavailable, "does not speak HTTP"),
        (b"", Unavailable, "went away before it had answered"),
        (b"HTTP/1.1 200 OK\r\ncontent-le", Unavailable, "went away before it had answered"),
        (reply(b"<html>"), Unavailable, "is not this version of Noria"),
        (reply(b"<html>", "404 Not Found"), Unavailable, "is not this version of Noria (status 404)"),
        (reply(b"[]", "302 Found"), Unavailable, "is not this version of Noria (status 302)"),
        (
            reply(b'{"error": {"code": "conflict", "message": "Taken.", "kept": "All."}}', "409 C"),
            Conflict,
            "Taken. All.",
        ),
        (reply(b'{"error": {"code": "odd", "message": "Odd."}}', "500 E"), NoriaError, "Odd."),
    ],
)
async def test_what_is_wrong_is_told(answer: bytes, kind: type[NoriaError], sentence: str) -> None:
    async with answering(answer) as (api, _):
        with pytest.raises(kind) as caught:
            await api.get("/api/x", list[str])
    assert sentence in str(caught.value)


@pytest.mark.parametrize("name", ["", "a/b", ".", ".."])
def test_names_that_would_be_paths(name: str) -> None:
    with pytest.raises(InvalidInput, match="can't be a name"):
        part(name)
