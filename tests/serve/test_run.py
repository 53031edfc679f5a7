from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from noria.core.errors import Conflict, InvalidInput
from noria.core.questions import Question
from noria.serve.run import bind, serving
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
