"""The gateway as Google's own client sees it, in front of a Google-shaped and an OpenAI-shaped provider."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pydantic
import pytest
from aiohttp import web
from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials

from noria.assemble import Workspace, open_workspace
from noria.core.errors import CallRefused
from noria.core.events import Delta, Started, Stopped, ToolCallDelta
from noria.serve.access import Access
from noria.serve.port import bind
from noria.serve.run import serving
from noria.settings import Provider, Settings
from noria.targets.scripted import answer
from targets import upstream
from targets.upstream import CUT
from wires.recordings import recorded

from .anthropic_upstream import anthropic_upstream
from .conftest import KEY
from .conftest import served as served_noria

PLACE = "projects/noria/locations/europe-west1/publishers/google"
"""Where Vertex AI has Google's own models."""


@dataclass
class Gemini:
    """Answers with what is recorded under the model's name."""

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    cut: bool = False

    async def handle(self, request: web.Request) -> web.StreamResponse:
        feature, _, method = request.match_info["call"].partition(":")
        self.bodies.append(await request.json())
        self.headers.append(dict(request.headers))
        if feature == "error":
            return web.Response(status=429, body=recorded("google/error.json"), content_type="application/json")
        if method == "countTokens":
            return web.json_response(
                {"totalTokens": 31, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 31}]}
            )
        if method != "streamGenerateContent":
            return web.Response(body=recorded(f"google/{feature}.json"), content_type="application/json")
        assert request.query_string == "alt=sse"
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        data = recorded(f"google/{feature}.sse")
        for piece in data.split(b"\r\n\r\n")[: -2 if self.cut else -1]:
            await response.write(piece + b"\r\n\r\n")
        return response


@dataclass
class Served:
    workspace: Workspace
    url: str
    gemini: Gemini
    openai: upstream.Upstream
    client: genai.client.AsyncClient

    async def span(self) -> Any:
        await self.workspace.calling.together.drain()
        async with httpx.AsyncClient(base_url=self.url, headers={"x-goog-api-key": KEY}, trust_env=False) as client:
            [span] = (await client.get("/api/traces")).json()
        return span


@asynccontextmanager
async def gemini_provider() -> AsyncIterator[Gemini]:
    gemini = Gemini()
    app = web.Application()
    app.router.add_post("/v1beta/models/{call}", gemini.handle)
    app.router.add_post(f"/v1/{PLACE}/models/{{call}}", gemini.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    gemini.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield gemini
    finally:
        await runner.cleanup()


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with gemini_provider() as gemini, upstream.serving(lambda _: answer("Hel", "lo")) as openai:
        providers = {
            "g": Provider(kind="google", base_url=f"{gemini.url}/v1beta", api_key_env="G_KEY", attempts=1),
            "v": Provider(kind="vertex", base_url=f"{gemini.url}/v1/{PLACE}", api_key_env="V_TOKEN", attempts=1),
            "up": Provider(base_url=openai.base_url, api_key_env="UP_KEY", attempts=1),
        }
        settings = Settings(data=str(tmp_path / "data"), providers=providers)
        environ = {"NORIA_API_KEY": KEY, "UP_KEY": "sk-upstream", "G_KEY": "AIza-google", "V_TOKEN": "ya29.token"}
        async with open_workspace(settings, environ, holder="a test") as workspace:
            access = Access(workspace.key, [])
            async with serving(workspace, bind("127.0.0.1", 0), access) as (running, _), googles(running.url) as client:
                yield Served(workspace, running.url, gemini, openai, client)


@asynccontextmanager
async def googles(url: str, key: str = KEY) -> AsyncIterator[genai.client.AsyncClient]:
    """The official client, over httpx: over aiohttp it is deprecated by aiohttp itself."""
    async with httpx.AsyncClient(trust_env=False) as http:
        yield genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url, httpx_async_client=http)).aio


async def streamed(served: Served, model: str, **config: Any) -> list[types.GenerateContentResponse]:
    pieces = await served.client.models.generate_content_stream(model=model, contents="Why?", config=config or None)
    return [piece async for piece in pieces]


