from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import httpx
import pytest

from noria.core.errors import Conflict, InvalidInput
from noria.core.questions import Question
from noria.serve.port import bind
from noria.serve.run import LastResort, serving
from noria.targets.scripted import answer

from .conftest import KEY, opened

CALL = {"model": "up/m", "messages": [{"role": "user", "content": "hi"}], "stream": True}


def test_a_port_in_use_is_told_in_a_sentence() -> None:
    taken = bind("127.0.0.1", 0)
    port = taken.getsockname()[1]
    with taken, pytest.raises(Conflict, match=rf"Port {port} on 127.0.0.1 is in use. Choose another with --port"):
        bind("127.0.0.1", port)
    bind("127.0.0.1", port).close()


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host", "a..b", "x" * 300])
def test_an_address_that_is_not_this_machines(host: str) -> None:
    with pytest.raises(InvalidInput, match="Can't listen on"):
        bind(host, 0)


async def test_a_stop_lets_calls_in_flight_end(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with (
        opened(tmp_path / "data") as (workspace, access, upstream, _),
        httpx.AsyncClient(headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as client,
    ):
        upstream.script = lambda _: [*answer("one", "two")[:2], gate, *answer("one", "two")[2:]]
        async with serving(workspace, bind("127.0.0.1", 0), access) as (running, ended):
            async with client.stream("POST", f"{running.url}/v1/chat/completions", json=CALL) as response:
                lines = response.aiter_lines()
                assert '"one"' in await anext(lines)
                running.stop()
                gate.set()
                rest = [line async for line in lines]
            assert any('"two"' in line for line in rest)
            assert "data: [DONE]" in rest
            async with asyncio.timeout(5):
                await ended
            with pytest.raises(httpx.ConnectError):
                await client.get(running.url)
        [span] = await workspace.traces.spans(Question())
        assert span.status == "ok"


async def test_what_is_new_is_refused_while_what_runs_ends(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with (
        opened(tmp_path / "data") as (workspace, access, upstream, _),
        httpx.AsyncClient(headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as client,
    ):
        upstream.script = lambda _: [*answer("one", "two")[:2], gate, *answer("one", "two")[2:]]
        async with serving(workspace, bind("127.0.0.1", 0), access) as (running, ended):
            async with client.stream("POST", f"{running.url}/v1/chat/completions", json=CALL) as response:
                lines = response.aiter_lines()
                await anext(lines)
                running.stop()
                running.stop()
                await asyncio.sleep(0)
                assert (await client.get(f"{running.url}/readyz")).status_code == 503
                assert (await client.get(f"{running.url}/healthz")).status_code == 200
                for method, path in (("POST", "/v1/chat/completions"), ("GET", "/api/traces")):
                    refused = await client.request(method, running.url + path, json=CALL)
                    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
                    assert refused.headers["connection"] == "close"
                    assert "is stopping" in refused.text
                gate.set()
                assert "data: [DONE]" in [line async for line in lines]
            async with asyncio.timeout(5):
                await ended
        [span] = await workspace.traces.spans(Question())
        assert span.status == "ok"


async def test_the_port_is_another_servers_while_what_was_accepted_is_still_answered(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with (
        opened(tmp_path / "data") as (workspace, access, upstream, _),
        httpx.AsyncClient(headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as client,
    ):
        upstream.script = lambda _: [*answer("one", "two")[:2], gate, *answer("one", "two")[2:]]
        bound = bind("127.0.0.1", 0)
        port = bound.getsockname()[1]
        async with (
            serving(workspace, bound, access) as (running, _),
            client.stream("POST", f"{running.url}/v1/chat/completions", json=CALL) as response,
        ):
            lines = response.aiter_lines()
            await anext(lines)
            running.close_door()
            await asyncio.sleep(0)
            bind("127.0.0.1", port).close()
            gate.set()
            assert "data: [DONE]" in [line async for line in lines]


async def test_to_be_stopped_while_it_starts_leaves_nothing_running(tmp_path: Path) -> None:
    async with opened(tmp_path / "data") as (workspace, access, _, _):
        bound = bind("127.0.0.1", 0)
        port = bound.getsockname()[1]
        before = asyncio.all_tasks()

        async def serve() -> None:
            async with serving(workspace, bound, access):
                raise AssertionError

        starting = asyncio.create_task(serve())
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        await asyncio.sleep(0)
        assert not [task for task in asyncio.all_tasks() - before if task.get_name().startswith("noria-")]
        bind("127.0.0.1", port).close()


async def test_a_call_that_does_not_end_in_time_is_cut_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("noria.serve.run.GRACE_S", 0.1)
    monkeypatch.setattr("noria.serve.run.CUT_S", 0)
    async with (
        opened(tmp_path / "data") as (workspace, access, upstream, _),
        httpx.AsyncClient(headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as client,
    ):
        upstream.script = lambda _: [*answer("one", "two")[:2], asyncio.Event()]
        async with serving(workspace, bind("127.0.0.1", 0), access) as (running, ended):
            async with client.stream("POST", f"{running.url}/v1/chat/completions", json=CALL) as response:
                lines = response.aiter_lines()
                await anext(lines)
                running.stop()
                with pytest.raises(httpx.RemoteProtocolError):
                    [line async for line in lines]
            async with asyncio.timeout(5):
                await ended
        await workspace.calling.together.drain()
        [span] = await workspace.traces.spans(Question())
        assert span.status != "ok"


@pytest.mark.parametrize("in_time", [True, False])
def test_a_stop_that_hangs_ends_the_process(monkeypatch: pytest.MonkeyPatch, in_time: bool) -> None:
    left = threading.Event()
    monkeypatch.setattr("noria.serve.run.os._exit", lambda _: left.set())
    last_resort = LastResort(0.2 if in_time else 0.01)
    last_resort.begin()
    if in_time:
        last_resort.close()
    assert left.wait(0.4) is not in_time


async def test_a_login_link_opens_the_page(tmp_path: Path) -> None:
    async with (
        opened(tmp_path / "data") as (workspace, access, _, __),
        serving(workspace, bind("127.0.0.1", 0), access) as (running, ___),
        httpx.AsyncClient(trust_env=False, follow_redirects=True) as browser,
    ):
        assert (await browser.get(f"{running.url}/api/server")).status_code == 401
        page = await browser.get(running.login_link)
        assert str(page.url) == f"{running.url}/"
        assert (await browser.get(f"{running.url}/api/server")).status_code == 200
