"""Spans as they arrive, over a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
import pytest

from noria.core.messages import Message
from noria.core.requests import Lineage
from noria.core.spans import Span
from noria.serve.api import tail as tail_module
from noria.serve.port import bind
from noria.serve.run import serving
from serve.conftest import Noria


def span(number: int, app: str | None = None, text: str = "") -> Span:
    return Span(
        trace_id=f"{number:032x}",
        span_id=f"{number:016x}",
        name=f"step {number}",
        start_ns=1_795_435_200 * 10**9 + number,
        end_ns=1_795_435_200 * 10**9 + number + 5,
        input=(Message(role="user", content=text),),
        lineage=Lineage(app=app),
    )


class Event(NamedTuple):
    name: str
    data: Any
    id: str


class Reader:
    """Reads Server-Sent Events as a browser does."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.last_id = ""
        self._lines = response.aiter_lines()
        self._fields: dict[str, str] = {}

    async def next(self) -> Event:
        async with asyncio.timeout(10):
            while True:
                line = await anext(self._lines)
                name, _, value = line.partition(":")
                if line and name:
                    self._fields[name] = value.removeprefix(" ")
                elif not line:
                    fields, self._fields = self._fields, {}
                    self.last_id = fields.get("id", self.last_id)
                    if "data" in fields:
                        return Event(fields.get("event", "message"), json.loads(fields["data"]), self.last_id)

    async def names(self, count: int) -> list[str]:
        return [(await self.next()).data["name"] for _ in range(count)]

    async def settle(self) -> str:
        """Wait for an id, which ends each batch."""
        before = self.last_id
        async with asyncio.timeout(10):
            while self.last_id == before:
                line = await anext(self._lines)
                if line.startswith("id: "):
                    self.last_id = line.removeprefix("id: ")
        return self.last_id


@asynccontextmanager
async def reading(noria: Noria, **options: Any) -> AsyncIterator[Reader]:
    async with noria.client.stream("GET", "/api/traces/tail", **options) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        reader = Reader(response)
        await reader.settle()  # where it begins
        yield reader


async def test_spans_are_sent_as_they_arrive_and_only_those_that_match(server: Noria) -> None:
    await server.workspace.traces.append([span(1)])
    async with reading(server) as everything, reading(server, params={"app": "a", "text": "wheel"}) as some:
        await server.workspace.traces.append([span(2), span(3, "a", "a wheel"), span(4, "a", "wheels")])
        await server.workspace.traces.append([span(5, "a", "Wheel!")])
        assert await everything.names(4) == ["step 2", "step 3", "step 4", "step 5"]
        assert await some.names(2) == ["step 3", "step 5"]
        await server.workspace.traces.append([span(2, text="sent again")])
        assert (await everything.next()).data["input"][0]["content"] == "sent again"


async def test_a_stream_goes_on_where_it_was_broken_off(server: Noria) -> None:
    async with reading(server) as reader:
        await server.workspace.traces.append([span(1)])
        assert await reader.names(1) == ["step 1"]
        last = await reader.settle()
    await server.workspace.traces.append([span(2), span(3)])
    async with reading(server, headers={"last-event-id": last}) as reader:
        pass
    for options in ({"headers": {"last-event-id": last}}, {"params": {"cursor": last}}):
        async with server.client.stream("GET", "/api/traces/tail", **options) as response:
            assert await Reader(response).names(2) == ["step 2", "step 3"]


async def test_what_cannot_be_tailed_is_refused_before_anything_is_sent(server: Noria) -> None:
    for query, said in (
        ({"score": "correct"}, "can't look at scores"),
        ({"cursor": "no cursor"}, "cursor"),
        ({"where": "nothing=1"}, "no column"),
        ({"text": "-"}, "no word"),
    ):
        response = await server.client.get("/api/traces/tail", params=query)
        assert response.status_code == 400, query
        assert said in response.json()["error"]["message"]


async def test_a_quiet_stream_shows_that_it_lives(server: Noria, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "BEAT_S", 0.0)
    async with server.client.stream("GET", "/api/traces/tail") as response, asyncio.timeout(10):
        async for line in response.aiter_lines():
            if line == ": still here":
                break


async def test_too_many_streams_are_refused_until_one_is_closed(server: Noria, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "MOST", 1)
    async with reading(server):
        refused = await server.client.get("/api/traces/tail")
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "10"
    async with asyncio.timeout(10):
        while True:  # until the server has seen that the first one is gone
            async with server.client.stream("GET", "/api/traces/tail") as again:
                if again.status_code == 200:
                    break
            await asyncio.sleep(0.05)


async def test_a_stop_ends_streams_at_once(noria: Noria) -> None:
    async with serving(noria.workspace, bind("127.0.0.1", 0), noria.access) as (running, task):
        async with (
            httpx.AsyncClient(base_url=running.url, headers=noria.client.headers, trust_env=False) as client,
            client.stream("GET", "/api/traces/tail") as response,
        ):
            reader = Reader(response)
            await reader.settle()
            running.stop()
            async with asyncio.timeout(5):
                assert [line async for line in reader._lines] == [""]
        async with asyncio.timeout(5):
            await task


async def test_a_slow_reader_holds_back_its_own_stream_and_nothing_else(server: Noria) -> None:
    asked = 0
    arrivals = server.workspace.traces.arrivals

    async def counted(after: str | None = None, *, limit: int = 1000) -> Any:
        nonlocal asked
        asked += 1
        return await arrivals(after, limit=limit)

    server.workspace.traces.arrivals = counted  # type: ignore[method-assign]
    async with server.client.stream("GET", "/api/traces/tail") as response:
        await Reader(response).settle()
        text = "x" * 20_000
        for batch in range(20):  # 40 MB, which nobody reads
            await server.workspace.traces.append([span(batch * 100 + number, text=text) for number in range(100)])
        before = -1
        while asked != before:  # until it asks no more: the socket's buffers are full
            before = asked
            await asyncio.sleep(1.0)
        assert asked < 20
        assert (await server.get("/healthz")) == {"status": "ok"}
