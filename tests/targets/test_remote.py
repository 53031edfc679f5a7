"""A model behind HTTP, on a real socket that misbehaves."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from aiohttp import web

from noria.core.errors import CallCut, CallFailed, CallGarbled, CallRefused, CallTimeout, InvalidInput
from noria.core.events import Delta, Raw, Sent, Started
from noria.core.folding import collect
from noria.core.requests import Request, ToEmbed
from noria.targets.egress import Egress, Timeouts
from noria.targets.remote import Remote
from noria.targets.scripted import answer
from noria.targets.whereabouts import Whereabouts
from noria.wires.openai_chat import OpenAIChat

from .contract import ASK, events_until_error
from .upstream import CUT, RESET, Upstream, serving

KEY = "sk-secret-1234"


def remote(egress: Egress, upstream: Upstream, **options: Any) -> Remote:
    return Remote(egress, OpenAIChat(), **({"base_url": upstream.base_url, "provider": "p"} | options))


async def failure(target: Remote) -> CallFailed:
    with pytest.raises(CallFailed) as raised:
        await collect(target.call(ASK))
    return raised.value


async def test_the_request_goes_out_under_its_name_with_the_key(egress: Egress) -> None:
    async with serving(lambda _: answer("hi")) as upstream:
        target = remote(egress, upstream, api_key=KEY)
        await collect(target.call(type(ASK)(model="p/org/model-1", messages=ASK.messages)))
        await collect(remote(egress, upstream, model="other").call(ASK))
    assert [body["model"] for body in upstream.bodies] == ["org/model-1", "other"]
    assert upstream.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert "Authorization" not in upstream.headers[1]


async def test_each_call_goes_to_its_own_place_with_its_own_headers(egress: Egress) -> None:
    async with serving(lambda _: answer("hi")) as upstream:
        target = remote(egress, upstream)
        for headers in ({"X-Beta": "a"}, {}, {"X-Beta": "b"}, {"X-Beta": "b"}, {"X-Beta": "c"}):
            await collect(target.call(msgspec.structs.replace(ASK, headers=headers)))
            with pytest.raises(CallRefused):  # nobody is there
                await collect(target.call(Request(model="p/m", embed=ToEmbed(inputs=("a",)))))
    assert [headers.get("X-Beta") for headers in upstream.headers] == ["a", None, "b", "b", "c"]


@pytest.mark.parametrize("stream", [True, False])
async def test_sent_tells_whether_time_to_first_token_can_be_seen(egress: Egress, stream: bool) -> None:
    async with serving(lambda _: answer("hi")) as upstream:
        seen, _ = await events_until_error(remote(egress, upstream, stream=stream).call(ASK))
    first = seen[0]
    assert isinstance(first, Sent)
    assert (first.streamed, first.provider, first.request) == (stream, "p", ASK)
    assert first.request_id is not None


async def test_a_provider_that_does_not_stream_is_read_all_the_same(egress: Egress) -> None:
    whole = b'{"model":"m","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}]}'
    async with serving(lambda _: [web.Response(body=whole, content_type="application/json")]) as upstream:
        seen, error = await events_until_error(remote(egress, upstream).call(ASK))
    assert error is None
    assert [event.streamed for event in seen if isinstance(event, Sent)] == [True, False]
    assert [event.text for event in seen if isinstance(event, Delta)] == ["hi"]


@pytest.mark.parametrize(("keep_alive", "connections"), [(True, 1), (False, 3)])
async def test_connections_are_kept_where_asked_for(egress: Egress, keep_alive: bool, connections: int) -> None:
    async with serving(lambda _: answer("hi")) as upstream:
        target = remote(egress, upstream, kept=keep_alive)
        for _ in range(3):
            await collect(target.call(ASK))
    assert len(upstream.connections) == connections


async def test_a_server_that_closes_after_each_reply_without_saying_so(egress: Egress) -> None:
    """As llama.cpp does: a kept connection would carry the next request into the void."""
    body = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

    handlers: list[asyncio.Task[None] | None] = []

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handlers.append(asyncio.current_task())
        request = await reader.readuntil(b"\r\n\r\n")
        length = int(request.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        await reader.readexactly(length)
        writer.write(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        await writer.drain()
        await reader.read(1)  # until the client closes, or sends what will never be answered
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    async with server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        target = Remote(egress, OpenAIChat(), base_url=url, provider="p", kept=False)
        assert [(await collect(target.call(ASK))).text for _ in range(3)] == ["hi"] * 3
        await asyncio.gather(*filter(None, handlers))
    assert len(handlers) == 3


@pytest.mark.parametrize("end", [RESET, CUT])
async def test_a_broken_connection_is_a_cut(egress: Egress, end: object) -> None:
    async with serving(lambda _: [*answer("Hel")[:2], end]) as upstream:
        seen, error = await events_until_error(remote(egress, upstream).call(ASK))
    assert isinstance(error, CallCut)
    assert error.retryable
    assert [type(event) for event in seen[:2]] == [Sent, Started]


async def test_a_stream_that_just_ends_is_a_cut(egress: Egress) -> None:
    async with serving(lambda _: [b'data: {"choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n']) as upstream:
        error = await failure(remote(egress, upstream))
    assert isinstance(error, CallCut)


async def test_half_a_character_at_the_end_is_a_cut(egress: Egress) -> None:
    async with serving(lambda _: [b'data: {"choices":[{"index":0,"delta":{"content":"\xe2\x82']) as upstream:
        error = await failure(remote(egress, upstream))
    assert isinstance(error, CallCut)


async def test_garbage_is_a_failed_call(egress: Egress) -> None:
    async with serving(lambda _: [b"data: <html>\n\n"]) as upstream:
        error = await failure(remote(egress, upstream))
    assert type(error) is CallGarbled
    assert "no chat completion" in str(error)


async def test_no_http_at_all_is_a_failed_call(egress: Egress) -> None:
    async def garble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 smtp ready\r\n\r\n")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(garble, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await failure(Remote(egress, OpenAIChat(), base_url=f"http://127.0.0.1:{port}", provider="p"))
    assert "does not speak HTTP" in str(error)
    assert not error.retryable


async def test_a_connection_closed_without_an_answer(egress: Egress) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        error = await failure(Remote(egress, OpenAIChat(), base_url=f"http://127.0.0.1:{port}", provider="p"))
    assert "closed the connection without an answer" in str(error)
    assert error.retryable


async def test_nobody_there(egress: Egress, unused_tcp_port: int) -> None:
    url = f"http://user:{KEY}@127.0.0.1:{unused_tcp_port}/v1?key={KEY}"
    error = await failure(Remote(egress, OpenAIChat(), base_url=url, provider="p"))
    assert "Nothing answers at the address of provider `p`" in str(error)
    assert error.inside == f"Called at http://127.0.0.1:{unused_tcp_port}/v1."
    assert "provider `p`" in error.hint
    assert error.retryable
    assert KEY not in error.with_inside


@pytest.mark.parametrize("stream", [True, False])
async def test_time_before_the_first_byte_runs_out(egress: Egress, stream: bool) -> None:
    gate = asyncio.Event()
    async with serving(lambda _: [gate, *answer("hi")]) as upstream:
        waits = Timeouts(connect_s=0.02, first_byte_s=0.03)
        error = await failure(remote(egress, upstream, stream=stream, timeouts=waits))
    assert isinstance(error, CallTimeout)


async def test_time_between_two_pieces_runs_out(egress: Egress) -> None:
    gate = asyncio.Event()
    async with serving(lambda _: [*answer("Hel")[:2], gate, *answer("lo")]) as upstream:
        seen, error = await events_until_error(remote(egress, upstream, timeouts=Timeouts(idle_s=0.05)).call(ASK))
        async with asyncio.timeout(2):
            await upstream.closed.wait()
    assert isinstance(error, CallTimeout)
    assert "in the middle of its reply" in str(error)
    assert any(isinstance(event, Delta) for event in seen)


async def test_time_for_the_whole_call_runs_out(egress: Egress) -> None:
    gate = asyncio.Event()
    async with serving(lambda _: [*answer("Hel")[:2], gate]) as upstream:
        error = await failure(remote(egress, upstream, timeouts=Timeouts(total_s=0.1)))
    assert isinstance(error, CallTimeout)


async def test_a_body_without_end_is_stopped(egress: Egress) -> None:
    async with serving(lambda _: answer(*["many words"] * 100)) as upstream:
        error = await failure(remote(egress, upstream, most_bytes=4_000))
    assert "more than 4000 bytes" in str(error)


async def test_an_end_mark_without_an_end_of_the_body_ends_the_reply(egress: Egress) -> None:
    chunk = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    async with serving(lambda _: [chunk, asyncio.Event()]) as upstream:
        reply = await collect(remote(egress, upstream).call(ASK))
    assert reply.text == "hi"


async def test_redirects_are_not_followed(egress: Egress) -> None:
    async with serving(lambda _: answer("hi")) as elsewhere:
        moved = web.Response(status=307, headers={"Location": elsewhere.base_url + "/chat/completions"})
        async with serving(lambda _: [moved]) as upstream:
            error = await failure(remote(egress, upstream, api_key=KEY))
    assert "redirects are not followed" in str(error)
    assert elsewhere.bodies == []


async def test_the_provider_s_refusal_keeps_status_and_wait_but_not_the_key(egress: Egress) -> None:
    said = f'{{"error":{{"message":"Key {KEY} may not; wait."}}}}'
    refusal = web.Response(status=429, text=said, headers={"Retry-After": "3"})
    async with serving(lambda _: [refusal]) as upstream:
        error = await failure(remote(egress, upstream, api_key=KEY))
    assert isinstance(error, CallRefused)
    assert (error.status, error.retryable, error.retry_after_s) == (429, True, 3.0)
    assert "Key [key] may not; wait." in str(error)
    assert KEY not in repr(error)


async def test_callers_are_told_which_provider_failed_and_the_record_where_it_said_that_it_is(egress: Egress) -> None:
    async with serving(lambda _: [refusal]) as upstream:
        said = f"No model at {upstream.base_url}/chat/completions, it said."
        refusal = web.Response(status=404, text=msgspec.json.encode({"error": {"message": said}}).decode())
        error = await failure(remote(egress, upstream))
        assert str(error).endswith(": No model at provider `p`, it said.")
        assert said in error.with_inside
        told = remote(egress, upstream)
        refusal = web.Response(status=404, text=refusal.text)
        with pytest.raises(CallRefused, match="No model at provider `p`, it said.$"):
            await told.answer(msgspec.structs.replace(ASK, stream=False), lambda _: None)


@pytest.mark.parametrize(
    ("base_url", "said", "told"),
    [
        (
            "http://vllm:8000/v1",
            "vllm is not well; see http://VLLM:8000/v1/models, vllm:8000; vllm2",
            "@ is not well; see @, @; vllm2",
        ),
        (
            "https://llm.corp/v1",
            "No route to llm.corp, llm.corp:443 or my-llm.corp.",
            "No route to @, @ or my-llm.corp.",
        ),
        (
            "http://10.0.0.7/v1",
            "dial tcp 10.0.0.7:80: refused; 110.0.0.7, 10.0.0.71",
            "dial tcp @: refused; 110.0.0.7, 10.0.0.71",
        ),
        ("http://[fd00::1]:8/v1", "http://[fd00::1]:8/v1 and fd00::1", "@ and @"),
    ],
)
def test_an_address_is_known_in_any_sentence(base_url: str, said: str, told: str) -> None:
    error = CallFailed(said)
    Whereabouts(base_url, "p").hide(error)
    assert str(error) == told.replace("@", "provider `p`")
    assert said in error.with_inside


@pytest.mark.parametrize(
    "url", ["", "localhost:8080/v1", "ftp://host/v1", "http://", "http://[::1/v1", "http://h:99999/v1"]
)
async def test_a_base_url_that_cannot_be_one(egress: Egress, url: str) -> None:
    with pytest.raises(InvalidInput, match="base URL of provider `p`"):
        Remote(egress, OpenAIChat(), base_url=url, provider="p")


async def test_a_key_that_no_header_can_carry(egress: Egress) -> None:
    with pytest.raises(InvalidInput) as raised:
        Remote(egress, OpenAIChat(), base_url="http://h/v1", provider="p", api_key="a\r\nX: 1")
    assert "X: 1" not in str(raised.value)


async def test_one_way_to_say_who_calls(egress: Egress) -> None:
    with pytest.raises(InvalidInput, match="both an API key and a user") as raised:
        Remote(egress, OpenAIChat(), base_url=f"http://user:{KEY}@h/v1", provider="p", api_key=KEY)
    assert KEY not in str(raised.value)


async def test_bytes_that_no_client_could_read_are_a_failed_call(egress: Egress) -> None:
    """The decoder skips what it does not know, so that half a character in there would reach the caller untouched."""
    ask = msgspec.structs.replace(ASK, wire="openai_chat", stream=True)
    chunk = b'data: {"odd":"\xe2\x82","choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n'
    async with serving(lambda _: [chunk, *answer("lo")]) as upstream:
        seen, error = await events_until_error(remote(egress, upstream).call(ask))
    assert type(error) is CallGarbled
    assert "not UTF-8" in str(error)
    assert [event.text for event in seen if isinstance(event, Delta)] == ["Hel"]


async def test_nothing_is_passed_on_after_the_end_mark(egress: Egress) -> None:
    ask = msgspec.structs.replace(ASK, wire="openai_chat", stream=True)
    chunk = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    async with serving(lambda _: [chunk + b"data: more\n\n"]) as upstream:
        seen, error = await events_until_error(remote(egress, upstream).call(ask))
    assert error is None
    assert b"".join(event.data for event in seen if isinstance(event, Raw)) == chunk


async def test_a_count_that_comes_in_one_read_with_the_end_is_a_piece_by_itself(egress: Egress) -> None:
    """Words need not wait for the record of the call, and who asked for no count gets the provider's end untouched."""
    ask = msgspec.structs.replace(ASK, wire="openai_chat", stream=True)
    words = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
    end = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    count = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\ndata: [DONE]\n\n'
    async with serving(lambda _: [words + end + count]) as upstream:
        seen, error = await events_until_error(remote(egress, upstream).call(ask))
    assert error is None
    assert [event.data for event in seen if isinstance(event, Raw)] == [words, end, count]
