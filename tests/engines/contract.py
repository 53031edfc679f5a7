"""What every engine promises. Each engine's test module subclasses :class:`EngineContract` and gives it an engine."""

import asyncio
import json
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest

from noria.core.errors import EngineFailed
from noria.core.protocols import Endpoint, Engine

LONG = "Write a very long story about a water wheel."


@asynccontextmanager
async def chat(endpoint: Endpoint, text: str, *, key: str | None = None, **fields):
    """One chat call; the response as it begins."""
    body = {"model": endpoint.model, "messages": [{"role": "user", "content": text}], **fields}
    headers = {"Authorization": f"Bearer {endpoint.api_key if key is None else key}"}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session,
        session.post(f"{endpoint.base_url}/chat/completions", json=body, headers=headers) as reply,
    ):
        yield reply


async def answer(endpoint: Endpoint, text: str = "Say hello.", **fields) -> str:
    async with chat(endpoint, text, **fields) as reply:
        assert reply.status == 200, await reply.text()
        return (await reply.json())["choices"][0]["message"]["content"]


async def events(reply: aiohttp.ClientResponse) -> AsyncIterator[dict]:
    async for line in reply.content:
        if line.startswith(b"data: ") and not line.startswith(b"data: [DONE]"):
            yield json.loads(line[6:])


async def read_until_cut(reply: aiohttp.ClientResponse) -> None:
    async for _ in events(reply):
        pass
    raise AssertionError("the stream ended as if it were complete")


async def crash(engine: Engine) -> None:
    """Kill the process from outside, as the kernel would for want of memory."""
    os.kill(engine.status().pid, signal.SIGKILL)


class EngineContract:
    """Give ``engine`` (stopped, quick to restart), ``other`` (a second one) and ``program`` as fixtures.

    ``program`` is Python source that defines ``make()``, which returns an engine; it runs in a process of its own.
    ``slow`` is what to send for an answer that streams long enough to be interrupted.
    """

    slow: dict = {"text": LONG, "max_tokens": 2000}

    async def test_it_starts_answers_and_stops(self, engine):
        assert engine.status().state == "stopped"
        endpoint = await engine.start()
        assert endpoint.base_url.startswith("http://127.0.0.1:")
        status = engine.status()
        assert status.state == "ready"
        assert psutil.pid_exists(status.pid)
        assert 0 < status.rss_bytes <= status.peak_rss_bytes
        assert await answer(endpoint, max_tokens=8)
        await engine.stop()
        assert engine.status().state == "stopped"
        assert engine.status().pid is None
        assert not psutil.pid_exists(status.pid)

    async def test_it_streams(self, engine):
        endpoint = await engine.start()
        async with chat(endpoint, "Say hello.", stream=True, max_tokens=8) as reply:
            chunks = [event async for event in events(reply)]
        assert "".join(c["delta"].get("content") or "" for chunk in chunks for c in chunk["choices"])
        assert chunks[-1]["choices"][0]["finish_reason"] in {"stop", "length"}

    async def test_a_wrong_key_is_refused(self, engine):
        endpoint = await engine.start()
        for key in ("wrong", ""):
            async with chat(endpoint, "Say hello.", key=key) as reply:
                assert reply.status == 401

    async def test_concurrent_starts_join(self, engine):
        first, second, third = await asyncio.gather(engine.start(), engine.start(), engine.start())
        assert first == second == third
        assert await engine.start() == first

    async def test_a_crash_in_a_stream_is_a_retryable_failure_and_it_answers_again(self, engine):
        endpoint = await engine.start()
        fields = {**self.slow}
        async with chat(endpoint, fields.pop("text"), stream=True, **fields) as reply:
            await anext(events(reply))
            await crash(engine)
            failure = await asyncio.wait_for(engine.crashed(endpoint), 2)
            assert type(failure) is EngineFailed
            assert failure.retryable
            assert "SIGKILL" in str(failure)
            with pytest.raises(aiohttp.ClientError):
                await read_until_cut(reply)
        again = await asyncio.wait_for(engine.start(), 60)
        assert again.api_key != endpoint.api_key
        assert await answer(again, max_tokens=4)
        assert engine.status().restarts == 1
        late = await engine.crashed(endpoint)
        assert "SIGKILL" in str(late), "the old endpoint's crash is told to those who ask late"

    async def test_stopping_ends_the_calls_in_flight(self, engine):
        endpoint = await engine.start()
        waiting = asyncio.create_task(engine.crashed(endpoint))
        await asyncio.sleep(0)
        await engine.stop()
        assert "was stopped" in str(await waiting)

    async def test_stop_during_start(self, engine):
        starting = asyncio.create_task(engine.start())
        await asyncio.sleep(0)
        await engine.stop()
        with pytest.raises(EngineFailed, match="was stopped"):
            await starting
        assert engine.status().pid is None
        assert await answer(await engine.start(), max_tokens=4), "it can be started again"

    async def test_a_caller_that_gives_up_does_not_stop_the_start_of_others(self, engine):
        impatient, patient = asyncio.create_task(engine.start()), asyncio.create_task(engine.start())
        await asyncio.sleep(0)
        impatient.cancel()
        assert await answer(await patient, max_tokens=4)

    async def test_two_at_once(self, engine, other):
        first, second = await asyncio.gather(engine.start(), other.start())
        assert first.base_url != second.base_url
        assert all(await asyncio.gather(answer(first, max_tokens=4), answer(second, max_tokens=4)))
        await crash(engine)
        await engine.crashed(first)
        assert await answer(second, max_tokens=4), "the neighbour does not notice"
        await engine.start()

    async def test_its_log_is_kept_without_what_was_said(self, engine):
        endpoint = await engine.start()
        await answer(endpoint, "zebrafish", max_tokens=4)
        pid = engine.status().pid
        await crash(engine)
        await engine.crashed(endpoint)
        await engine.start()
        assert engine.status().pid != pid
        text = await asyncio.to_thread(Path(engine.status().log).read_text)
        assert "zebrafish" not in text
        assert endpoint.api_key not in text

    async def test_the_key_is_in_no_command_line_and_no_environment(self, engine):
        endpoint = await engine.start()
        process = psutil.Process(engine.status().pid)
        assert endpoint.api_key not in " ".join(process.cmdline())
        assert endpoint.api_key not in " ".join(process.environ().values())

    async def test_nothing_outlives_a_killed_parent(self, program):
        source = textwrap.dedent(program) + textwrap.dedent("""
            import asyncio
            async def main():
                engine = make()
                await engine.start()
                print(engine.status().pid, flush=True)
                await asyncio.Event().wait()
            asyncio.run(main())
        """)
        parent = await asyncio.create_subprocess_exec(sys.executable, "-c", source, stdout=asyncio.subprocess.PIPE)
        child = psutil.Process(int(await parent.stdout.readline()))
        assert child.is_running()
        parent.kill()
        await parent.wait()
        _, alive = await asyncio.to_thread(psutil.wait_procs, [child], 5)
        assert not alive