@pytest.mark.parametrize("model", ["g/text", "up/m"])
async def test_text_whole_and_streamed(served: Served, model: str) -> None:
    said = "A noria lifts water" if model == "g/text" else "Hello"
    reply = await served.client.models.generate_content(model=model, contents="Why?")
    assert (reply.text or "").startswith(said[:5])
    assert reply.candidates
    assert reply.candidates[0].finish_reason == types.FinishReason.STOP
    assert reply.usage_metadata
    pieces = await streamed(served, model)
    assert "".join(piece.text or "" for piece in pieces).startswith(said)
    assert pieces[-1].candidates
    assert pieces[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert pieces[-1].usage_metadata
    assert pieces[-1].usage_metadata.total_token_count == (
        20 if model == "g/text" else reply.usage_metadata.total_token_count
    )


async def test_what_is_left_out_of_a_stream_is_told_in_either_framing(tmp_path: Path) -> None:
    body = {"contents": [{"role": "user", "parts": [{"text": "Why?"}]}]}
    call = "/v1beta/models/claude%2Fm:streamGenerateContent"
    async with anthropic_upstream() as claude:
        claude.reply = "hosted_tools"
        async with served_noria(tmp_path, {"claude": Provider(kind="anthropic", base_url=claude.base_url)}) as noria:
            events = (await noria.client.post(f"{call}?alt=sse", json=body)).text
            *before, last = (await noria.client.post(call, json=body)).json()
    told = re.findall(r"^: noria-dropped (.*)$", events, re.MULTILINE)
    assert [", ".join(last["noriaDropped"])] == told == ["server_tool_use, web_search_tool_result"]
    assert "noriaDropped" not in events
    assert last["candidates"][0]["finishReason"] == "STOP"
    assert before
    assert not any("noriaDropped" in piece for piece in before)


async def test_googles_bytes_pass_untouched_with_its_key_and_fields(served: Served) -> None:
    async with httpx.AsyncClient(base_url=served.url, headers={"x-goog-api-key": KEY}, trust_env=False) as client:
        body = {"contents": [{"parts": [{"text": "Why?"}]}], "safetySettings": [{"threshold": "OFF"}]}
        path = "/v1beta/models/g/tools:streamGenerateContent?alt=sse"
        reply = await client.post(path, json=body)
        assert reply.content == recorded("google/tools.sse")
        whole = await client.post("/v1beta/models/g%2Ftools:generateContent", json=body)
        assert whole.content == recorded("google/tools.json")
        array = await client.post("/v1beta/g/tools:streamGenerateContent", json=body)
        assert array.headers["content-type"].startswith("application/json")
        assert array.json()[-1]["candidates"][0]["content"]["parts"][1]["functionCall"]["name"] == "get_time"
    assert served.gemini.headers[0]["x-goog-api-key"] == "AIza-google"
    assert served.gemini.bodies[0] == {"contents": [{"role": "user", "parts": [{"text": "Why?"}]}]} | {
        "safetySettings": body["safetySettings"]
    }


async def test_what_a_google_reply_leaves_on_record(served: Served) -> None:
    await streamed(served, "g/thinking")
    span = await served.span()
    assert span["provider"] == "g"
    assert span["output"][0]["content"] == "Because the stream turns it."
    assert (span["input_tokens"], span["output_tokens"], span["response_model"]) == (12, 127, "gemini-2.5-flash")


def weather(city: str) -> str:
    """The weather of a city."""
    return f"21 degrees in {city}"


async def test_the_client_calls_functions_by_itself(served: Served) -> None:
    """Two turns: the model of another provider asks, the client answers, and each result finds its call."""

    def script(body: dict[str, Any]) -> Any:
        if body["messages"][-1]["role"] == "tool":
            return answer("It is 21 degrees.")
        calls = [ToolCallDelta(index=i, id=f"call_{i}", name="weather") for i in range(2)]
        pieces = [
            ToolCallDelta(index=i, arguments=json.dumps({"city": city})) for i, city in enumerate(["Hama", "Homs"])
        ]
        return [
            Started(model="m"),
            *(Delta(tool_calls=(it,)) for it in [*calls, *pieces]),
            Stopped(reason="tool_calls"),
        ]

    served.openai.script = script
    config = types.GenerateContentConfig(tools=[weather], system_instruction="Be brief.")
    reply = await served.client.models.generate_content(model="up/m", contents="How warm?", config=config)
    assert reply.text == "It is 21 degrees."
    first, second = served.openai.bodies
    assert [message["role"] for message in first["messages"]] == ["system", "user"]
    assert first["tools"][0]["function"]["description"].startswith(
        "The weather of a city.\n\nReturns JSON of this schema: {"
    )
    assert first["tools"][0]["function"]["parameters"]["properties"]["city"]["type"] == "string"
    assert [message["role"] for message in second["messages"]] == ["system", "user", "assistant", "tool", "tool"]
    assert [call["id"] for call in second["messages"][2]["tool_calls"]] == ["call_0", "call_1"]
    assert [message["tool_call_id"] for message in second["messages"][3:]] == ["call_0", "call_1"]
    assert "21 degrees in Hama" in second["messages"][3]["content"]


class City(pydantic.BaseModel):
    city: str
    wheels: int


@pytest.mark.parametrize("model", ["g/json_schema", "up/m"])
async def test_structured_output(served: Served, model: str) -> None:
    served.openai.script = lambda _: answer('{"city": "Hama", "wheels": 17}')
    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=City)
    reply = await served.client.models.generate_content(model=model, contents="Which?", config=config)
    assert reply.parsed == City(city="Hama", wheels=17)
    if model == "up/m":
        [body] = served.openai.bodies
        schema = body["response_format"]["json_schema"]["schema"]
        assert schema["properties"] == {
            "city": {"type": "string", "title": "City"},
            "wheels": {"type": "integer", "title": "Wheels"},
        }


