"""Responses, embeddings and models as OpenAI's own client sees them, over providers of both of OpenAI's wires."""

from __future__ import annotations

import base64
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import openai
import pydantic
import pytest

from noria.assemble import Workspace, open_workspace
from noria.core.errors import CallTimeout
from noria.core.events import Delta, Event, Started, Stopped, ThoughtDelta, ToolCallDelta, Used
from noria.core.questions import Question
from noria.core.replies import Usage
from noria.core.spans import Span
from noria.serve.access import Access
from noria.serve.port import bind
from noria.serve.run import serving
from noria.settings import Provider, Settings

from .conftest import KEY
from .openai_upstream import OpenAIUpstream, serving_openai

TOOL: Any = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}, "strict": False}


class Cat(pydantic.BaseModel):
    name: str


class Served:
    """A gateway, and the provider behind it."""

    def __init__(self, url: str, upstream: OpenAIUpstream, workspace: Workspace) -> None:
        self.url = url
        self.upstream = upstream
        self.workspace = workspace

    def client(self, key: str = KEY) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=f"{self.url}/v1", api_key=key, max_retries=0)

    async def spans(self) -> list[Span]:
        """Everything on record, the newest first."""
        await self.workspace.calling.together.drain()
        return await self.workspace.traces.spans(Question())

    async def key(self, name: str) -> str:
        async with httpx.AsyncClient(base_url=self.url, headers={"authorization": f"Bearer {KEY}"}) as client:
            return str((await client.post("/api/keys", json={"name": name})).json()["secret"])


@asynccontextmanager
async def gateway(folder: Path, upstream: OpenAIUpstream) -> AsyncIterator[Served]:
    v1 = f"{upstream.base_url}/v1"
    providers = {
        "chat": Provider(base_url=v1, attempts=1),
        "responses": Provider(kind="openai_responses", base_url=v1, attempts=1),
        "both": Provider(base_url=v1, attempts=1, responses=("o*", "gpt-5*")),
        "azure": Provider(
            kind="azure", base_url=upstream.base_url, api_version="2024-10-21", api_key_env="AZ", responses=("o*",)
        ),
        "azure1": Provider(kind="azure", base_url=v1, api_key_env="AZ", responses=("o*",)),
    }
    environ = {"NORIA_API_KEY": KEY, "AZ": "az-key"}
    async with (
        open_workspace(Settings(data=str(folder), providers=providers), environ, holder="a test") as workspace,
        serving(workspace, bind("127.0.0.1", 0), Access(workspace.key, find=workspace.keyring.find)) as (running, _),
    ):
        yield Served(running.url, upstream, workspace)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving_openai() as upstream, gateway(tmp_path / "data", upstream) as served:
        yield served


def says(*pieces: str, reason: str = "stop") -> list[Event]:
    return [
        Started(id="theirs", model="m-1"),
        *(Delta(text=piece) for piece in pieces),
        Stopped(reason=reason),
        Used(usage=Usage(input_tokens=7, output_tokens=2, cached_tokens=3, reasoning_tokens=1)),
    ]


@pytest.mark.parametrize("provider", ["chat", "responses"])
async def test_a_response_whole_and_streamed(served: Served, provider: str) -> None:
    served.upstream.script = lambda _: says("Hel", "lo")
    async with served.client() as client:
        whole = await client.responses.create(model=f"{provider}/m", input="hi", instructions="Be brief.")
        stream = await client.responses.create(model=f"{provider}/m", input="hi", stream=True)
        events = [event async for event in stream]
    assert (whole.output_text, whole.status, whole.model) == ("Hello", "completed", "m-1")
    assert whole.usage is not None
    assert (whole.usage.input_tokens_details.cached_tokens, whole.usage.output_tokens_details.reasoning_tokens) == (
        3,
        1,
    )
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "Hello"
    assert events[-1].type == "response.completed"
    newest, oldest = await served.spans()
    assert (oldest.output[0].text, newest.output[0].text) == ("Hello", "Hello")
    assert whole.id == f"resp_{oldest.trace_id}"
    assert {event.response.id for event in events if hasattr(event, "response")} == {f"resp_{newest.trace_id}"}


