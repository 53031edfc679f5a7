"""Several servers on shared stores: real PostgreSQL, ClickHouse's real engine behind HTTP, a real S3 server."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
from noria_cli import Noria

sys.path.insert(0, str(Path(__file__).parent.parent))  # pytest puts only a test's own folder there

from clickhouse_server import clickhouse_server
from noria.core.questions import Question
from noria.stores.traces.clickhouse.store import ClickHouseTraces
from postgres import postgres_server, postgres_url
from s3 import environment, s3_bucket, s3_endpoint

__all__ = ["postgres_server", "postgres_url", "s3_bucket", "s3_endpoint"]

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(180)]
KEY = "noria_shared_key_of_this_test"
HEADERS = {"Authorization": f"Bearer {KEY}"}


class Shared(NamedTuple):
    noria: Noria
    traces: str


@pytest.fixture
def shared(noria: Noria, tmp_path: Path, postgres_url: str, s3_bucket: str, s3_endpoint: str) -> Iterator[Shared]:
    with clickhouse_server(tmp_path / "clickhouse") as server:
        traces = f"{server}/noria?batch_ms=5"
        noria.environ |= {
            "NORIA_API_KEY": KEY,
            "NORIA_CATALOGUE": postgres_url,
            "NORIA_TRACES": traces,
            "NORIA_BLOBS": f"s3://{s3_bucket}/blobs",
            **environment(s3_endpoint),
        }
        yield Shared(noria, traces)


class Server:
    """A ``noria serve`` of the test's own."""

    def __init__(self, noria: Noria, *options: str) -> None:
        self.process = noria.start("serve", "--port", "0", *options, measured=False)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(self.process.communicate()[1])
        self.url = re.findall(r"http://[0-9.:]+", line)[0]
        self.link = re.findall(r"http://\S+token=\S+", line)[0].rstrip(")")

    def end(self, number: int) -> str:
        """Signal it; what it logged."""
        self.process.send_signal(number)
        return self.process.communicate(timeout=60)[1]


def otlp(span_id: str) -> dict[str, Any]:
    """One span as OTLP's JSON, with a text of about a kilobyte."""
    now = time.time_ns()
    attributes = [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "note", "value": {"stringValue": "word " * 200}},
    ]
    made = {
        "traceId": secrets.token_hex(16),
        "spanId": span_id,
        "name": "chat",
        "startTimeUnixNano": str(now - 10**9),
        "endTimeUnixNano": str(now),
        "attributes": attributes,
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [made]}]}]}


async def send(
    session: aiohttp.ClientSession, url: str, acknowledged: list[str], *, until: asyncio.Event, goes_on: bool = False
) -> None:
    """Send spans one after the other, and write down what was acknowledged, until told to stop or the server is gone."""
    while not until.is_set():
        span_id = secrets.token_hex(8)
        try:
            async with session.post(f"{url}/v1/traces", json=otlp(span_id), headers=HEADERS) as response:
                body = await response.json()
                if response.status == 200 and not body.get("partialSuccess"):
                    acknowledged.append(span_id)
        except (aiohttp.ClientError, OSError):
            if not goes_on:
                return


async def until(true: Callable[[], bool]) -> None:
    while not true():  # noqa: ASYNC110  # what is waited for is the length of lists
        await asyncio.sleep(0.01)


async def test_of_two_servers_under_load_one_is_killed_and_nothing_acknowledged_is_lost(shared: Shared) -> None:
    first, second = await asyncio.gather(*(asyncio.to_thread(Server, shared.noria) for _ in range(2)))
    by_first: list[str] = []
    by_second: list[str] = []
    stop = asyncio.Event()
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as clients:
        for _ in range(8):
            clients.create_task(send(session, first.url, by_first, until=stop))
            clients.create_task(send(session, second.url, by_second, until=stop))
        await until(lambda: min(len(by_first), len(by_second)) >= 60)
        await asyncio.to_thread(first.end, signal.SIGKILL)
        before = len(by_second)
        await until(lambda: len(by_second) >= before + 60)
        stop.set()
    assert await asyncio.to_thread(second.end, signal.SIGTERM) is not None
    store = await ClickHouseTraces.open(shared.traces)
    found = [span.span_id for span in await store.spans(Question(limit=None))]
    await store.close()
    assert len(found) == len(set(found))
    assert set(by_first) | set(by_second) <= set(found)
    assert len(found) <= len(by_first) + len(by_second) + 16  # one call of each client may have been under way


