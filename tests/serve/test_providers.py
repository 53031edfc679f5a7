"""Providers of other dialects behind the gateway, each a server that answers as it is documented, called by OpenAI's client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import pytest
from aiohttp import web

from noria.assemble import open_workspace
from noria.core.questions import Question
from noria.serve.access import Access
from noria.serve.port import bind
from noria.serve.run import serving
from noria.settings import Provider, Settings
from wires.bedrock.framing import stream as bedrock_stream
from wires.recordings import recorded

from .conftest import KEY, Clock

HI: list[Any] = [{"role": "user", "content": "hi"}]
TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
BEDROCK = "/model/anthropic.claude-v2:0/converse"
SSE, FRAMES = "text/event-stream", "application/vnd.amazon.eventstream"


class Servers:
    """Answers each path with a recorded reply."""

    def __init__(self) -> None:
        self.feature = "text"
        self.calls: list[tuple[str, dict[str, str], dict[str, Any]]] = []

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.calls.append((request.path, dict(request.headers), body))
        name = self.feature
        match request.path:
            case "/v2/chat" if body["stream"]:
                return web.Response(body=recorded(f"cohere/{name}.sse"), content_type=SSE)
            case "/generate_stream":
                return web.Response(body=recorded(f"tgi/{name}.sse"), content_type=SSE)
            case path if path == f"{BEDROCK}-stream":
                return web.Response(body=bedrock_stream(name), content_type=FRAMES)
            case path:
                wire = {"/v2/chat": "cohere", "/v2/embed": "cohere", "/generate": "tgi", BEDROCK: "bedrock"}[path]
                name = "embed" if path == "/v2/embed" else name
                return web.Response(body=recorded(f"{wire}/{name}.json"), content_type="application/json")


MODELS = {"cohere": "co/command-a", "tgi": "tgi/any", "bedrock": "aws/anthropic.claude-v2:0"}


@pytest.fixture
async def servers(tmp_path: Path) -> AsyncIterator[tuple[openai.AsyncOpenAI, Servers, Any]]:
    servers = Servers()
    app = web.Application()
    app.router.add_post("/{path:.*}", servers.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    root = f"http://127.0.0.1:{runner.addresses[0][1]}"
    providers = {
        "co": Provider(base_url=f"{root}/v2", kind="cohere", api_key_env="SECRET"),
        "tgi": Provider(base_url=root, kind="tgi", api_key_env="SECRET"),
        "aws": Provider(base_url=root, kind="bedrock", api_key_env="SECRET"),
    }
    settings = Settings(data=str(tmp_path / "data"), providers=providers)
    async with (
        open_workspace(settings, {"NORIA_API_KEY": KEY, "SECRET": "s3cret"}, holder="a test") as workspace,
        serving(workspace, bind("127.0.0.1", 0), Access(workspace.key, [], Clock())) as (running, _),
        openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key=KEY, max_retries=0) as client,
    ):
        yield client, servers, workspace
    await runner.cleanup()


@pytest.mark.parametrize("wire", MODELS)
async def test_a_reply_whole_and_streamed(servers: tuple[openai.AsyncOpenAI, Servers, Any], wire: str) -> None:
    client, provider, workspace = servers
    whole = await client.chat.completions.create(model=MODELS[wire], messages=HI)
    said = whole.choices[0].message.content
    assert said is not None
    assert said.startswith("Grüße aus Tōkyō")
    stream = await client.chat.completions.create(model=MODELS[wire], messages=HI, stream=True)
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]) == said
    assert {headers["Authorization"] for _, headers, _ in provider.calls} == {"Bearer s3cret"}
    spans = await workspace.traces.spans(Question())
    assert [(span.status, span.output[0].text) for span in spans] == [("ok", said)] * 2


@pytest.mark.parametrize("wire", ["cohere", "bedrock"])
async def test_calls_of_tools(servers: tuple[openai.AsyncOpenAI, Servers, Any], wire: str) -> None:
    client, provider, _ = servers
    provider.feature = "tools"
    whole = await client.chat.completions.create(model=MODELS[wire], messages=HI, tools=TOOLS, tool_choice="required")
    calls: Any = whole.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["weather", "weather"]
    assert whole.choices[0].finish_reason == "tool_calls"
    async with client.chat.completions.stream(model=MODELS[wire], messages=HI, tools=TOOLS) as stream:
        final = await stream.get_final_completion()
    streamed: Any = final.choices[0].message.tool_calls
    assert [call.id for call in streamed] == [call.id for call in calls]
    assert [call.function.arguments.replace(" ", "") for call in streamed] == [
        call.function.arguments.replace(" ", "") for call in calls
    ]


@pytest.mark.parametrize("wire", MODELS)
async def test_a_stream_that_fails_ends_as_an_error(
    servers: tuple[openai.AsyncOpenAI, Servers, Any], wire: str
) -> None:
    client, provider, workspace = servers
    provider.feature = "error"
    seen: list[str] = []

    async def read() -> None:
        stream = await client.chat.completions.create(model=MODELS[wire], messages=HI, stream=True)
        async for chunk in stream:
            seen.append(chunk.choices[0].delta.content or "")  # noqa: PERF401  # what came before the error is kept

    with pytest.raises(openai.APIError):
        await read()
    assert "".join(seen) == "Half"
    [span] = await workspace.traces.spans(Question())
    assert (span.status, span.output[0].text) == ("error", "Half")


async def test_what_cannot_be_carried_is_refused_or_dropped_and_told(
    servers: tuple[openai.AsyncOpenAI, Servers, Any],
) -> None:
    client, provider, _ = servers
    with pytest.raises(openai.BadRequestError, match="`n` can't be carried to Cohere"):
        await client.chat.completions.create(model=MODELS["cohere"], messages=HI, n=2)
    assert provider.calls == []
    raw = await client.chat.completions.with_raw_response.create(
        model=MODELS["cohere"], messages=HI, n=2, extra_headers={"noria-may-drop": "n"}
    )
    assert raw.headers["noria-dropped"] == "n"


async def test_embeddings_of_cohere(servers: tuple[openai.AsyncOpenAI, Servers, Any]) -> None:
    client, provider, _ = servers
    reply = await client.embeddings.create(model="co/embed-v4.0", input=["one", "two"], encoding_format="float")
    assert [item.embedding for item in reply.data] == [[0.5, -0.25, 0.125], [1.0, 0.0, -1.0]]
    assert provider.calls[0][2]["input_type"] == "search_document"
    await client.embeddings.create(
        model="co/embed-v4.0", input=["one", "two"], encoding_format="float", extra_body={"input_type": "search_query"}
    )
    assert provider.calls[1][2]["input_type"] == "search_query"
