"""A light client that keeps some connections busy, in a process of its own.

    python benchmarks/gateways/load.py '{"url": ..., "headers": {...}, "body": {...}, "connections": 32, "calls": 1000}'

Prints one line of JSON: a :class:`Seen`. Each connection sends its next call when the last one was answered.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any
from urllib.parse import urlsplit

import httptools
import msgspec
import uvloop


class Plan(msgspec.Struct):
    """What to send."""

    url: str
    """Where to."""
    body: dict[str, Any]
    """The call."""
    headers: dict[str, str] = {}
    """Beside those that HTTP needs."""
    connections: int = 1
    """Calls at a time."""
    calls: int = 1
    """Calls in all."""


class Seen(msgspec.Struct):
    """What came of it."""

    calls: int
    """Answered with 200, and whole."""
    failed: int
    """The others."""
    seconds: float
    """From the first call to the last answer."""
    p50_ms: float
    """Median time of a call."""
    p99_ms: float
    """99th percentile."""
    first_ms: float
    """Median time to the first byte of a body."""
    bytes: int
    """Of all bodies."""


class _Connection(asyncio.Protocol):
    def __init__(self, run: _Run) -> None:
        self._run = run
        self._transport: asyncio.Transport | None = None
        self._waiting = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._next()

    def _next(self) -> None:
        assert self._transport is not None
        if self._run.left == 0:
            self._transport.close()
            return
        self._run.left -= 1
        self._parser = httptools.HttpResponseParser(self)
        self._waiting = True
        self._first = 0.0
        self._size = 0
        self._began = self._run.clock()
        self._transport.write(self._run.request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        self._first = self._first or self._run.clock()
        self._size += len(data)
        self._tail = data

    def on_message_complete(self) -> None:
        now = self._run.clock()
        self._waiting = False
        good = self._parser.get_status_code() == 200 and b'"error"' not in self._tail
        self._run.done(good, now - self._began, (self._first or now) - self._began, self._size)
        self._next()

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._waiting:
            self._waiting = False
            self._run.done(False, 0.0, 0.0, 0)
        self._run.over()


class _Run:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.left = plan.calls
        loop = asyncio.get_running_loop()
        self.clock = time.perf_counter  # the loop's own counts milliseconds
        parts = urlsplit(plan.url)
        self.address = (parts.hostname or "", parts.port or 80)
        body = msgspec.json.encode(plan.body)
        fields = {"Host": parts.netloc, "Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in (fields | plan.headers).items())
        self.request = f"POST {parts.path} HTTP/1.1\r\n{lines}\r\n".encode() + body
        self._times: list[float] = []
        self._firsts: list[float] = []
        self._failed = 0
        self._bytes = 0
        self._open = plan.connections
        self._ended = loop.create_future()

    def done(self, good: bool, took: float, first: float, size: int) -> None:
        if not good:
            self._failed += 1
            return
        self._times.append(took)
        self._firsts.append(first)
        self._bytes += size

    def over(self) -> None:
        self._open -= 1
        if self._open == 0:
            self._ended.set_result(None)

    async def seen(self) -> Seen:
        began = self.clock()
        loop = asyncio.get_running_loop()
        for _ in range(self.plan.connections):
            await loop.create_connection(lambda: _Connection(self), *self.address)
        await self._ended
        times, firsts = sorted(self._times) or [0.0], sorted(self._firsts) or [0.0]
        return Seen(
            calls=len(self._times),
            failed=self._failed,
            seconds=self.clock() - began,
            p50_ms=1000 * times[len(times) // 2],
            p99_ms=1000 * times[int(len(times) * 0.99)],
            first_ms=1000 * firsts[len(firsts) // 2],
            bytes=self._bytes,
        )


async def main() -> None:
    seen = await _Run(msgspec.json.decode(sys.argv[1], type=Plan)).seen()
    print(msgspec.json.encode(seen).decode())


if __name__ == "__main__":
    uvloop.run(main())