def workers_of(parent: int) -> set[int]:
    return {int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()}


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for the workers")
async def test_each_worker_is_killed_under_load_and_replaced_and_nothing_acknowledged_is_lost(shared: Shared) -> None:
    server = await asyncio.to_thread(Server, shared.noria, "--workers", "2")
    parent = server.process.pid
    acknowledged: list[str] = []
    stop = asyncio.Event()
    first = workers_of(parent)
    assert len(first) == 2
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as clients:
        for _ in range(8):
            clients.create_task(send(session, server.url, acknowledged, until=stop, goes_on=True))
        for pid in sorted(first):
            before = len(acknowledged)
            await until(lambda before=before: len(acknowledged) >= before + 30)  # type: ignore[misc]  # a default, to bind it
            os.kill(pid, signal.SIGKILL)
        await until(lambda: len(workers_of(parent) - first) == 2)
        before = len(acknowledged)
        await until(lambda: len(acknowledged) >= before + 30)
        stop.set()
    said = await asyncio.to_thread(server.end, signal.SIGTERM)
    assert server.process.returncode == 0, said
    for number in (1, 2):
        assert re.search(rf"worker.ended .*status=-9 .*worker={number}", said), said
    store = await ClickHouseTraces.open(shared.traces)
    found = [span.span_id for span in await store.spans(Question(limit=None))]
    await store.close()
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found)
    assert len(found) <= len(acknowledged) + 16  # one call of each client may have been under way at each kill


async def test_what_one_server_is_told_the_other_knows(shared: Shared) -> None:
    first, second = await asyncio.gather(*(asyncio.to_thread(Server, shared.noria) for _ in range(2)))
    try:
        async with aiohttp.ClientSession() as session:

            async def ask(server: Server, method: str, path: str, **options: Any) -> Any:
                async with session.request(method, server.url + path, headers=HEADERS, **options) as response:
                    return response.status, await response.json()

            async def release(variant: str) -> None:
                data = {"shares": [{"variant": variant}], "reason": "a test"}
                assert (await ask(first, "POST", "/api/apps/greeter/releases", json=data))[0] == 201

            async def answered_by(server: Server) -> str:
                data = {"model": "greeter", "messages": [{"role": "user", "content": "good"}]}
                status, reply = await ask(server, "POST", "/v1/chat/completions", json=data)
                assert status == 200, reply
                return str(reply["model"])

            await ask(first, "POST", "/api/apps", json={"name": "greeter"})
            for model in ("small", "large"):
                await ask(first, "PUT", f"/api/apps/greeter/variants/{model}", json={"model": f"fake/{model}"})
            await release("small")
            assert await answered_by(second) == "small"
            await release("large")
            deadline = time.monotonic() + 20
            while await answered_by(second) != "large":
                assert time.monotonic() < deadline
            _, listed = await ask(first, "GET", "/api/traces")
            assert "large" in json.dumps(listed)
            async with session.get(first.link, allow_redirects=False) as response:
                assert response.status == 303
            other = first.link.replace(first.url, second.url)
            async with session.get(other, allow_redirects=False) as response:
                assert response.status == 303
            async with session.get(other, allow_redirects=False) as response:
                assert response.status == 401
    finally:
        for server in (first, second):
            await asyncio.to_thread(server.end, signal.SIGTERM)


def refused(noria: Noria, **changes: str) -> str:
    done = noria.run("serve", "--port", "0", environ=changes, measured=False)
    assert isinstance(done, subprocess.CompletedProcess)
    assert done.returncode == 2, done.stdout
    return done.stderr


def test_what_is_not_shared_is_refused_with_a_sentence(noria: Noria) -> None:
    said = refused(noria, NORIA_API_KEY=KEY, NORIA_TRACES="chdb:///srv/x", NORIA_BLOBS="memory://x")
    for word in ("NORIA_CATALOGUE", "NORIA_TRACES", "NORIA_BLOBS", "keeps nothing itself"):
        assert word in said
    rest = {"NORIA_CATALOGUE": "postgresql://u@127.0.0.1:1/x", "NORIA_TRACES": "clickhouse://127.0.0.1:1/x"}
    said = refused(noria, NORIA_BLOBS="s3://bucket/x", **rest)
    assert "needs the admin key in NORIA_API_KEY" in said
    said = refused(noria, NORIA_API_KEY=KEY, NORIA_BLOBS="s3://bucket/x", **rest)
    assert "does not answer" in said


def test_workers_on_a_folder_are_refused_and_told_why(noria: Noria) -> None:
    done = noria.run("serve", "--port", "0", "--workers", "2", environ={"NORIA_API_KEY": KEY}, measured=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("everything must be shared") == 1
    assert "`noria up`, which takes --workers" in done.stderr
    done = noria.run("serve", "--workers", "2", environ={"NORIA_OTLP_GRPC_PORT": "4317"}, measured=False)
    assert done.returncode == 2
    assert "send OTLP over HTTP" in done.stderr
