"""A light client whose calls come at a rate, whatever the server does, in a process of its own.

    python benchmarks/gateways/paced.py '{"url": ..., "headers": {...}, "body": {...}, "rate": 800, "seconds": 10, "connections": 500}'

Prints one line of JSON: a :class:`Came`. A call that finds no free connection waits for one, and its time counts from when it came:
so callers see it who wait in front of a server that does not get to them. Nobody comes again who was turned away.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import httptools
import msgspec
import uvloop

IN_TIME_S = 1.0
"""An answer within so long is a good one."""
LONGEST_S = 30.0
"""What is under way at the end gets so long."""


class Pace(msgspec.Struct):
    """What to send."""

    url: str
    """Where to."""
    body: dict[str, Any]
    """The call."""
    headers: dict[str, str]
    """Beside those that HTTP needs."""
    rate: float
    """Calls a second, on average; they come at random."""
    seconds: float
    """For how long."""
    connections: int
    """Calls at a time."""


class Came(msgspec.Struct):
    """What came of it."""

    sent: int
    """Calls."""
    answered: int
    """With 200."""
    in_time: int
    """Of those, within a second."""
    shed: int
    """With 503."""
    failed: int
    """The others."""
    p50_ms: float
    """Median time of those that were answered."""
    p99_ms: float
    """Their 99th percentile."""
    shed_p50_ms: float
    """Median time of those that were turned away."""


class _Connection(asyncio.Protocol):
    def __init__(self, done: Callable[[_Connection, float, int], None]) -> None:
        self._done = done
        self._began = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def send(self, request: bytes, came: float) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._began = came
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        began, self._began = self._began, 0.0
        self._done(self, perf_counter() - began, self._parser.get_status_code())

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._began:
            self._done(self, 0.0, 0)


class _Run:
    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        parts = urlsplit(pace.url)
        self._address = (parts.hostname or "", parts.port or 80)
        body = msgspec.json.encode(pace.body)
        fields = {"Host": parts.netloc, "Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in (fields | pace.headers).items())
        self._request = f"POST {parts.path} HTTP/1.1\r\n{lines}\r\n".encode() + body
        self._free: list[_Connection] = []
        self._line: deque[float] = deque()
        self._times: dict[int, list[float]] = {}
        self._left = 0
        self._came_last = False
        self._all_done = asyncio.Event()

    async def came(self) -> Came:
        loop = asyncio.get_running_loop()
        for _ in range(self._pace.connections):
            _, connection = await loop.create_connection(lambda: _Connection(self._done), *self._address)
            self._free.append(connection)
        chance, now = random.Random(1), perf_counter()
        came, end = now, now + self._pace.seconds
        sent = 0
        while came < end:
            while came <= perf_counter():
                sent += 1
                self._left += 1
                self._line.append(came)
                came += chance.expovariate(self._pace.rate)
            self._go_on()
            await asyncio.sleep(0.002)
        self._came_last = True
        if not self._left:
            self._all_done.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LONGEST_S):
                await self._all_done.wait()
        good, shed = sorted(self._times.pop(200, [])), sorted(self._times.pop(503, []))
        return Came(
            sent=sent,
            answered=len(good),
            in_time=sum(time <= IN_TIME_S for time in good),
            shed=len(shed),
            failed=sent - len(good) - len(shed),
            p50_ms=1000 * good[len(good) // 2] if good else 0.0,
            p99_ms=1000 * good[int(len(good) * 0.99)] if good else 0.0,
            shed_p50_ms=1000 * shed[len(shed) // 2] if shed else 0.0,
        )

    def _done(self, connection: _Connection, took: float, status: int) -> None:
        self._left -= 1
        if self._came_last and not self._left:
            self._all_done.set()
        self._times.setdefault(status, []).append(took)
        if status:
            self._free.append(connection)
            self._go_on()

    def _go_on(self) -> None:
        while self._line and self._free:
            self._free.pop().send(self._request, self._line.popleft())


if __name__ == "__main__":
    print(msgspec.json.encode(uvloop.run(_Run(msgspec.json.decode(sys.argv[1], type=Pace)).came())).decode())
