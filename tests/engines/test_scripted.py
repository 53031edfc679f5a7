import asyncio

import aiohttp
import pytest

from noria.engines.restarts import RestartPolicy
from noria.engines.scripted import ScriptedEngine

from .contract import EngineContract, answer, chat, events, read_until_cut

QUICK = RestartPolicy(first_delay_s=0.01, grace_s=2.0)


@pytest.fixture
async def make(tmp_path):
    made = []

    def build(**options):
        engine = ScriptedEngine(tmp_path, **{"policy": QUICK, **options})
        made.append(engine)
        return engine

    yield build
    for engine in made:
        await engine.stop()


class TestContract(EngineContract):
    slow = {"text": "one two three [[slow 0.2]]"}

    @pytest.fixture
    def engine(self, make):
        return make()

    @pytest.fixture
    def other(self, make):
        return make(model="other")

    @pytest.fixture
    def program(self, tmp_path):
        return f"""
            from pathlib import Path
            from noria.engines.scripted import ScriptedEngine
            def make():
                return ScriptedEngine(Path({str(tmp_path)!r}))
        """


async def test_it_answers_as_told(make):
    endpoint = await make(answers={"capital of France": "Paris"}).start()
    assert await answer(endpoint, "What is the capital of France?") == "Paris"
    assert await answer(endpoint, "an echo") == "an echo"
    assert await answer(endpoint, "[[say two words]]") == "two words"
    assert await answer(endpoint, "one two three", max_tokens=2) == "one two"
    parts = [{"type": "text", "text": "in parts"}]
    assert await answer(endpoint, parts) == "in parts"


async def test_it_counts_tokens_in_a_stream_and_without(make):
    endpoint = await make().start()
    fields = {"stream": True, "stream_options": {"include_usage": True}, "max_tokens": 2}
    async with chat(endpoint, "one two three", **fields) as reply:
        chunks = [event async for event in events(reply)]
    assert chunks[-1]["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert chunks[-2]["choices"][0]["finish_reason"] == "length"
    async with chat(endpoint, "one two three") as reply:
        assert (await reply.json())["usage"] == {"prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6}


async def test_it_lists_its_model(make):
    endpoint = await make().start()
    headers = {"Authorization": f"Bearer {endpoint.api_key}"}
    async with aiohttp.ClientSession(headers=headers) as http, http.get(f"{endpoint.base_url}/models") as reply:
        assert [model["id"] for model in (await reply.json())["data"]] == ["scripted"]


@pytest.mark.parametrize("status", [400, 429, 503])
async def test_it_refuses_as_told(make, status):
    async with chat(await make().start(), f"[[refuse {status}]]") as reply:
        assert reply.status == status
        assert "told to refuse" in (await reply.json())["error"]["message"]


async def test_it_cuts_a_stream_and_lives(make):
    engine = make()
    endpoint = await engine.start()
    async with chat(endpoint, "one two three [[cut 2]]", stream=True) as reply:
        with pytest.raises(aiohttp.ClientError):
            await read_until_cut(reply)
    assert await answer(endpoint)
    assert engine.status().restarts == 0


async def test_it_crashes_in_the_middle_of_an_answer(make):
    engine = make()
    endpoint = await engine.start()
    async with chat(endpoint, "one two three [[crash 1]]", stream=True) as reply:
        assert (await anext(events(reply)))["choices"][0]["delta"]["content"] == "one"
        assert "SIGKILL" in str(await engine.crashed(endpoint))
    assert await answer(await engine.start())


async def test_it_hangs_until_the_caller_gives_up(make):
    engine = make()
    endpoint = await engine.start()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2), chat(endpoint, "[[hang]]") as reply:
            await reply.read()
    assert await answer(endpoint)
