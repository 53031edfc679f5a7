"""``noria up --workers``: several processes on one data folder, killed under load."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Self

import aiohttp
import pytest
from noria_cli import Noria
from upstream import Upstream

from noria.core.errors import Conflict
from noria.core.questions import Question
from noria.serve.port import bind
from noria.stores.traces.duckdb import DuckDBTraces

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for the workers"),
    pytest.mark.timeout(180),
]
HEADERS = {"Authorization": "Bearer noria_key_of_this_test"}


class Server:
    """A ``noria up`` of the test's own."""

    def __init__(self, noria: Noria, port: int = 0) -> None:
        environ = {"NORIA_API_KEY": HEADERS["Authorization"].split()[1]}
        self.process = noria.start("up", "--port", str(port), "--workers", "2", environ=environ, measured=False)
        self.url = f"http://127.0.0.1:{port}"

    def ready(self) -> Self:
        """Wait until it is."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.communicate()[1])
        self.url = re.findall(r"http://[0-9.:]+", line)[0]
        return self

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def workers(self) -> set[int]:
        pid = self.process.pid
        return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}

    def end(self, number: int) -> str:
        """Signal it; what it logged."""
        self.process.send_signal(number)
        return self.process.communicate(timeout=60)[1]


async def call(server: Server, acknowledged: list[str], stop: asyncio.Event) -> None:
    """Call again and again, and write down what was answered whole."""
    body = {"model": "fake/small", "messages": [{"role": "user", "content": "good " * 100}]}
    async with aiohttp.ClientSession() as session:
        while not stop.is_set():
            try:
                path = f"{server.url}/v1/chat/completions"
                async with session.post(path, json=body, headers=HEADERS) as response:
                    await response.json()
                    if response.status == 200:
                        acknowledged.append(response.headers["noria-trace-id"])
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(0.01)


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110  # what is waited for is the length of lists
        await asyncio.sleep(0.01)


async def more(acknowledged: list[str], count: int = 30) -> None:
    before = len(acknowledged)
    await until(lambda: len(acknowledged) >= before + count)


def is_free(port: int) -> bool:
    try:
        bind("127.0.0.1", port).close()
    except Conflict:
        return False
    return True


async def outliving(server: Server, upstream: Upstream) -> str:
    """Kill the holder while a worker has a call in hand: the port is free at once, the call is answered. Its trace id."""
    upstream.hold_after = 0
    body = {"model": "fake/small", "messages": [{"role": "user", "content": "good"}]}
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        waiting = asyncio.create_task(session.post(f"{server.url}/v1/chat/completions", json=body))
        await asyncio.to_thread(upstream.wait_for_calls, 1)
        server.process.kill()
        await asyncio.to_thread(server.process.wait)
        await until(lambda: is_free(server.port))
        assert not waiting.done()
        upstream.release()
        async with await waiting as response:
            assert (await response.json())["choices"][0]["message"]["content"] == "positive"
            trace_id = response.headers["noria-trace-id"]
    await asyncio.to_thread(server.process.communicate)  # its workers have ended, too
    return trace_id


async def test_a_holder_and_a_worker_are_killed_and_then_all_are_stopped_under_load_and_nothing_acknowledged_is_lost(
    noria: Noria, upstream: Upstream
) -> None:
    before = await asyncio.to_thread(lambda: Server(noria).ready())
    acknowledged = [await outliving(before, upstream)]
    server = await asyncio.to_thread(lambda: Server(noria, before.port).ready())
    stop = asyncio.Event()
    first = server.workers()
    assert len(first) == 2
    async with asyncio.TaskGroup() as clients:
        for _ in range(8):
            clients.create_task(call(server, acknowledged, stop))
        await more(acknowledged)
        os.kill(min(first), signal.SIGKILL)
        await more(acknowledged)
        await until(lambda: len(server.workers() - first) == 1 and len(server.workers()) == 2)
        await more(acknowledged)
        said = await asyncio.to_thread(server.end, signal.SIGTERM)
        stop.set()
    assert server.process.returncode == 0, said
    assert re.search(r"worker.ended .*status=-9 .*worker=\d", said), said
    assert not list((noria.folder / "spool" / "workers").iterdir())
    store = await DuckDBTraces.open(noria.folder / "traces.duckdb", noria.folder / "spool")
    found = [span.trace_id for span in await store.spans(Question(limit=None))]
    await store.close()
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found)
    assert len(found) <= len(acknowledged) + 2 * 8  # one call of each client may have been under way at each end


def test_what_workers_can_not_share_is_refused(noria: Noria) -> None:
    done = noria.here("up", "--workers", "2", environ={"NORIA_TRACES": "chdb:///srv/x"})
    assert done.exit_code == 2
    assert "NORIA_TRACES" in done.stderr
