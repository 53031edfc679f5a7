"""Structured output and forced tools through the gateway, as OpenAI's own client asks for them, of a server without them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest

from noria.assemble import open_workspace
from noria.core.questions import Question
from noria.serve.access import Access
from noria.serve.port import bind
from noria.serve.run import serving
from noria.settings import Provider, Settings
from noria.targets.scripted import answer
from targets import upstream

from .conftest import KEY, Clock

SCHEMA = {"type": "object", "properties": {"topic": {"enum": ["a", "b"]}}, "required": ["topic"]}
FORMAT: Any = {"type": "json_schema", "json_schema": {"name": "topic", "schema": SCHEMA, "strict": True}}
HI: list[Any] = [{"role": "user", "content": "hi"}]


class Served:
    """A running gateway over a server that knows no schemas."""

    def __init__(self, client: openai.AsyncOpenAI, provider: upstream.Upstream, workspace: Any) -> None:
        self.client = client
        self.provider = provider
        self.workspace = workspace

    def says(self, *replies: str) -> None:
        """What the server answers, one after the other."""
        waiting = list(replies)
        self.provider.script = lambda _: answer(*waiting.pop(0).partition(" "))


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with upstream.serving(lambda _: answer("")) as provider:
        weak = Provider(base_url=provider.base_url, schemas=False, attempts=2)
        settings = Settings(data=str(tmp_path / "data"), providers={"weak": weak})
        async with (
            open_workspace(settings, {"NORIA_API_KEY": KEY}, holder="a test") as workspace,
            serving(workspace, bind("127.0.0.1", 0), Access(workspace.key, [], Clock())) as (running, _),
            openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key=KEY, max_retries=0) as client,
        ):
            yield Served(client, provider, workspace)


async def test_the_caller_gets_the_bare_json_and_is_told_how(served: Served) -> None:
    served.says('```json\n{"topic": "a"}\n```')
    raw = await served.client.chat.completions.with_raw_response.create(
        model="weak/m", messages=HI, response_format=FORMAT
    )
    assert raw.parse().choices[0].message.content == '{"topic": "a"}'
    assert raw.headers["noria-emulated"] == "response_schema"
    [asked] = served.provider.bodies
    assert asked["response_format"] == {"type": "json_object"}
    assert '"enum":["a","b"]' in asked["messages"][0]["content"]
    [span] = await served.workspace.traces.spans(Question())
    assert span.attributes["noria.emulated"] == ["response_schema"]
    assert span.output[0].text == '{"topic": "a"}'


async def test_a_stream_holds_it_back_until_it_is_whole(served: Served) -> None:
    served.says('{"topic": "b"}')
    stream = await served.client.chat.completions.create(
        model="weak/m", messages=HI, response_format=FORMAT, stream=True
    )
    pieces = [
        chunk.choices[0].delta.content async for chunk in stream if chunk.choices and chunk.choices[0].delta.content
    ]
    assert pieces == ['{"topic": "b"}']


async def test_another_try_may_do_better(served: Served) -> None:
    served.says("I think it is a", '{"topic": "a"}')
    reply = await served.client.chat.completions.create(model="weak/m", messages=HI, response_format=FORMAT)
    assert reply.choices[0].message.content == '{"topic": "a"}'
    assert len(served.provider.bodies) == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_never_right_is_an_error(served: Served, stream: bool) -> None:
    served.says("I think it is a", '{"topic": "z"}')
    seen: list[str] = []

    async def read() -> None:
        reply: Any = await served.client.chat.completions.create(
            model="weak/m", messages=HI, response_format=FORMAT, stream=stream
        )
        async for chunk in reply:
            seen.extend(choice.delta.content or "" for choice in chunk.choices)

    with pytest.raises(openai.APIError, match="satisfies a schema"):
        await read()
    assert "".join(seen) == ""
    [span] = await served.workspace.traces.spans(Question())
    assert span.status == "error"


async def test_a_hostile_schema_costs_its_caller_a_refusal(served: Served) -> None:
    served.says("{}")
    elsewhere = {"$ref": "http://169.254.169.254/latest/meta-data"}
    hostile: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": elsewhere, "strict": True}}
    with pytest.raises(openai.BadRequestError, match="nothing is fetched"):
        await served.client.chat.completions.create(model="weak/m", messages=HI, response_format=hostile)
    assert served.provider.bodies == []
