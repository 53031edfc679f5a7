"""OTLP over gRPC, with gRPC's own client: the same answers as over HTTP, in its own codes."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from bridges.otlp.payloads import TRACE, request
from noria.core.errors import Conflict, InvalidInput, StorageFull
from noria.serve.grpc import serving_grpc

from .conftest import KEY, Noria, opened
from .test_otlp import call

HEADERS = (("authorization", f"Bearer {KEY}"),)


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def with_port(noria: Noria, port: int) -> None:
    noria.workspace.settings = msgspec.structs.replace(noria.workspace.settings, otlp_grpc_port=port)


@pytest.fixture
async def channel(noria: Noria) -> AsyncIterator[grpc.aio.Channel]:
    with_port(noria, free_port())
    async with (
        serving_grpc(noria.workspace, noria.access) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}", compression=grpc.Compression.Gzip) as channel,
    ):
        yield channel


async def test_spans_are_durable_and_what_is_refused_is_named(noria: Noria, channel: grpc.aio.Channel) -> None:
    made = request(call(1), call(2, trace_id="0" * 32), resource={"service.name": "shop"})
    answer = await TraceServiceStub(channel).Export(made, metadata=HEADERS)
    assert answer.partial_success.rejected_spans == 1
    assert "no_trace_id" in answer.partial_success.error_message
    [span] = await noria.get("/api/traces")
    assert (span["trace_id"], span["lineage"]["app"]) == (TRACE, "shop")
    answer = await TraceServiceStub(channel).Export(request(call(3)), metadata=(("x-api-key", KEY),))
    assert not answer.HasField("partial_success")
    await LogsServiceStub(channel).Export(ExportLogsServiceRequest(), metadata=HEADERS)


@pytest.mark.parametrize("headers", [(), (("authorization", "Bearer wrong"),), (("authorization", f"Basic {KEY}"),)])
async def test_the_key_is_needed(noria: Noria, channel: grpc.aio.Channel, headers: Any) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await TraceServiceStub(channel).Export(request(call()), metadata=headers)
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    assert await noria.get("/api/traces") == []


async def test_failures_say_whether_to_come_again(
    noria: Noria, channel: grpc.aio.Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await raw(b"\xff\xff", metadata=HEADERS)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT

    async def full(*_: Any) -> None:
        raise StorageFull("The disk is full.", retry_after_s=7)

    monkeypatch.setattr(noria.workspace.intake._traces, "append", full)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await TraceServiceStub(channel).Export(request(call()), metadata=HEADERS)
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert "The disk is full" in (caught.value.details() or "")
    details = dict(caught.value.trailing_metadata() or ())["grpc-status-details-bin"]
    assert b"google.rpc.RetryInfo" in details

    monkeypatch.setattr("noria.assemble.record.intake.AT_ONCE_BYTES", 1)
    with noria.workspace.intake.hold(1), pytest.raises(grpc.aio.AioRpcError) as caught:
        await TraceServiceStub(channel).Export(request(call()), metadata=HEADERS)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert b"google.rpc.RetryInfo" in dict(caught.value.trailing_metadata() or ())["grpc-status-details-bin"]


async def test_a_request_over_the_limit_is_refused(noria: Noria) -> None:
    noria.workspace.settings = msgspec.structs.replace(noria.workspace.settings, otlp_max_body_bytes=100_000)
    with_port(noria, free_port())
    async with (
        serving_grpc(noria.workspace, noria.access) as port,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}", compression=grpc.Compression.Gzip) as channel,
    ):
        bomb = request(call(attributes={"a": "x" * 1_000_000}))
        assert len(gzip.compress(bomb.SerializeToString())) < 10_000
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await TraceServiceStub(channel).Export(bomb, metadata=HEADERS)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_without_the_setting_nothing_listens(noria: Noria) -> None:
    async with serving_grpc(noria.workspace, noria.access) as port:
        assert port is None


async def test_a_taken_port_is_told(noria: Noria) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        with_port(noria, bound.getsockname()[1])
        with pytest.raises(Conflict, match="gRPC"):
            async with serving_grpc(noria.workspace, noria.access):
                pass


async def test_without_grpcio_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "grpc", None)
    async with opened(tmp_path) as (workspace, access, _, _):
        workspace.settings = msgspec.structs.replace(workspace.settings, otlp_grpc_port=1)
        with pytest.raises(InvalidInput, match=r"noria\[grpc\]"):
            async with serving_grpc(workspace, access):
                pass


async def test_a_stranger_is_refused_before_a_message_is_read(channel: grpc.aio.Channel) -> None:
    gate = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        await gate.wait()
        yield b""

    export = channel.stream_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await asyncio.wait_for(export(endless()), 20)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    gate.set()


async def test_a_request_without_a_message_is_told_so(channel: grpc.aio.Channel) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        for body in ():
            yield body

    export = channel.stream_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await export(nothing(), metadata=HEADERS)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