@pytest.mark.parametrize("provider", ["chat", "responses"])
async def test_a_turn_with_thinking_and_tools_goes_on(served: Served, provider: str) -> None:
    served.upstream.script = lambda _: [
        Started(id="theirs", model="m-1"),
        Delta(reasoning="hm", thought=ThoughtDelta(index=0, id="rs_1", signature="seal")),
        Delta(tool_calls=(ToolCallDelta(index=0, id="call_1", name="look", arguments='{"a":'),)),
        Delta(tool_calls=(ToolCallDelta(index=0, arguments="1}"),)),
        Delta(tool_calls=(ToolCallDelta(index=1, id="call_2", name="look", arguments="{}"),)),
        Stopped(reason="tool_calls"),
    ]
    async with served.client() as client:
        asked: list[Any] = [{"role": "user", "content": "hi"}]
        first = await client.responses.create(model=f"{provider}/m", input=asked, tools=[TOOL], store=False)
        kinds = [item.type for item in first.output]
        assert kinds == ["reasoning", "function_call", "function_call"]
        served.upstream.script = lambda _: says("done")
        outputs = [{"type": "function_call_output", "call_id": f"call_{i}", "output": str(i)} for i in (1, 2)]
        given: Any = [*asked, *(item.model_dump(exclude_none=True) for item in first.output), *outputs]
        await client.responses.create(model=f"{provider}/m", input=given, tools=[TOOL], store=False)
    sent = served.upstream.body
    if provider == "responses":
        assert [item["type"] for item in sent["input"]][1:] == [*kinds, *["function_call_output"] * 2]
        assert (sent["input"][1]["id"], sent["input"][1]["encrypted_content"]) == ("rs_1", "seal")
    else:
        assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "tool", "tool"]
        assert [call["function"]["arguments"] for call in sent["messages"][1]["tool_calls"]] == ['{"a":1}', "{}"]
        assert sent["messages"][1]["reasoning_content"] == "hm"


async def test_a_stored_response_survives_a_restart_and_belongs_to_its_key(tmp_path: Path) -> None:
    async with serving_openai() as upstream:
        upstream.script = lambda _: says("Your name is Ada.")
        async with gateway(tmp_path / "data", upstream) as served:
            ada, eve = await served.key("ada"), await served.key("eve")
            async with served.client(ada) as client:
                first = await client.responses.create(model="chat/m", input="I am Ada.", instructions="Be brief.")
                second = await client.responses.create(model="chat/m", input="Who am I?", previous_response_id=first.id)
                loose = await client.responses.create(model="chat/m", input="x", store=False)
        async with gateway(tmp_path / "data", upstream) as served, served.client(ada) as client:
            shown = await client.responses.retrieve(second.id)
            assert shown.model_dump(exclude={"created_at"}) == second.model_dump(exclude={"created_at"})
            assert shown.previous_response_id == first.id
            with pytest.raises(openai.NotFoundError):
                await client.responses.retrieve(loose.id)
            async with served.client(eve) as other:
                with pytest.raises(openai.NotFoundError):
                    await other.responses.retrieve(first.id)
                with pytest.raises(openai.NotFoundError):
                    await other.responses.create(model="chat/m", input="x", previous_response_id=first.id)
            await client.responses.create(model="chat/m", input="Sure?", previous_response_id=second.id)
            said = [(message["role"], message["content"]) for message in upstream.body["messages"]]
            assert said == [
                ("user", "I am Ada."),
                ("assistant", "Your name is Ada."),
                ("user", "Who am I?"),
                ("assistant", "Your name is Ada."),
                ("user", "Sure?"),
            ]
            items = await client.responses.input_items.list(second.id, order="asc", limit=2)
            assert [item.type for item in items.data] == ["message", "message"]
            rest = [
                item
                async for item in client.responses.input_items.list(second.id, order="asc", after=items.data[-1].id)
            ]
            assert [item.content[0].text for item in rest] == ["Who am I?"]  # type: ignore[union-attr]
            await client.responses.delete(first.id)
            with pytest.raises(openai.NotFoundError):
                await client.responses.retrieve(first.id)
            [record] = [span for span in await served.spans() if first.id.endswith(span.trace_id)]
            assert (record.input, record.output, record.output_tokens) == ((), (), 2)


async def test_responses_that_go_wrong(served: Served) -> None:
    served.upstream.script = lambda _: [*says("Hel")[:2], CallTimeout("Too slow.")]
    async with served.client() as client:
        for provider in ("chat", "responses"):
            stream = await client.responses.create(model=f"{provider}/m", input="hi", stream=True)
            with pytest.raises(openai.APIError, match="Too slow"):
                [event async for event in stream]
        with pytest.raises(openai.BadRequestError, match="background"):
            await client.responses.create(model="chat/m", input="hi", background=True)
        with pytest.raises(openai.BadRequestError, match="`web_search` can't be carried"):
            await client.responses.create(model="chat/m", input="hi", tools=[{"type": "web_search"}])
        with pytest.raises(openai.NotFoundError):
            await client.responses.create(model="chat/m", input="hi", previous_response_id=f"resp_{'0' * 32}")
        served.upstream.script = lambda _: says("x")
        kept = await client.responses.create(model="chat/m", input="hi")
        with pytest.raises(openai.BadRequestError, match="`order` is"):
            await client.responses.input_items.list(kept.id, order="up")  # type: ignore[arg-type]
    statuses = [span.status for span in await served.spans()]
    assert (statuses.count("ok"), statuses.count("error"), len(statuses)) == (1, 3, 4)


