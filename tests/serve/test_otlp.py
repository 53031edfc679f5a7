"""OTLP over HTTP: what an exporter sends is on record when it is told so, and every refusal says why."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from bridges.otlp.payloads import SPAN, TRACE, as_json, request
from noria.core.errors import StorageFull

from .conftest import Noria

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}
CALL = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}


def call(number: int = 1, **fields: Any) -> dict[str, Any]:
    start = time.time_ns() - 5_000_000_000
    return {"span_id": f"{number:016x}", "start_ns": start, "end_ns": start + 10**9, "attributes": CALL} | fields


async def send(noria: Noria, made: Any, path: str = "/v1/traces", **headers: str) -> httpx.Response:
    return await noria.client.post(path, content=made.SerializeToString(), headers=PROTOBUF | headers)


async def stored(noria: Noria) -> list[dict[str, Any]]:
    return list(reversed(await noria.get("/api/traces", limit=1000)))


async def test_protobuf_json_and_gzip_say_the_same(noria: Noria) -> None:
    made = request(
        call(
            attributes=CALL | {"gen_ai.usage.input_tokens": 3, "ratio": 0.5, "on": True, "many": ["a", 1, {"b": [2]}]},
            events=[("seen", {"what": "x"})],
            links=[(TRACE, SPAN)],
            kind=3,
            parent_id=SPAN,
        ),
        resource={"service.name": "shop"},
        scope=("lib", "1.2"),
    )
    text = json.dumps(as_json(made) | {"unknownField": {"a": 1}}).encode()
    assert '"3"' in text.decode()  # 64-bit numbers are text in protobuf's JSON
    packed = made.SerializeToString()
    seen = []
    for content, headers in (
        (packed, PROTOBUF),
        (gzip.compress(packed), PROTOBUF | {"content-encoding": "gzip"}),
        (text, {"content-type": "application/json; charset=utf-8"}),
        (gzip.compress(text[:20]) + gzip.compress(text[20:]), JSON | {"content-encoding": "GZip"}),
    ):
        response = await noria.client.post("/v1/traces", content=content, headers=headers)
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == headers["content-type"].partition(";")[0]
        assert response.content == (b"{}" if "json" in headers["content-type"] else b"")
        [span] = await stored(noria)
        seen.append(span)
    assert all(span == seen[0] for span in seen)
    assert seen[0]["lineage"]["app"] == "shop"
    assert seen[0]["request_model"] == "gpt-4o"
    assert seen[0]["parent_id"] == SPAN
    assert seen[0]["attributes"] == {
        "otel.scope.name": "lib",
        "otel.scope.version": "1.2",
        "otel.span.kind": "client",
        "otel.links": [{"trace_id": TRACE, "span_id": SPAN}],
        "ratio": 0.5,
        "on": True,
        "many": ["a", 1, {"b": [2]}],
    }
    assert seen[0]["events"][0]["attributes"] == {"what": "x"}


async def test_what_is_refused_is_named_and_the_rest_is_kept(noria: Noria) -> None:
    made = request(call(1), call(2, trace_id="0" * 32), call(3), call(4, span_id="00" * 8), call(5, trace_id="ab"))
    response = await send(noria, made)
    assert response.status_code == 200
    answer = ExportTraceServiceResponse.FromString(response.content).partial_success
    assert answer.rejected_spans == 3
    assert "3 of 5 were not kept" in answer.error_message
    assert "2 × no_trace_id" in answer.error_message
    response = await noria.client.post("/v1/traces", json=as_json(made))
    assert response.json()["partialSuccess"]["rejectedSpans"] == "3"
    assert [span["span_id"] for span in await stored(noria)] == [f"{1:016x}", f"{3:016x}"]


@pytest.mark.parametrize(
    ("content", "headers", "status", "sentence"),
    [
        (b"\xff\xff", PROTOBUF, 400, "no ExportTraceServiceRequest"),
        (b"{", JSON, 400, "no OTLP in JSON"),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": 1}]}]}]}', JSON, 400, "name"),
        (b"[" * 100_000, JSON, 400, "no OTLP in JSON"),
        (b"x", {"content-type": "text/plain"}, 415, "text/plain"),
        (b"x", {}, 415, "content type"),
        (b"x", PROTOBUF | {"content-encoding": "br"}, 415, "br"),
        (b"xx", PROTOBUF | {"content-encoding": "gzip"}, 400, "not gzip"),
        (gzip.compress(b"x" * 100)[:-9], PROTOBUF | {"content-encoding": "gzip"}, 400, "ends before"),
    ],
)
async def test_what_can_not_be_read(
    noria: Noria, content: bytes, headers: dict[str, str], status: int, sentence: str
) -> None:
    response = await noria.client.post("/v1/traces", content=content, headers=headers)
    assert response.status_code == status
    assert sentence in response.content.decode("utf-8", "replace")
    assert "retry-after" not in response.headers


async def test_a_few_bytes_that_unpack_to_gigabytes_are_refused(noria: Noria) -> None:
    bomb = gzip.compress(bytes(80 * 1024 * 1024), 9)
    response = await noria.client.post("/v1/traces", content=bomb, headers=PROTOBUF | {"content-encoding": "gzip"})
    assert response.status_code == 413
    assert b"after decompression" in response.content


async def test_a_full_store_asks_to_come_again(noria: Noria, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: Any) -> None:
        raise StorageFull("The disk is full.", retry_after_s=7)

    monkeypatch.setattr(noria.workspace.intake._traces, "append", full)
    response = await send(noria, request(call()))
    assert response.status_code == 503
    assert response.headers["retry-after"] == "7"
    assert b"The disk is full" in response.content
    assert b"RetryInfo" in response.content
    monkeypatch.undo()
    assert await stored(noria) == []
    assert (await send(noria, request(call()))).status_code == 200
    assert noria.workspace.numbers()["noria_intake_turned_away_total"] == 1


async def test_late_repeated_and_out_of_order_spans(noria: Noria) -> None:
    child, parent = call(2, parent_id=f"{1:016x}"), call(1)
    await send(noria, request(child))
    await send(noria, request(parent, child))
    await send(noria, request(call(1, name="as corrected")))
    found = await noria.get(f"/api/traces/{TRACE}")
    assert {span["span_id"]: span["name"] for span in found["spans"]} == {
        f"{1:016x}": "as corrected",
        f"{2:016x}": "call",
    }


async def test_an_empty_request_is_a_success(noria: Noria) -> None:
    for content, headers in ((b"", PROTOBUF), (b"{}", JSON), (b'{"resourceSpans": null}', JSON)):
        assert (await noria.client.post("/v1/traces", content=content, headers=headers)).status_code == 200


async def test_metrics_are_refused_in_a_way_that_exporters_do_not_retry(noria: Noria) -> None:
    response = await noria.client.post("/v1/metrics", content=b"", headers=PROTOBUF)
    assert response.status_code == 404
    assert b"OTEL_METRICS_EXPORTER=none" in response.content
