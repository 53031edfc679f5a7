"""A server that plays a fault: the first steps of the path say of what kind of provider, and which."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from .faults import FAULTS, Line, Play, well
from .spoken import SPOKEN


@asynccontextmanager
async def chaos() -> AsyncIterator[str]:
    """Its address. A call of ``/openai/reset/v1/chat/completions`` meets the fault ``reset`` of an OpenAI provider.

    The fault ``well`` is none. Below a further step that begins with ``once`` a fault is met once, and then no more.
    """
    met: set[str] = set()
    spoken = {kind: make() for kind, make in SPOKEN.items()}
    said = {kind: (it.unstreamed(), it.streamed()) for kind, it in spoken.items()}
    playing: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        playing.add(task)
        task.add_done_callback(playing.discard)
        try:
            path, body = await _request(reader)
            _, kind, fault, once, *_ = path.split("/")
            if once.startswith("once"):
                here = f"{kind}/{fault}/{once}"
                fault = "well" if here in met else fault
                met.add(here)
            streamed = "stream" in path or bool(json.loads(body).get("stream"))
            gone = asyncio.create_task(_gone(reader))
            play = asyncio.ensure_future(_plays(fault)(Line(writer), said[kind][streamed]))
            await asyncio.wait({gone, play}, return_when=asyncio.FIRST_COMPLETED)
            for each in (gone, play):
                each.cancel()
            await asyncio.gather(gone, play, return_exceptions=True)
        except (asyncio.IncompleteReadError, OSError):
            return
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        finally:
            for task in playing:
                task.cancel()
            await asyncio.gather(*playing, return_exceptions=True)


def _plays(fault: str) -> Play:
    return well if fault == "well" else FAULTS[fault].play


async def _request(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    return head.split(b" ", 2)[1].decode(), await reader.readexactly(length)


async def _gone(reader: asyncio.StreamReader) -> None:
    """Until the caller has gone away."""
    with contextlib.suppress(OSError):
        while await reader.read(1024):
            pass