async def test_an_incomplete_response_and_a_parsed_one(served: Served) -> None:
    async with served.client() as client:
        served.upstream.script = lambda _: says("Hel", reason="length")
        cut = await client.responses.create(model="chat/m", input="hi", max_output_tokens=16)
        assert cut.incomplete_details is not None
        assert (cut.status, cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")
        served.upstream.script = lambda _: says('{"name":"Tom"}')
        parsed = await client.responses.parse(model="chat/m", input="hi", text_format=Cat)
    assert parsed.output_parsed == Cat(name="Tom")
    assert served.upstream.body["response_format"]["json_schema"]["name"] == "Cat"


async def test_embeddings(served: Served) -> None:
    async with served.client() as client:
        with pytest.raises(openai.BadRequestError, match="vectors of 2 numbers where 3 were asked for"):
            await client.embeddings.create(model="chat/e", input="a", dimensions=3)
        made = await client.embeddings.create(model="chat/e", input=["a", "b"], dimensions=2)
        floats = await client.embeddings.create(model="chat/e", input=[1, 2, 3], encoding_format="float", user="u")
        assert [one.embedding for one in made.data] == [[0.5, -1.0], [1.5, -1.0]]
        assert (made.model, made.usage.prompt_tokens) == ("e-1", 4)
        assert floats.data[0].embedding == [0.5, -1.0]
        with pytest.raises(openai.BadRequestError, match="`input` is empty"):
            await client.embeddings.create(model="chat/e", input=[])
    path, body, _ = served.upstream.calls[-1]
    assert path == "/v1/embeddings"
    assert body == {"model": "e", "input": [[1, 2, 3]], "encoding_format": "float", "user": "u"}
    newest, oldest, *_ = [span for span in await served.spans() if span.status == "ok"]
    assert (oldest.operation, oldest.input_tokens, [message.text for message in oldest.input]) == (
        "embeddings",
        4,
        ["a", "b"],
    )
    assert newest.lineage.user_id == "u"
    assert b"0.5" not in msgspec.json.encode(oldest)


async def test_embeddings_as_base64(served: Served) -> None:
    async with httpx.AsyncClient(base_url=served.url, headers={"authorization": f"Bearer {KEY}"}) as client:
        asked = {"model": "chat/e", "input": "a", "encoding_format": "base64"}
        body = (await client.post("/v1/embeddings", json=asked)).json()
    assert struct.unpack("<2f", base64.b64decode(body["data"][0]["embedding"])) == (0.5, -1.0)


async def test_azure_is_called_by_deployment_and_by_its_version_one(served: Served) -> None:
    served.upstream.script = lambda _: says("hi")
    async with served.client() as client:
        for name in ("azure/d", "azure1/d"):
            reply = await client.chat.completions.create(model=name, messages=[{"role": "user", "content": "hi"}])
            assert reply.choices[0].message.content == "hi"
            await client.embeddings.create(model=name, input="a")
    assert [path for path, _, _ in served.upstream.calls] == [
        "/openai/deployments/d/chat/completions?api-version=2024-10-21",
        "/openai/deployments/d/embeddings?api-version=2024-10-21",
        "/v1/chat/completions",
        "/v1/embeddings",
    ]
    for _, _, headers in served.upstream.calls:
        assert headers["api-key"] == "az-key"
        assert "Authorization" not in headers


async def test_models_that_are_called_by_responses_are_named_in_the_settings(served: Served) -> None:
    served.upstream.script = lambda _: says("hi")
    names = ("both/gpt-4o", "both/gpt-5-mini", "both/o3", "azure/o3", "azure1/o3")
    async with served.client() as client:
        for name in names:
            reply = await client.chat.completions.create(model=name, messages=[{"role": "user", "content": "hi"}])
            assert reply.choices[0].message.content == "hi"
        for name in ("responses/e", "both/o-embedding"):
            vectors = await client.embeddings.create(model=name, input="a", encoding_format="float")
            assert vectors.data[0].embedding == [0.5, -1.0]
    assert [path for path, _, _ in served.upstream.calls] == [
        "/v1/chat/completions",
        "/v1/responses",
        "/v1/responses",
        "/openai/responses?api-version=2024-10-21",
        "/v1/responses",
        "/v1/embeddings",
        "/v1/embeddings",
    ]
    assert [body["model"] for _, body, _ in served.upstream.calls[:5]] == [name.partition("/")[2] for name in names]
    for _, _, headers in served.upstream.calls[3:5]:
        assert headers["api-key"] == "az-key"
        assert "Authorization" not in headers


async def test_a_model_by_its_name(served: Served) -> None:
    async with httpx.AsyncClient(base_url=served.url, headers={"authorization": f"Bearer {KEY}"}) as client:
        await client.post("/api/apps", json={"name": "boolq"})
        await client.put("/api/apps/boolq/variants/a", json={"model": "chat/m"})
        await client.post("/api/apps/boolq/releases", json={"shares": [{"variant": "a"}], "reason": "r"})
    async with served.client() as client:
        assert [model.id async for model in client.models.list()] == ["boolq"]
        assert (await client.models.retrieve("boolq")).owned_by == "noria"
        with pytest.raises(openai.NotFoundError):
            await client.models.retrieve("chat/none")
