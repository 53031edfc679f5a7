"""The gateway as OpenAI's own client sees it, through a real server, and what is on record after each call."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import openai
import pytest
from aiohttp import web
from openai.types.chat import ChatCompletion

from noria.core.errors import CallRefused, StorageFull
from noria.core.events import Delta, Started, Stopped, ToolCallDelta, Used
from noria.core.replies import Usage
from noria.serve import entrance
from noria.targets.scripted import answer
from targets.upstream import CUT

from .conftest import KEY, UPSTREAM_KEY, Noria

HI: list[Any] = [{"role": "user", "content": "hi"}]


@pytest.fixture
async def client(server: Noria) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
        yield client


async def read(stream: Any) -> tuple[str, list[Any]]:
    """The text of a streamed reply, and its chunks."""
    chunks = [chunk async for chunk in stream]
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices), chunks


async def only_span(server: Noria) -> dict[str, Any]:
    [span] = await server.spans()
    return span


async def recorded(server: Noria, status: str) -> dict[str, Any]:
    """The one span, as soon as the call that a client gave up is on record."""
    async with asyncio.timeout(5):
        while not (found := await server.spans()):
            pass
    [span] = found
    assert span.get("status", "ok") == status
    return span


async def test_a_whole_reply(server: Noria, client: openai.AsyncOpenAI) -> None:
    raw = await client.chat.completions.with_raw_response.create(model="up/m", messages=HI)
    reply = raw.parse()
    assert reply.choices[0].message.content == "Hello"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (7, 2)
    span = await only_span(server)
    assert span["trace_id"] == raw.headers["noria-trace-id"]
    assert reply.id == "reply-1"  # the provider's own bytes
    assert span["output"][0]["content"] == "Hello"
    assert (span["provider"], span["request_model"]) == ("up", "m")
    assert server.upstream.headers[0]["Authorization"] == f"Bearer {UPSTREAM_KEY}"


async def test_a_streamed_reply(server: Noria, client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="up/m", messages=HI, stream=True, stream_options={"include_usage": True}
    )
    text, chunks = await read(stream)
    assert text == "Hello"
    assert chunks[-1].usage.total_tokens == 9
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({chunk.id for chunk in chunks}) == 1
    span = await only_span(server)
    assert span["output_tokens"] == 2
    assert span["ttft_s"] >= 0


async def test_the_synchronous_client(server: Noria) -> None:
    def work() -> tuple[str | None, str]:
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY, max_retries=0) as client:
            whole = client.chat.completions.create(model="up/m", messages=HI).choices[0].message.content
            with client.chat.completions.create(model="up/m", messages=HI, stream=True) as stream:
                return whole, "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    assert await asyncio.to_thread(work) == ("Hello", "Hello")
    assert len(await server.spans()) == 2


async def test_a_stream_is_passed_on_piece_by_piece(server: Noria, client: openai.AsyncOpenAI) -> None:
    gate = asyncio.Event()
    server.upstream.script = lambda _: [*answer("one", "two")[:2], gate, *answer("one", "two")[2:]]
    stream = await client.chat.completions.create(model="up/m", messages=HI, stream=True)
    first = await anext(stream)
    assert first.choices[0].delta.content == "one"
    gate.set()
    assert (await read(stream))[0] == "two"


async def test_everything_a_caller_may_ask_for(server: Noria, client: openai.AsyncOpenAI) -> None:
    call = ToolCallDelta(index=0, id="call_1", name="look_up", arguments='{"q":')
    logprobs = {"content": [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}]}
    server.upstream.script = lambda _: [
        Started(id="r", model="m-2026"),
        Delta(text="a", logprobs=logprobs),
        Delta(index=1, tool_calls=(call,)),
        Delta(index=1, tool_calls=(ToolCallDelta(index=0, arguments='"x"}'),)),
        Stopped(index=0, reason="length"),
        Stopped(index=1, reason="tool_calls"),
        Used(usage=Usage(input_tokens=3, output_tokens=4, cached_tokens=2, reasoning_tokens=1)),
    ]
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    asked: dict[str, Any] = {
        "model": "up/m",
        "messages": HI,
        "n": 2,
        "logprobs": True,
        "top_logprobs": 3,
        "stop": ["END"],
        "seed": 7,
        "temperature": 0.5,
        "max_completion_tokens": 9,
        "response_format": {"type": "json_schema", "json_schema": {"name": "r", "schema": schema, "strict": True}},
        "tools": [{"type": "function", "function": {"name": "look_up", "parameters": schema}}],
        "tool_choice": "auto",
        "user": "u-1",
        "metadata": {"session_id": "s-1", "team": "blue"},
        "extra_body": {"made_up": {"deep": [1, None]}},
    }
    reply = await client.chat.completions.create(**asked)
    stream = await client.chat.completions.create(**asked, stream=True)
    _, chunks = await read(stream)
    assert reply.model == chunks[0].model == "m-2026"
    assert [choice.finish_reason for choice in reply.choices] == ["length", "tool_calls"]
    assert reply.choices[0].logprobs is not None
    assert reply.choices[0].logprobs.content is not None
    assert reply.choices[0].logprobs.content[0].logprob == -0.5
    assert reply.choices[1].message.tool_calls is not None
    assert reply.choices[1].message.tool_calls[0].to_dict()["function"] == {"name": "look_up", "arguments": '{"q":"x"}'}
    assert reply.usage is not None
    assert reply.usage.prompt_tokens_details is not None
    assert reply.usage.prompt_tokens_details.cached_tokens == 2
    pieces = [d.function.arguments for c in chunks for x in c.choices for d in x.delta.tool_calls or ()]
    assert "".join(pieces) == '{"q":"x"}'
    for body in server.upstream.bodies:
        for name in ("n", "logprobs", "top_logprobs", "seed", "temperature", "tools", "tool_choice", "user"):
            assert body[name] == asked[name]
        assert body["stop"] == ["END"]
        assert body["max_tokens"] == 9
        assert body["response_format"]["json_schema"]["schema"] == schema
        assert body["made_up"] == {"deep": [1, None]}
    for span in await server.spans():
        assert span["lineage"]["user_id"] == "u-1"
        assert span["lineage"]["session_id"] == "s-1"
        assert span["attributes"]["metadata"]["team"] == "blue"
        assert (span["cached_tokens"], span["reasoning_tokens"]) == (2, 1)
        assert len(span["output"]) == 2


async def test_an_app_fills_its_prompt_from_variables(server: Noria, client: openai.AsyncOpenAI) -> None:
    prompt = {"blocks": [{"role": "user", "template": "Say {{ word }}."}], "variables": {"word": {}}}
    await server.post("/api/prompts", {"name": "say", "prompt": prompt})
    await server.post("/api/apps", {"name": "sayer"})
    await server.put("/api/apps/sayer/variants/plain", {"model": "up/m", "prompt": "say"})
    await server.post("/api/apps/sayer/releases", {"shares": [{"variant": "plain"}]})
    for model in ("sayer", "sayer@plain"):
        await client.chat.completions.create(model=model, messages=[], extra_body={"variables": {"word": "yes"}})
    assert [body["messages"] for body in server.upstream.bodies] == [[{"role": "user", "content": "Say yes."}]] * 2
    for span in await server.spans():
        assert span["lineage"]["app"] == "sayer"
        assert span["variables"] == {"word": "yes"}
    assert [model.id async for model in client.models.list()] == ["sayer"]
    with pytest.raises(openai.BadRequestError, match="word"):
        await client.chat.completions.create(model="sayer", messages=[])
    assert [span.get("status", "ok") for span in await server.spans()] == ["ok", "ok", "error"]


@pytest.mark.parametrize(
    ("sent", "continued"),
    [
        ("00-" + "ab" * 16 + "-" + "cd" * 8 + "-01", True),
        ("cc-" + "ab" * 16 + "-" + "cd" * 8 + "-01-later", True),
        ("00-" + "ab" * 16 + "-" + "cd" * 8 + "-01-later", False),
        ("ff-" + "ab" * 16 + "-" + "cd" * 8 + "-01", False),
        ("00-" + "00" * 16 + "-" + "cd" * 8 + "-01", False),
        ("00-" + "ab" * 16 + "-" + "00" * 8 + "-01", False),
        ("00-" + "AB" * 16 + "-" + "cd" * 8 + "-01", False),
        ("nonsense", False),
    ],
)
async def test_a_callers_trace_is_continued(noria: Noria, sent: str, continued: bool) -> None:
    body = {"model": "up/m", "messages": HI}
    response = await noria.client.post("/v1/chat/completions", json=body, headers={"traceparent": sent})
    trace_id = response.headers["noria-trace-id"]
    span = await only_span(noria)
    assert span["trace_id"] == trace_id
    assert (trace_id == "ab" * 16) is continued
    assert span.get("parent_id") == ("cd" * 8 if continued else None)


# -- failures


async def failure(client: openai.AsyncOpenAI, **changes: Any) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        await client.chat.completions.create(**({"model": "up/m", "messages": HI} | changes))
    assert caught.value.body is not None
    assert "noria-trace-id" in caught.value.response.headers
    return caught.value


async def broken_off(client: openai.AsyncOpenAI, chunks: list[Any]) -> openai.APIError:
    """The error that ends a stream, whose chunks are left in ``chunks``."""
    stream = await client.chat.completions.create(model="up/m", messages=HI, stream=True)
    try:
        async for chunk in stream:
            chunks.append(chunk)  # noqa: PERF401  # a comprehension would lose them when the error comes
    except openai.APIError as error:
        return error
    pytest.fail("The stream ended as if it were whole.")


@pytest.mark.parametrize("stream", [False, True])
async def test_failures_before_the_first_event_are_http_errors(
    server: Noria, client: openai.AsyncOpenAI, stream: bool
) -> None:
    for status, kind, again in (
        (400, openai.BadRequestError, "false"),
        (401, openai.InternalServerError, "false"),  # Noria's key was refused there, not the caller's here
        (404, openai.NotFoundError, "false"),
        (429, openai.RateLimitError, "true"),
        (500, openai.InternalServerError, "true"),
    ):
        refusal = web.json_response({"error": {"message": "no luck"}}, status=status, headers={"Retry-After": "7"})
        server.upstream.script = lambda _, refusal=refusal: [refusal]
        error = await failure(client, stream=stream)
        assert type(error) is kind
        assert "no luck" in error.message
        assert error.response.headers["x-should-retry"] == again
        assert error.response.headers["retry-after"] == "7"
    spans = await server.spans()
    assert [span["status"] for span in spans] == ["error"] * 5
    assert spans[3]["error_type"] == "call_refused"


async def test_a_provider_that_is_not_there(server: Noria, client: openai.AsyncOpenAI) -> None:
    server.upstream.script = lambda _: [CallRefused("quota", status=403)]
    refused = await failure(client)
    assert (type(refused), refused.status_code) == (openai.InternalServerError, 502)
    assert type(await failure(client, model="nobody")) is openai.NotFoundError
    assert type(await failure(client, model="other/m")) is openai.NotFoundError
    assert type(await failure(client, model="local/none")) is openai.NotFoundError
    assert [span["error_type"] for span in await server.spans()] == ["call_refused", *["unknown_name"] * 3]


async def test_a_wrong_key_is_an_authentication_error(server: Noria) -> None:
    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError, match="The key is wrong"):
            await client.models.list()
    assert await server.spans() == []


async def test_a_virtual_key_opens_what_it_names_and_its_calls_say_whose_they_are(server: Noria) -> None:
    prompt = {"blocks": [{"role": "user", "template": "Say yes."}]}
    await server.post("/api/prompts", {"name": "say", "prompt": prompt})
    for app in ("support-en", "sales"):
        await server.post("/api/apps", {"name": app})
        await server.put(f"/api/apps/{app}/variants/plain", {"model": "up/m", "prompt": "say"})
        await server.post(f"/api/apps/{app}/releases", {"shares": [{"variant": "plain"}]})
    asked: dict[str, Any] = {"name": "bot", "apps": ["support-*"], "team": "care", "owner": "ann"}
    for scope, open_names in ((asked, {"support-en"}), (asked | {"models": ["up/*"]}, {"support-en", "up/m"})):
        key = (await server.post("/api/keys", scope | {"name": f"bot{len(open_names)}"}))["secret"]
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0) as client:
            assert [model.id async for model in client.models.list()] == ["support-en"]
            for model in ("support-en", "support-en@plain", "sales", "up/m", "local/none"):
                if model.partition("@")[0] in open_names:
                    await client.chat.completions.create(model=model, messages=HI if "/" in model else [])
                    continue
                with pytest.raises(openai.PermissionDeniedError, match="does not open"):
                    await client.chat.completions.create(model=model, messages=HI)
    spans = await server.spans()
    assert [span["lineage"].get("app") for span in spans] == ["support-en"] * 4 + [None]
    for span in spans:
        assert span["attributes"]["noria.team"] == "care"
        assert len(span["attributes"]["noria.key_id"]) == 12
    assert len(server.upstream.bodies) == 5
    assert "nk_" not in repr(spans) + repr(server.upstream.bodies) + repr(server.upstream.headers)


@pytest.mark.parametrize("step", [CUT, CallRefused("too long", status=400)])
async def test_a_failure_in_the_middle_never_ends_as_if_it_were_whole(
    server: Noria, client: openai.AsyncOpenAI, step: Any
) -> None:
    server.upstream.script = lambda _: [*answer("Hel", "lo")[:2], step]
    chunks: list[Any] = []
    error = await broken_off(client, chunks)
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["Hel"]
    assert chunks[-1].choices[0].finish_reason is None
    span = await only_span(server)
    assert error.code == span["error_type"] == ("call_cut" if step is CUT else "call_refused")
    assert span["output"][0]["content"] == "Hel"
    async with server.client.stream(
        "POST", "/v1/chat/completions", json={"model": "up/m", "messages": HI, "stream": True}
    ) as response:
        assert b"[DONE]" not in await response.aread()
    assert type(await failure(client)) in {openai.InternalServerError, openai.BadRequestError}
    assert len(await server.spans()) == 3


@pytest.mark.parametrize("stream", [False, True])
async def test_whoever_goes_away_stops_the_call(server: Noria, client: openai.AsyncOpenAI, stream: bool) -> None:
    called = asyncio.Event()

    def script(_: dict[str, Any]) -> Any:
        called.set()
        return [*answer("Hel", "lo")[:2], asyncio.Event()]

    server.upstream.script = script
    if stream:
        async with await client.chat.completions.create(model="up/m", messages=HI, stream=True) as reply:
            assert (await anext(reply)).choices[0].delta.content == "Hel"
    else:
        asked = asyncio.create_task(client.chat.completions.create(model="up/m", messages=HI))
        await called.wait()
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
    async with asyncio.timeout(5):
        await server.upstream.closed.wait()
    span = await recorded(server, "cancelled")
    if stream:
        assert span["output"][0]["content"] == "Hel"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_reply_that_cannot_be_recorded_does_not_end_well(
    server: Noria, client: openai.AsyncOpenAI, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise StorageFull("The disk is full.")

    monkeypatch.setattr(server.workspace.traces, "begin", full)
    try:
        if stream:
            chunks: list[Any] = []
            assert "The disk is full" in (await broken_off(client, chunks)).message
            assert {chunk.choices[0].finish_reason for chunk in chunks} == {None}
        else:
            raise await failure(client)
    except openai.InternalServerError as error:  # nothing had been sent: where it all comes at once, all of it waits
        assert error.status_code == 503
        assert error.response.headers["retry-after"] == "1"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_defect_is_told_without_its_text(
    server: Noria, client: openai.AsyncOpenAI, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("sk-upstream")

    monkeypatch.setattr(server.workspace.calling.limited._inner, "_resolve", broken)
    error = await failure(client, stream=stream)
    assert type(error) is openai.InternalServerError
    assert "sk-upstream" not in error.response.text
    span = await only_span(server)
    assert span["error_type"] == "RuntimeError"
    assert "sk-upstream" not in str(span)


BAD = {
    b"": "not valid JSON",
    b"{": "not valid JSON",
    b'{"model": "\xff"}': "not valid JSON",
    b"[" * 100_000: "not valid JSON",
    b"[]": "must be a JSON object",
    b"null": "must be a JSON object",
    b"{}": "`model` is missing",
    b'{"model": "up/m"}': "`messages` is missing",
    b'{"model": "up/m", "messages": [{"role": "king"}]}': r"messages\[0\].role",
    b'{"model": "up/m", "messages": [], "n": 0}': "`n` is wrong",
    b'{"model": "up/m", "messages": [], "temperature": "hot"}': "`temperature` is wrong",
    b'{"model": "up/m", "messages": [], "max_tokens": 1, "max_completion_tokens": 2}': "differ",
}


async def test_bodies_that_are_no_request(server: Noria) -> None:
    for body, sentence in BAD.items():
        response = await server.client.post("/v1/chat/completions", content=body)
        assert response.status_code == 400, body[:50]
        error = response.json()["error"]
        assert error["type"] == "invalid_request_error"
        assert re.search(sentence, error["message"]), error["message"]
    assert await server.spans() == []
    assert server.upstream.bodies == []


async def test_a_body_that_is_too_large(server: Noria, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(entrance, "MAX_BODY", 1000)
    body = msgspec.json.encode({"model": "up/m", "messages": [{"role": "user", "content": "x" * 100_000}]})
    response = await server.client.post("/v1/chat/completions", content=body)
    assert response.status_code == 413
    assert "larger than 1,000 bytes" in response.json()["error"]["message"]
    assert (await server.client.get("/v1/models")).status_code == 200


async def test_a_request_that_is_broken_off_calls_nobody(server: Noria) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {KEY}\r\n"
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(f'{head}Content-Length: 1000\r\n\r\n{{"model"'.encode())
    await writer.drain()
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.close()
    await writer.wait_closed()
    assert (await server.client.get("/healthz")).status_code == 200
    assert server.upstream.bodies == []
    assert await server.spans() == []


async def test_many_calls_are_as_many_spans(server: Noria, client: openai.AsyncOpenAI) -> None:
    def script(body: dict[str, Any]) -> Any:
        return [CallRefused("odd", status=400)] if "odd" in body["messages"][0]["content"] else answer("even")

    server.upstream.script = script

    async def call(number: int) -> ChatCompletion:
        said = f"{'odd' if number % 2 else 'even'} {number}"
        return await client.chat.completions.create(model="up/m", messages=[{"role": "user", "content": said}])

    replies = await asyncio.gather(*(call(number) for number in range(24)), return_exceptions=True)
    assert sum(isinstance(reply, openai.BadRequestError) for reply in replies) == 12
    spans = await server.spans()
    assert len({span["span_id"] for span in spans}) == len(spans) == 24
    assert {span["input"][0]["content"] for span in spans if span.get("status") == "error"} == {
        f"odd {number}" for number in range(1, 24, 2)
    }
