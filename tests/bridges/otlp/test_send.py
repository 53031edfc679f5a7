"""A collector that is busy, broken, picky or somebody else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from bridges.records import score, span
from noria.bridges.otlp.environment import headers_from
from noria.bridges.otlp.send import ATTEMPTS, Collector, Sent, endpoint
from noria.core.errors import CallRefused, InvalidInput, Unavailable

ROWS = [(span(number), [score(number)]) for number in range(250)]
Answer = Callable[[web.Request, ExportTraceServiceRequest], Awaitable[web.Response]]


@asynccontextmanager
async def collector(answer: Answer) -> AsyncIterator[Collector]:
    async def handle(request: web.Request) -> web.Response:
        body = await request.read()  # aiohttp has unpacked it
        return await answer(request, ExportTraceServiceRequest.FromString(body))

    application = web.Application(client_max_size=1 << 26)
    application.router.add_post("/v1/traces", handle)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    async with ClientSession() as session:
        yield Collector(session, f"http://127.0.0.1:{port}/", {"x-key": "secret"}, first_pause_s=0)
    await runner.cleanup()


def names(request: ExportTraceServiceRequest) -> list[str]:
    return [one.name for resource in request.resource_spans for one in resource.scope_spans[0].spans]


async def test_everything_arrives_in_parts_with_the_key() -> None:
    got: list[str] = []

    async def answer(request: web.Request, body: ExportTraceServiceRequest) -> web.Response:
        assert request.headers["x-key"] == "secret"
        assert request.content_type == "application/x-protobuf"
        got.extend(names(body))
        return web.Response(body=b"")

    async with collector(answer) as to:
        assert await to.send(ROWS) == Sent(spans=250, scores=250)
    assert sorted(got) == sorted(one.name for one, _ in ROWS)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_a_busy_collector_is_tried_again(status: int) -> None:
    calls: list[int] = []

    async def answer(_: web.Request, body: ExportTraceServiceRequest) -> web.Response:
        calls.append(len(names(body)))
        return web.Response(status=status, headers={"retry-after": "0"}) if len(calls) < 4 else web.Response()

    async with collector(answer) as to:
        assert (await to.send(ROWS[:5])).spans == 5
    assert calls == [5] * 4


async def test_patience_ends() -> None:
    calls: list[int] = []

    async def answer(_: web.Request, __: ExportTraceServiceRequest) -> web.Response:
        calls.append(1)
        return web.Response(status=503, text="the disk is full")

    async with collector(answer) as to:
        with pytest.raises(Unavailable, match="After 6 tries .* answers 503: the disk is full"):
            await to.send(ROWS[:1])
    assert len(calls) == ATTEMPTS


async def test_nobody_there() -> None:
    async with ClientSession() as session:
        with pytest.raises(Unavailable, match="can't be reached"):
            await Collector(session, "http://127.0.0.1:1", {}, first_pause_s=0).send(ROWS[:1])


async def test_a_wrong_key_is_no_reason_to_try_again_and_is_not_told() -> None:
    calls: list[int] = []

    async def answer(_: web.Request, __: ExportTraceServiceRequest) -> web.Response:
        calls.append(1)
        return web.Response(status=401, text="no \x1b[2J such key")

    async with collector(answer) as to:
        with pytest.raises(CallRefused, match="refuses with 401: no .2J such key") as caught:
            await to.send(ROWS[:1])
    assert "secret" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert len(calls) == 1


async def test_a_redirect_takes_the_key_nowhere() -> None:
    async def answer(_: web.Request, __: ExportTraceServiceRequest) -> web.Response:
        return web.Response(status=307, headers={"location": "http://127.0.0.1:1/"})

    async with collector(answer) as to:
        with pytest.raises(CallRefused, match="307"):
            await to.send(ROWS[:1])


async def test_a_partial_success_is_counted_with_its_reason() -> None:
    async def answer(_: web.Request, __: ExportTraceServiceRequest) -> web.Response:
        told = ExportTraceServiceResponse()
        told.partial_success.rejected_spans = 2
        told.partial_success.error_message = "too old"
        return web.Response(body=told.SerializeToString())

    async with collector(answer) as to:
        assert await to.send(ROWS[:5]) == Sent(spans=3, scores=5, refused=2, reason="too old")


async def test_requests_that_are_too_large_are_halved() -> None:
    got: list[str] = []

    async def answer(_: web.Request, body: ExportTraceServiceRequest) -> web.Response:
        found = names(body)
        if len(found) > 3 or "chat 7" in found:
            return web.Response(status=413)
        got.extend(found)
        return web.Response()

    async with collector(answer) as to:
        sent = await to.send(ROWS[:20])
    assert (sent.spans, sent.refused) == (19, 1)
    assert len(got) == 19


def test_addresses_and_headers() -> None:
    assert endpoint("http://a:4318") == endpoint("http://a:4318/") == "http://a:4318/v1/traces"
    assert endpoint("https://a/otel/v1/traces") == "https://a/otel/v1/traces"
    for wrong in ("a:4318", "ftp://a", "http://", "http://[::1", "http://a:0", "http://a:x"):
        with pytest.raises(InvalidInput):
            endpoint(wrong)
    assert headers_from("authorization=Bearer%20k, x-a=1,") == {"authorization": "Bearer k", "x-a": "1"}
    for wrong in ("a", "=b", "a=%0d%0ab", "é=1"):
        with pytest.raises(InvalidInput):
            headers_from(wrong)


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(InvalidInput, match="can't hold a user or a password") as refused:
        endpoint("http://ann:s3cret@127.0.0.1:4318")
    assert "s3cret" not in str(refused.value)
