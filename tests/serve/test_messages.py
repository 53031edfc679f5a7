"""The gateway as Anthropic's own client sees it, over a provider of OpenAI's dialect and over one of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from noria.core.errors import CallRefused
from noria.core.events import Delta, Started, Stopped, ToolCallDelta, Used
from noria.core.messages import ImagePart
from noria.core.replies import Usage
from noria.serve import entrance
from noria.settings import Provider
from noria.targets.scripted import answer
from targets.upstream import CUT
from wires.recordings import recorded

from .anthropic_upstream import AnthropicUpstream, anthropic_upstream
from .conftest import KEY, UPSTREAM_KEY, Noria, served

HI: list[Any] = [{"role": "user", "content": "hi"}]
TOOLS: list[Any] = [{"name": "look_up", "description": "Looks.", "input_schema": {"type": "object"}}]
ASK: dict[str, Any] = {"model": "up/m", "max_tokens": 100, "messages": HI}
CLAUDE: dict[str, Any] = ASK | {"model": "claude/claude-sonnet-4-5"}


@pytest.fixture
async def claude() -> AsyncIterator[AnthropicUpstream]:
    async with anthropic_upstream() as upstream:
        yield upstream


@pytest.fixture
async def server(tmp_path: Path, claude: AnthropicUpstream) -> AsyncIterator[Noria]:
    there = Provider(kind="anthropic", base_url=claude.base_url, api_key_env="UP_KEY", attempts=1)
    async with served(tmp_path / "data", {"claude": there}) as server:
        yield server


@pytest.fixture
async def client(server: Noria) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=server.url, api_key=KEY, max_retries=0) as client:
        yield client


async def only_span(server: Noria) -> dict[str, Any]:
    [span] = await server.spans()
    return span


# -- over a provider of another dialect


async def test_a_whole_reply(server: Noria, client: anthropic.AsyncAnthropic) -> None:
    raw = await client.messages.with_raw_response.create(**ASK, system="Be brief.", metadata={"user_id": "u"})
    reply = await raw.parse()
    assert [block.to_dict() for block in reply.content] == [{"type": "text", "text": "Hello"}]
    assert (reply.stop_reason, reply.usage.input_tokens, reply.usage.output_tokens) == ("end_turn", 7, 2)
    span = await only_span(server)
    assert span["trace_id"] == raw.headers["noria-trace-id"]
    assert span["lineage"]["user_id"] == "u"
    assert server.upstream.bodies[0]["messages"] == [{"role": "system", "content": "Be brief."}, *HI]
    assert server.upstream.bodies[0]["max_tokens"] == 100


async def test_a_streamed_reply(server: Noria, client: anthropic.AsyncAnthropic) -> None:
    async with client.messages.stream(**ASK) as stream:
        pieces = [text async for text in stream.text_stream]
        final = await stream.get_final_message()
    assert pieces == ["Hel", "lo"]
    assert (final.stop_reason, final.usage.input_tokens, final.usage.output_tokens) == ("end_turn", 7, 2)
    assert (await only_span(server))["ttft_s"] >= 0


async def test_tools_all_the_way_round(server: Noria, client: anthropic.AsyncAnthropic) -> None:
    calls = [
        ToolCallDelta(index=0, id="call_1", name="look_up", arguments='{"q":'),
        ToolCallDelta(index=0, arguments='"x"}'),
        ToolCallDelta(index=1, id="call_2", name="look_up", arguments=""),
    ]
    server.upstream.script = lambda _: [
        Started(model="m"),
        Delta(reasoning="Let me look."),
        *(Delta(tool_calls=(call,)) for call in calls),
        Stopped(reason="tool_calls"),
        Used(usage=Usage(input_tokens=9, output_tokens=8, cached_tokens=4)),
    ]
    asked = ASK | {"tools": TOOLS, "tool_choice": {"type": "any"}}
    whole = await client.messages.create(**asked)
    async with client.messages.stream(**asked) as stream:
        final = await stream.get_final_message()
    for reply in (whole, final):
        assert [block.type for block in reply.content] == ["thinking", "tool_use", "tool_use"]
        used: list[Any] = list(reply.content[1:])
        assert [(block.id, block.input) for block in used] == [("call_1", {"q": "x"}), ("call_2", {})]
        assert reply.stop_reason == "tool_use"
        assert (reply.usage.input_tokens, reply.usage.cache_read_input_tokens) == (5, 4)
    assert server.upstream.bodies[0]["tools"][0]["function"]["name"] == "look_up"
    assert server.upstream.bodies[0]["tool_choice"] == "required"
    server.upstream.script = lambda _: answer("done")
    results = [
        {"type": "tool_result", "tool_use_id": "call_1", "content": "one"},
        {"type": "tool_result", "tool_use_id": "call_2", "content": "two", "is_error": True},
    ]
    history = [*HI, {"role": "assistant", "content": whole.content}, {"role": "user", "content": results}]
    reply = await client.messages.create(**(asked | {"messages": history}))
    assert reply.content[0].to_dict()["text"] == "done"
    roles = [message["role"] for message in server.upstream.bodies[-1]["messages"]]
    assert roles == ["user", "assistant", "tool", "tool"]


async def test_the_synchronous_client(server: Noria) -> None:
    def work() -> tuple[str, str, int]:
        with anthropic.Anthropic(base_url=server.url, api_key=KEY, max_retries=0) as client:
            whole: Any = client.messages.create(**ASK).content[0]
            with client.messages.stream(**ASK) as stream:
                return (
                    whole.text,
                    stream.get_final_text(),
                    client.messages.count_tokens(model="up/m", messages=HI).input_tokens,
                )

    assert await asyncio.to_thread(work) == ("Hello", "Hello", 5)


async def test_an_image_that_the_wire_has_no_place_for_is_told_or_left_out_where_allowed(
    server: Noria, client: anthropic.AsyncAnthropic
) -> None:
    drawn = ImagePart(url="data:image/png;base64,iVBORw0KGgo=")
    server.upstream.script = lambda _: [
        Started(model="m"),
        Delta(text="Here it is."),
        Delta(parts=(drawn,)),
        Stopped(),
        Used(usage=Usage(input_tokens=7, output_tokens=1290)),
    ]
    with pytest.raises(anthropic.BadRequestError, match=r"`image`.*1290 written.*noria-may-drop: image") as refused:
        await client.messages.create(**ASK)
    assert refused.value.response.headers["x-should-retry"] == "false"
    async with client.messages.stream(**ASK) as stream:
        with pytest.raises(anthropic.APIStatusError, match="`image`"):
            await stream.get_final_message()
        assert stream.current_message_snapshot.content[0].to_dict()["text"] == "Here it is."
    allowed = {"noria-may-drop": "image"}
    raw = await client.messages.with_raw_response.create(**ASK, extra_headers=allowed)
    assert (await raw.parse()).content[0].to_dict() == {"type": "text", "text": "Here it is."}
    assert raw.headers["noria-dropped"] == "image"
    streamed = await server.client.post("/v1/messages", json=ASK | {"stream": True}, headers=allowed)
    before, comment, after = streamed.text.partition(": noria-dropped image\n\n")
    assert comment
    assert "Here it is." in before
    assert "message_stop" in after
    spans = await server.spans()
    assert sorted(span["status"] for span in spans) == ["error", "error", "ok", "ok"]
    assert [span["attributes"]["noria.dropped"] for span in spans if span["status"] == "ok"] == [["image"]] * 2


async def test_an_app_that_asks_for_images_is_refused_before_anything_is_paid(
    server: Noria, client: anthropic.AsyncAnthropic
) -> None:
    await server.post("/api/apps", {"name": "painter"})
    params = {"extra": {"modalities": ["text", "image"]}}
    await server.put("/api/apps/painter/variants/plain", {"model": "up/m", "params": params})
    for whole in (True, False):
        with pytest.raises(anthropic.BadRequestError, match=r"`image`.*Nothing was sent\."):
            await client.messages.create(**(ASK | {"model": "painter@plain"}), stream=not whole)
    assert server.upstream.bodies == []


async def test_a_field_that_is_dropped_writes_no_header_of_its_own(server: Noria) -> None:
    odd = ASK | {"f\r\nset-cookie: a=b": 1, "\u2603": 1}
    told = await server.client.post("/v1/messages", json=odd, headers={"noria-may-drop": "*"})
    assert told.status_code == 200
    assert "set-cookie" not in told.headers
    assert told.headers["noria-dropped"] == "f%0D%0Aset-cookie: a=b, %E2%98%83"


async def test_what_cannot_be_carried_is_refused_or_dropped_and_told(
    server: Noria, client: anthropic.AsyncAnthropic
) -> None:
    with pytest.raises(anthropic.BadRequestError, match="`container` can't be carried"):
        await client.messages.create(**ASK, container="c1")
    raw = await client.messages.with_raw_response.create(
        **ASK, container="c1", extra_headers={"noria-may-drop": "container"}
    )
    assert raw.headers["noria-dropped"] == "container"
    assert [span.get("status", "ok") for span in await server.spans()] == ["error", "ok"]


# -- over a provider of the same dialect


@pytest.mark.parametrize("reply", ["text", "parallel_tools", "redacted_thinking", "citations", "hosted_tools", "stop"])
async def test_the_same_bytes_come_out_as_the_provider_sent(
    server: Noria, claude: AnthropicUpstream, reply: str
) -> None:
    claude.reply = reply
    whole = await server.client.post("/v1/messages", json=CLAUDE)
    assert whole.content == recorded(f"anthropic/{reply}.json")
    streamed = await server.client.post("/v1/messages", json=CLAUDE | {"stream": True})
    assert streamed.content == recorded(f"anthropic/{reply}.sse")
    assert streamed.headers["content-type"].startswith("text/event-stream")
    first, second = await server.spans()
    for message in (*first["output"], *second["output"]):
        for call in message["tool_calls"]:
            call["arguments"] = json.loads(call["arguments"])  # written with other spaces
    assert first["output"] == second["output"]
    assert claude.headers[0]["x-api-key"] == UPSTREAM_KEY
    assert KEY not in str(claude.headers)


async def test_versions_and_betas_go_on_and_nothing_else(
    client: anthropic.AsyncAnthropic, claude: AnthropicUpstream
) -> None:
    headers = {"anthropic-beta": "context-1m", "x-secret": "s", "anthropic-version": "2024-01-01"}
    await client.messages.create(**CLAUDE, extra_headers=headers)
    sent = claude.headers[0]
    assert (sent["anthropic-beta"], sent["anthropic-version"]) == ("context-1m", "2024-01-01")
    assert "x-secret" not in sent


async def test_prompt_caching_is_asked_for_and_counted(
    server: Noria, client: anthropic.AsyncAnthropic, claude: AnthropicUpstream
) -> None:
    claude.reply = "cached_usage"
    system: list[Any] = [{"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}]
    reply = await client.messages.create(**CLAUDE, system=system)
    assert claude.bodies[0]["system"] == system
    assert reply.usage.cache_creation_input_tokens == 188_086
    span = await only_span(server)
    assert (span["input_tokens"], span["cached_tokens"]) == (21 + 188_086 + 1_000, 1_000)
    assert span["attributes"]["gen_ai.usage.cache_creation.input_tokens"] == 188_086


async def test_openais_client_over_anthropic(server: Noria, claude: AnthropicUpstream) -> None:
    claude.reply = "parallel_tools"
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
        asked: dict[str, Any] = {
            "model": CLAUDE["model"],
            "messages": [{"role": "system", "content": "Be brief."}, *HI],
            "tools": [{"type": "function", "function": {"name": "get_time", "parameters": {"type": "object"}}}],
        }
        whole = await client.chat.completions.create(**asked)
        chunks = [chunk async for chunk in await client.chat.completions.create(**asked, stream=True)]
    assert whole.choices[0].finish_reason == "tool_calls"
    calls: list[Any] = list(whole.choices[0].message.tool_calls or ())
    assert [(call.function.name, json.loads(call.function.arguments)) for call in calls] == [
        ("get_weather", {"location": "Paris"}),
        ("get_time", {}),
    ]
    pieces: dict[int, str] = {}
    for chunk in chunks:
        for call in chunk.choices[0].delta.tool_calls or () if chunk.choices else ():
            assert call.function is not None
            pieces[call.index] = pieces.get(call.index, "") + (call.function.arguments or "")
    assert [json.loads(text) for text in pieces.values()] == [{"location": "Paris"}, {}]
    assert (claude.bodies[0]["system"], claude.bodies[0]["max_tokens"]) == ("Be brief.", 8192)


# -- counting


async def test_tokens_are_counted_by_the_provider_where_it_can_and_else_estimated(
    server: Noria, client: anthropic.AsyncAnthropic, claude: AnthropicUpstream
) -> None:
    asked: dict[str, Any] = {"messages": HI, "system": "Be brief.", "tools": TOOLS}
    exact = await client.messages.with_raw_response.count_tokens(model=CLAUDE["model"], **asked)
    assert (await exact.parse()).input_tokens == 42
    assert "noria-emulated" not in exact.headers
    assert claude.paths == ["/v1/messages/count_tokens"]
    rough = await client.messages.with_raw_response.count_tokens(model="up/m", **asked)
    assert rough.headers["noria-emulated"] == "count_tokens"
    assert 10 < (await rough.parse()).input_tokens < 60
    assert server.upstream.bodies == []
    spans = await server.spans()
    assert [span["operation"] for span in spans] == ["count_tokens"] * 2
    assert [span.get("status", "ok") for span in spans] == ["ok"] * 2


# -- failures


@pytest.mark.parametrize("stream", [False, True])
async def test_failures_before_the_first_event_are_http_errors(
    server: Noria, client: anthropic.AsyncAnthropic, claude: AnthropicUpstream, stream: bool
) -> None:
    for status, kind, again in (
        (400, anthropic.BadRequestError, "false"),
        (401, anthropic.InternalServerError, "false"),  # Noria's key was refused there, not the caller's here
        (429, anthropic.RateLimitError, "true"),
        (529, anthropic.InternalServerError, "true"),
    ):
        claude.status = status
        with pytest.raises(anthropic.APIStatusError) as caught:
            await client.messages.create(**CLAUDE, stream=stream)
        assert type(caught.value) is kind
        assert "Overloaded" in caught.value.message
        assert caught.value.response.headers["x-should-retry"] == again
        body: Any = caught.value.body
        assert body["type"] == "error"
        assert body["error"]["message"]
    assert [span["status"] for span in await server.spans()] == ["error"] * 4


@pytest.mark.parametrize("step", [CUT, CallRefused("too long", status=400)])
async def test_a_failure_in_the_middle_never_ends_as_if_it_were_whole(
    server: Noria, client: anthropic.AsyncAnthropic, step: Any
) -> None:
    server.upstream.script = lambda _: [*answer("Hel", "lo")[:2], step]
    texts: list[str] = []
    with pytest.raises(anthropic.APIStatusError):  # noqa: PT012  # where it raises is what is tested
        async with client.messages.stream(**ASK) as stream:
            async for text in stream.text_stream:
                texts.append(text)  # noqa: PERF401  # a comprehension would lose them when the error comes
    assert texts == ["Hel"]
    span = await only_span(server)
    assert span["error_type"] == ("call_cut" if step is CUT else "call_refused")
    assert span["output"][0]["content"] == "Hel"


async def test_a_provider_of_the_same_dialect_that_fails_in_the_middle(
    server: Noria, client: anthropic.AsyncAnthropic, claude: AnthropicUpstream
) -> None:
    claude.reply = "error"
    stream = await client.messages.create(**CLAUDE, stream=True)
    seen: list[str] = []
    with pytest.raises(anthropic.APIStatusError, match="Overloaded"):  # noqa: PT012  # where it raises is what is tested
        async for event in stream:
            seen.append(event.type)  # noqa: PERF401  # see above
    assert seen == ["message_start", "content_block_start", "content_block_delta"]
    assert (await only_span(server))["output"][0]["content"] == "Hel"


async def test_the_door_speaks_the_callers_dialect(server: Noria, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrance, "MAX_BODY", 1000)
    async with anthropic.AsyncAnthropic(base_url=server.url, api_key="wrong", max_retries=0) as stranger:
        with pytest.raises(anthropic.AuthenticationError, match="The key is wrong") as caught:
            await stranger.messages.create(**ASK)
    assert caught.value.body == {
        "type": "error",
        "error": {"type": "authentication_error", "message": str(caught.value.body["error"]["message"])},  # type: ignore[index]  # a dict
    }
    for method, path, body, status, kind in (
        ("POST", "/v1/messages", {"x": "x" * 2000}, 413, "request_too_large"),
        ("POST", "/v1/messages", {}, 400, "invalid_request_error"),
        ("POST", "/v1/messages/count_tokens", {"model": "m"}, 400, "invalid_request_error"),
        ("POST", "/v1/messages", ASK | {"model": "nobody"}, 404, "not_found_error"),
        ("GET", "/v1/messages", None, 405, "invalid_request_error"),
        ("POST", "/v1/messages/batches", {}, 404, "not_found_error"),
    ):
        response = await server.client.request(method, path, json=body)
        assert response.status_code == status
        assert response.json()["type"] == "error"
        assert response.json()["error"]["type"] == kind
