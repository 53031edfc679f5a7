"""OTLP over HTTP: what an exporter sends is on record when it is told so, and every refusal says why."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from typing import Any

import httpx
import pytest
import structlog
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from bridges.otlp.payloads import SPAN, TRACE, any_value, as_json, pairs, request
from noria.core.errors import StorageFull

from .conftest import KEY, Noria

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


async def test_only_the_admin_key_says_whose_a_call_was(noria: Noria) -> None:
    made = await noria.client.post("/api/keys", json={"name": "shop", "permissions": ["ingest"]})
    forged = {"noria.key_id": "k1", "noria.team": "t", "noria.response": "{}", "else": 1}
    sent = await send(noria, request(call(attributes=CALL | forged)), authorization=f"Bearer {made.json()['secret']}")
    assert sent.status_code == 200
    await send(noria, request(call(2, attributes=CALL | forged)))
    one, two = [{name: span["attributes"].get(name) for name in forged} for span in await stored(noria)]
    assert one == dict.fromkeys(forged) | {"else": 1}
    assert two == forged


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
        (gzip.compress(packed, mtime=0), PROTOBUF | {"content-encoding": "gzip"}),
        (text, {"content-type": "application/json; charset=utf-8"}),
        (gzip.compress(text[:20], mtime=0) + gzip.compress(text[20:], mtime=0), JSON | {"content-encoding": "GZip"}),
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
        (gzip.compress(b"", mtime=0) * 65, PROTOBUF | {"content-encoding": "gzip"}, 400, "more than 64 members"),
        (gzip.compress(b"x" * 100, mtime=0)[:-9], PROTOBUF | {"content-encoding": "gzip"}, 400, "ends before"),
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


async def test_a_trace_of_ten_thousand_spans(noria: Noria) -> None:
    half = 5_000
    for begin in (half, 0):
        made = request(*(call(number, parent_id=f"{1:016x}") for number in range(begin + 1, begin + half + 1)))
        assert (await send(noria, made)).content == b""
    trace = await noria.get(f"/api/traces/{TRACE}")
    assert {span["span_id"] for span in trace["spans"]} == {f"{number:016x}" for number in range(1, 2 * half + 1)}
    assert noria.workspace.numbers()["noria_intake_repaired_parent_repaired_total"] == 1  # the root was its own parent


async def test_an_empty_request_is_a_success(noria: Noria) -> None:
    for content, headers in ((b"", PROTOBUF), (b"{}", JSON), (b'{"resourceSpans": null}', JSON)):
        assert (await noria.client.post("/v1/traces", content=content, headers=headers)).status_code == 200


async def test_metrics_are_refused_in_a_way_that_exporters_do_not_retry(noria: Noria) -> None:
    response = await noria.client.post("/v1/metrics", content=b"", headers=PROTOBUF)
    assert response.status_code == 404
    assert b"OTEL_METRICS_EXPORTER=none" in response.content


async def test_problems_are_listed_and_counted_without_contents(noria: Noria) -> None:
    secret = "canary-of-a-customer"
    long_key = "k" * 500
    made = request(
        call(1, trace_id="0" * 32, attributes={"a": secret}),
        call(2, attributes={long_key: secret}),
        call(3, end_ns=time.time_ns() - 60 * 10**9),
        resource={"service.name": "shop"},
    )
    assert (await send(noria, made)).status_code == 200
    assert (await noria.client.post("/v1/traces", content=b"\xff", headers=PROTOBUF)).status_code == 400
    found = await noria.get("/api/intake/problems")
    assert [(one["reason"], one["severity"]) for one in found] == [
        ("bad_body", "refused"),
        ("end_repaired", "repaired"),
        ("key_cut", "repaired"),
        ("no_trace_id", "refused"),
    ]
    assert {one["service"] for one in found[1:]} == {"shop"}
    assert (found[2]["trace_id"], found[2]["span_id"], found[2]["key"]) == (TRACE, f"{2:016x}", "k" * 100)
    assert secret not in json.dumps(found)
    assert len(await noria.get("/api/intake/problems", limit=2)) == 2
    numbers = noria.workspace.numbers()
    assert numbers["noria_intake_refused_no_trace_id_total"] == 1
    assert numbers["noria_intake_repaired_key_cut_total"] == 1
    assert numbers["noria_intake_spans_total"] == 2
    assert numbers["noria_intake_rejected_total"] == 1
    [cut] = [span for span in await stored(noria) if span["span_id"] == f"{2:016x}"]
    [key] = [key for key in cut["attributes"] if key.startswith("kkk")]
    assert len(key) <= 256


async def test_hostile_attributes_are_kept_or_cut_and_never_break_the_store(noria: Noria) -> None:
    deep: Any = "bottom"
    for _ in range(30):
        deep = [deep]
    attributes: dict[str, Any] = {
        "__proto__": "x",
        "constructor": {"__proto__": 1},
        "nul\x00key": "nul\x00value",
        "": "no name",
        "'; drop table spans; --": '"',
        "\u202eevil": "\uffff",
        "a.b": 1,
        "a": {"b": 2},
        "nan": float("nan"),
        "inf": [float("inf")],
        "deep": deep,
        "bytes": b"\x00\xff",
        "big": -(2**63),
        "resource.service.name": "mine",
    }
    made = request(call(1, attributes=attributes), call(2), resource={"service.name": "shop", "x": "1"})
    assert (await send(noria, made)).content == b""
    first, second = await stored(noria)
    kept = first["attributes"]
    assert second["span_id"] == f"{2:016x}"
    for key in ("__proto__", "constructor", "nul\x00key", "", "'; drop table spans; --", "\u202eevil", "a.b", "a"):
        assert kept[key] == attributes[key], key
    assert (kept["nan"], kept["inf"], kept["bytes"]) == ("nan", ["inf"], "AP8=")
    assert "nested too deeply" in json.dumps(kept["deep"])
    assert kept["resource.service.name"] == "mine"
    many = {f"key{number}": number for number in range(10_000)}
    assert (await send(noria, request(call(3, attributes=many)))).content == b""
    [_, _, third] = await stored(noria)
    assert third["attributes"]["noria.intake.attributes_left_out"] == 8_000
    assert noria.workspace.numbers()["noria_records_refused_total"] == 0


async def test_a_span_that_noria_fails_to_read_is_kept_as_sent(noria: Noria, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        message = "canary"
        raise KeyError(message)

    monkeypatch.setattr("noria.bridges.otlp.mapping.ALL.read", broken)
    with structlog.testing.capture_logs() as logs:
        assert (await send(noria, request(call(1), call(2), resource={"service.name": "s"}))).content == b""
    assert [one["event"] for one in logs] == ["intake.not_understood"] * 2
    assert "canary" not in repr(logs)
    assert [span["attributes"] for span in await stored(noria)] == [CALL, CALL]
    assert {problem["reason"] for problem in await noria.get("/api/intake/problems")} == {"not_understood"}


async def test_ten_megabytes_go_to_the_blob_store_and_come_back(noria: Noria) -> None:
    text = "Ünïcode " * 1_250_000
    image = "data:image/png;base64," + "iVBORw0K" * 60_000
    attributes = CALL | {
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}]),
        "gen_ai.output.messages": json.dumps(
            [{"role": "assistant", "parts": [{"type": "image_url", "url": image}, {"type": "text", "content": "ok"}]}]
        ),
        "raw": text,
        "small": "s",
    }
    assert (await send(noria, request(call(1, attributes=attributes), call(2)))).content == b""
    span = next(one for one in await stored(noria) if one["span_id"] == f"{1:016x}")
    [blob] = span["input"][0]["content"]
    assert (blob["type"], blob["bytes"], blob["preview"]) == ("blob", len(text.encode()), text[:400])
    assert span["attributes"]["raw"] == {"blob": blob["sha256"], "bytes": blob["bytes"], "preview": text[:400]}
    assert span["attributes"]["small"] == "s"
    picture, said = span["output"][0]["content"]
    assert (picture["media_type"], picture["bytes"], said["text"]) == ("image/png", 360_000, "ok")
    response = await noria.client.get(f"/api/blobs/{blob['sha256']}")
    assert response.content == text.encode()
    assert response.headers["content-disposition"] == "attachment"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-type"] == "application/octet-stream"
    assert (await noria.client.get(f"/api/blobs/{'0' * 64}")).status_code == 404
    for odd in ("..", "x", "A" * 64):
        assert (await noria.client.get(f"/api/blobs/{odd}")).status_code in {400, 404}


EVALUATION = {
    "gen_ai.evaluation.name": "helpful",
    "gen_ai.evaluation.score.value": 0.5,
    "gen_ai.evaluation.score.label": "so-so",
    "gen_ai.evaluation.explanation": "It answers half.",
    "gen_ai.evaluation.evaluator.type": "human",
    "reviewer": "kim",
}


async def test_evaluation_events_are_scores_and_come_once(noria: Noria) -> None:
    made = request(
        call(
            1,
            events=[
                ("gen_ai.evaluation.result", EVALUATION),
                ("gen_ai.evaluation.result", {"gen_ai.evaluation.name": "safe", "gen_ai.evaluation.score.value": True}),
                ("gen_ai.evaluation.result", {"gen_ai.evaluation.name": "empty"}),
            ],
        )
    )
    for _ in range(2):
        assert (await send(noria, made)).content == b""
    trace = await noria.get(f"/api/traces/{TRACE}")
    [helpful, safe] = sorted(trace["scores"], key=lambda score: score["scorer"])
    assert (helpful["scorer"], helpful["value"], helpful["source"]) == ("helpful", 0.5, "human")
    assert helpful["reason"] == "It answers half."
    assert helpful["metadata"] == {"gen_ai.evaluation.score.label": "so-so", "reviewer": "kim"}
    assert helpful["span_id"] == f"{1:016x}"
    assert (safe["value"], safe["source"]) == (True, "code")
    [span] = trace["spans"]
    assert [event["attributes"]["gen_ai.evaluation.name"] for event in span["events"]] == ["empty"]


def log_request(*records: dict[str, Any]) -> ExportLogsServiceRequest:
    made = ExportLogsServiceRequest()
    resource = made.resource_logs.add()
    resource.resource.attributes.extend(pairs({"service.name": "shop"}))
    scope = resource.scope_logs.add()
    for given in records:
        record = scope.log_records.add()
        record.trace_id, record.span_id = bytes.fromhex(TRACE), bytes.fromhex(given.get("span_id", SPAN))
        record.time_unix_nano = time.time_ns()
        record.event_name = given.get("name", "")
        record.attributes.extend(pairs(given.get("attributes", {})))
        if "body" in given:
            record.body.CopyFrom(any_value(given["body"]))
    return made


async def test_log_records_become_scores_and_messages_and_others_are_rejected(noria: Noria) -> None:
    made = log_request(
        {"name": "gen_ai.evaluation.result", "attributes": EVALUATION},
        {"attributes": {"event.name": "gen_ai.user.message", "gen_ai.system": "openai"}, "body": {"content": "hi"}},
        {
            "name": "gen_ai.choice",
            "body": {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yo"}},
        },
        {"name": "started", "body": "up"},
        {"name": "gen_ai.evaluation.result", "attributes": EVALUATION, "span_id": ""},
    )
    for _ in range(2):
        response = await send(noria, made, "/v1/logs")
        answer = ExportLogsServiceResponse.FromString(response.content).partial_success
        assert answer.rejected_log_records == 2
        assert "1 × not_an_event" in answer.error_message
        assert "1 × no_span_named" in answer.error_message
    response = await noria.client.post("/v1/logs", json=as_json(made))
    assert response.json()["partialSuccess"]["rejectedLogRecords"] == "2"
    trace = await noria.get(f"/api/traces/{TRACE}")
    [score] = trace["scores"]
    assert (score["scorer"], score["span_id"]) == ("helpful", SPAN)
    [span] = trace["spans"]
    assert (span["operation"], span["parent_id"], span["lineage"]["app"]) == ("log", SPAN, "shop")
    assert span["input"][0]["content"] == "hi"
    assert span["output"][0]["content"] == "yo"
    assert span["finish_reasons"] == ["stop"]


async def test_too_much_at_once_is_asked_to_wait(noria: Noria, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("noria.assemble.record.intake.AT_ONCE_BYTES", 1)
    monkeypatch.setattr(noria.workspace.intake, "take", asyncio.Event().wait)
    first = asyncio.create_task(send(noria, request(call())))
    await asyncio.sleep(0.05)
    response = await send(noria, request(call()))
    assert response.status_code == 429
    assert response.headers["retry-after"] == "1"
    first.cancel()


async def test_the_key_is_needed(noria: Noria) -> None:
    for path in ("/v1/traces", "/v1/logs", "/v1/metrics"):
        response = await noria.client.post(path, content=b"", headers=PROTOBUF | {"authorization": ""})
        assert response.status_code == 401
    only = PROTOBUF | {"authorization": "", "x-api-key": KEY}
    assert (await noria.client.post("/v1/traces", content=b"", headers=only)).status_code == 200