async def test_thinking_and_sources_arrive(served: Served) -> None:
    pieces = await streamed(served, "g/thinking", thinking_config={"thinking_budget": 100, "include_thoughts": True})
    parts = [part for piece in pieces for part in piece.parts or ()]
    assert [part.text for part in parts if part.thought] == ["**Weighing it**\n\n", "The wheel turns by itself."]
    assert served.gemini.bodies[0]["generationConfig"]["thinkingConfig"] == {
        "thinkingBudget": 100,
        "includeThoughts": True,
    }
    reply = await served.client.models.generate_content(model="g/citations", contents="How high?")
    assert reply.candidates
    assert reply.candidates[0].grounding_metadata


async def test_embeddings(served: Served) -> None:
    vectors = await served.client.models.embed_content(
        model="g/embed", contents=["a", "b"], config={"output_dimensionality": 3, "task_type": "RETRIEVAL_QUERY"}
    )
    assert [vector.values for vector in vectors.embeddings or ()] == [[0.013, -0.008, 0.042], [-0.021, 0.017, 0.005]]
    assert served.gemini.bodies[0]["requests"][1]["taskType"] == "RETRIEVAL_QUERY"


async def failure(served: Served, model: str, contents: Any = "Why?", **config: Any) -> errors.APIError:
    with pytest.raises(errors.APIError) as caught:
        await served.client.models.generate_content(model=model, contents=contents, config=config or None)
    return caught.value


async def test_errors_are_googles(served: Served) -> None:
    quota = await failure(served, "g/error")
    assert (quota.code, quota.status) == (429, "RESOURCE_EXHAUSTED")
    unknown = await failure(served, "nobody")
    assert (unknown.code, unknown.status) == (404, "NOT_FOUND")
    carried = await failure(
        served, "up/m", safety_settings=[{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}]
    )
    assert (carried.code, carried.status) == (400, "INVALID_ARGUMENT")
    assert "safetySettings" in str(carried.message)
    served.openai.script = lambda _: [CallRefused("No such key.", status=401)]
    assert (await failure(served, "up/m")).code == 502  # the caller's own key is right
    async with googles(served.url, "wrong") as stranger:
        with pytest.raises(errors.ClientError) as caught:
            await stranger.models.generate_content(model="g/text", contents="a")
    assert (caught.value.code, caught.value.status) == (401, "UNAUTHENTICATED")


async def keep(pieces: AsyncIterator[Any], seen: list[Any]) -> None:
    async for piece in pieces:
        seen.append(piece)  # noqa: PERF401  # those before the failure are to be there


