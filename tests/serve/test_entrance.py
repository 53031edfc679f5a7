"""A caller who sends slowly holds no place, and all who do together take little memory."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from noria.serve import entrance
from noria.serve.app import Application
from noria.serve.asgi import Message

from .conftest import KEY, Noria
from .test_limits import BODY


class Slow:
    """A call whose body comes when the test says so."""

    def __init__(self, noria: Noria) -> None:
        self.pieces: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: list[Message] = []
        self.app = Application(noria.workspace, noria.access)
        self.task = asyncio.create_task(self._call())

    def send(self, body: bytes, *, more: bool = True) -> None:
        self.pieces.put_nowait({"type": "http.request", "body": body, "more_body": more})

    async def status(self) -> int:
        await self.task
        return int(self.sent[0]["status"])

    @property
    def error(self) -> Any:
        return json.loads(self.sent[1]["body"])["error"]

    async def _call(self) -> None:
        async def send(message: Message) -> None:
            self.sent.append(message)

        headers = [(b"host", b"127.0.0.1"), (b"authorization", f"Bearer {KEY}".encode())]
        path = "/v1/chat/completions"
        scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
        await self.app(scope, self.pieces.get, send)


async def test_whoever_sends_slowly_keeps_nobody_waiting(noria: Noria) -> None:
    noria.workspace.calling.slots.resize(1, waiting=0)
    slow = [Slow(noria) for _ in range(3)]
    for one in slow:
        one.send(json.dumps(BODY).encode()[:9])
    await asyncio.sleep(0.05)
    assert noria.workspace.calling.slots.taken == 0
    assert (await noria.client.post("/v1/chat/completions", json=BODY)).status_code == 200
    slow[0].send(json.dumps(BODY).encode()[9:], more=False)
    assert await slow[0].status() == 200
    for one in slow[1:]:
        one.task.cancel()


async def test_a_body_has_some_time(noria: Noria, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrance, "WHOLE_BODY_S", 0.05)
    slow = Slow(noria)
    slow.send(b"{")
    assert await slow.status() == 408
    assert "did not come within 0.05 seconds" in slow.error["message"]


async def test_large_bodies_have_some_memory_together(noria: Noria, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrance, "MAX_TOGETHER", 1000)
    app = Slow(noria)
    other = Slow(noria)
    other.app = app.app
    app.send(b" " * 600)
    await asyncio.sleep(0.01)
    other.send(b" " * 600)
    assert await other.status() == 503
    assert other.error["code"] == "overloaded"
    app.send(json.dumps(BODY).encode(), more=False)
    assert await app.status() == 200, "who was there first goes on"
    again = Slow(noria)
    again.app = app.app
    again.send(b" " * 600)
    again.send(json.dumps(BODY).encode(), more=False)
    assert await again.status() == 200, "nothing is held any more"


async def test_no_body_is_read_of_a_call_that_is_turned_away(noria: Noria) -> None:
    noria.workspace.calling.slots.resize(1, waiting=0)
    async with noria.workspace.calling.slots.place():
        slow = Slow(noria)
        assert await slow.status() == 503