@pytest.mark.parametrize("model", ["g/text", "up/m"])
async def test_a_reply_that_breaks_off_is_an_error(served: Served, model: str) -> None:
    served.gemini.cut = True
    served.openai.script = lambda _: [Started(), Delta(text="Hel"), CUT]
    seen: list[types.GenerateContentResponse] = []
    pieces = await served.client.models.generate_content_stream(model=model, contents="a")
    with pytest.raises(errors.APIError) as caught:
        await keep(pieces, seen)
    assert not any(candidate.finish_reason for piece in seen for candidate in piece.candidates or ())
    assert seen
    assert (caught.value.code, caught.value.status) == (502, "UNAVAILABLE")
    assert (await served.span())["status"] == "error"


async def test_tokens_are_counted_by_google_or_guessed_for_others(served: Served) -> None:
    counted = await served.client.models.count_tokens(model="g/text", contents=["Why?", "And how?"])
    assert counted.total_tokens == 31
    [body] = served.gemini.bodies
    assert body["generateContentRequest"]["model"] == "models/text"
    assert [part["text"] for part in body["generateContentRequest"]["contents"][0]["parts"]] == ["Why?", "And how?"]
    async with httpx.AsyncClient(base_url=served.url, headers={"x-goog-api-key": KEY}, trust_env=False) as client:
        whole = {"contents": [{"parts": [{"text": "x" * 400}]}], "systemInstruction": {"parts": [{"text": "y" * 400}]}}
        path = "/v1beta/models/up/m:countTokens"
        reply = await client.post(path, json={"generateContentRequest": {"model": "models/up/m", **whole}})
        assert types.CountTokensResponse.model_validate(reply.json()).total_tokens == 208
        assert reply.headers["noria-emulated"] == "count_tokens"
        twice = await client.post(path, json=whole | {"generateContentRequest": whole})
        assert (twice.status_code, twice.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
        assert (await client.post(path, json={"generateContentRequest": 3})).status_code == 400
    await served.workspace.calling.together.drain()


@asynccontextmanager
async def vertex(url: str) -> AsyncIterator[genai.client.AsyncClient]:
    """The official client as it calls Vertex AI."""
    async with httpx.AsyncClient(trust_env=False) as http:
        options = types.HttpOptions(base_url=url, httpx_async_client=http)
        token = Credentials(token=KEY)  # type: ignore[no-untyped-call]  # Google's types stop here
        yield genai.Client(
            vertexai=True, project="noria", location="europe-west1", credentials=token, http_options=options
        ).aio


@pytest.mark.parametrize("model", ["g/text", "v/text", "up/m"])
async def test_clients_of_vertex_ai_call_as_they_call_vertex_ai(served: Served, model: str) -> None:
    said = "Hello" if model == "up/m" else "A noria lifts water"
    async with vertex(served.url) as client:
        reply = await client.models.generate_content(model=model, contents="Why?")
        assert (reply.text or "").startswith(said)
        pieces = await client.models.generate_content_stream(model=model, contents="Why?")
        assert "".join([piece.text or "" async for piece in pieces]).startswith(said)
        counted = await client.models.count_tokens(
            model=model, contents="Why?", config={"system_instruction": "Be brief."}
        )
        assert counted.total_tokens == (12 if model == "up/m" else 31)
        with pytest.raises(errors.ClientError) as caught:
            await client.models.generate_content(model="nobody", contents="Why?")
        assert "'nobody'" in str(caught.value)
    if model == "v/text":
        assert served.gemini.headers[0]["Authorization"] == "Bearer ya29.token"
        assert {*served.gemini.bodies[-1]} == {"contents", "systemInstruction"}


async def test_models_are_listed_as_google_lists_them(served: Served) -> None:
    assert [model async for model in await served.client.models.list()] == []
    async with httpx.AsyncClient(base_url=served.url, headers={"x-goog-api-key": KEY}, trust_env=False) as client:
        assert (await client.get("/v1beta/models")).json() == {"models": []}
        missing = await client.get("/v1beta/models/up/m")
        assert (missing.status_code, missing.json()["error"]["status"]) == (404, "NOT_FOUND")
        wrong = await client.post("/v1beta/models/up/m:cancel", json={})
        assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, 405)
        assert (await client.post("/v1beta/models/up/m:generateContent", content=b"{")).status_code == 400
