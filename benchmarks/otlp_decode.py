"""What a span of OpenTelemetry traffic costs before it is on disk: decoding, mapping to columns, packing for the spool.

    python benchmarks/otlp_decode.py [--requests 200] [--json]

Requests hold 50 spans of about 1.2 kB, as an exporter would send them, in each convention; CPU microseconds of this
process a span, best of five rounds. ``decode`` is bytes to raw spans, ``read`` decode and map, ``all`` also pack.
"""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Callable
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from report import Report, arguments

from noria.bridges.otlp import json_body, protobuf_body
from noria.bridges.otlp.problems import Notes
from noria.bridges.otlp.traffic import Reader
from noria.stores.traces.rows import pack
from noria.targets.pricing import price_of

WORDS = [f"{number:x}" * 2 for number in random.Random(1).choices(range(10_000), k=2_000)]
START_NS = 1_795_600_000_000_000_000
SPANS = 50


def text(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(WORDS, k=words))


def genai(chance: random.Random) -> dict[str, Any]:
    def said(role: str, words: int) -> dict[str, Any]:
        return {"role": role, "parts": [{"type": "text", "content": text(chance, words)}]}

    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.id": f"chatcmpl-{chance.getrandbits(64):x}",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 256,
        "gen_ai.usage.input_tokens": chance.randrange(2_000),
        "gen_ai.usage.output_tokens": chance.randrange(200),
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.conversation.id": f"s{chance.randrange(1000)}",
        "server.address": "api.openai.com",
        "gen_ai.input.messages": json.dumps([said("system", 20), said("user", 30)]),
        "gen_ai.output.messages": json.dumps([said("assistant", 40) | {"finish_reason": "stop"}]),
    }


def openinference(chance: random.Random) -> dict[str, Any]:
    return {
        "openinference.span.kind": "LLM",
        "llm.system": "openai",
        "llm.model_name": "gpt-4o",
        "llm.invocation_parameters": json.dumps({"model": "gpt-4o", "temperature": 0.2}),
        "llm.input_messages.0.message.role": "system",
        "llm.input_messages.0.message.content": text(chance, 20),
        "llm.input_messages.1.message.role": "user",
        "llm.input_messages.1.message.content": text(chance, 30),
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": text(chance, 40),
        "llm.token_count.prompt": chance.randrange(2_000),
        "llm.token_count.completion": chance.randrange(200),
        "session.id": f"s{chance.randrange(1000)}",
        "input.mime_type": "application/json",
        "output.mime_type": "application/json",
    }


def until_2025(chance: random.Random) -> dict[str, Any]:
    return {
        "gen_ai.system": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "llm.request.type": "chat",
        "llm.is_streaming": False,
        "gen_ai.prompt.0.role": "system",
        "gen_ai.prompt.0.content": text(chance, 20),
        "gen_ai.prompt.1.role": "user",
        "gen_ai.prompt.1.content": text(chance, 30),
        "gen_ai.completion.0.role": "assistant",
        "gen_ai.completion.0.content": text(chance, 40),
        "gen_ai.completion.0.finish_reason": "stop",
        "gen_ai.usage.prompt_tokens": chance.randrange(2_000),
        "gen_ai.usage.completion_tokens": chance.randrange(200),
        "traceloop.association.properties.session_id": f"s{chance.randrange(1000)}",
    }


def plain(chance: random.Random) -> dict[str, Any]:
    return {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.full": "https://shop.example/" + text(chance, 80),
        **{f"custom.{number}": text(chance, 4) for number in range(8)},
    }


def request(make: Callable[[random.Random], dict[str, Any]], chance: random.Random) -> bytes:
    """Spans with these attributes, encoded."""
    made = ExportTraceServiceRequest()
    resource = made.resource_spans.add()
    service = resource.resource.attributes.add()
    service.key, service.value.string_value = "service.name", "shop"
    scope = resource.scope_spans.add()
    scope.scope.name = "instrumentation"
    for number in range(SPANS):
        span = scope.spans.add()
        span.trace_id, span.span_id = chance.randbytes(16), chance.randbytes(8)
        span.name = "chat gpt-4o"
        span.kind = 3
        span.start_time_unix_nano = START_NS + number
        span.end_time_unix_nano = START_NS + number + 10**9
        for key, value in make(chance).items():
            pair = span.attributes.add()
            pair.key = key
            kind = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}.get(type(value))
            if kind is None:
                pair.value.array_value.values.add().string_value = value[0]
            else:
                setattr(pair.value, kind, value)
    return bytes(made.SerializeToString())


def cost_us(work: Callable[[], object], requests: int) -> float:
    """CPU microseconds a span."""
    best = float("inf")
    for _ in range(5):
        before = time.process_time()
        for _ in range(requests):
            work()
        best = min(best, time.process_time() - before)
    return 1e6 * best / requests / SPANS


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--requests", type=int, default=200)
    given = parser.parse_args()
    columns = ["convention", "bytes/span", "decode us", "read us", "all us", "all of JSON us"]
    report = Report(f"OTLP: {SPANS} spans a request", columns, as_json=given.json)
    reader = Reader(price_of, lambda _: "", 256 * 1024)
    for name, make in (
        ("GenAI", genai),
        ("GenAI until 2025", until_2025),
        ("OpenInference", openinference),
        ("no LLM", plain),
    ):
        body = request(make, random.Random(1))
        as_json = in_json(body)

        def decode(body: bytes = body) -> None:
            for _, spans in protobuf_body.traces(body):
                list(spans)

        def read(body: bytes = body) -> Any:
            return reader.read("traces", body, "protobuf", Notes(START_NS))

        def everything(body: bytes = body) -> None:
            pack(reader.read("traces", body, "protobuf", Notes(START_NS)).spans, ())

        def everything_json(body: bytes = as_json) -> None:
            pack(reader.read("traces", body, "json", Notes(START_NS)).spans, ())

        assert len(read().spans) == SPANS
        assert sum(len(list(spans)) for _, spans in json_body.traces(as_json)) == SPANS
        costs = [cost_us(work, given.requests) for work in (decode, read, everything, everything_json)]
        report.add(name, len(body) / SPANS, *costs)
    report.end()


def in_json(body: bytes) -> bytes:
    """The same request in OTLP's JSON."""

    def walk(value: Any) -> Any:
        if isinstance(value, dict):
            ids = {"traceId", "spanId"}
            return {key: base64.b64decode(v).hex() if key in ids else walk(v) for key, v in value.items()}
        return [walk(item) for item in value] if isinstance(value, list) else value

    found = MessageToDict(ExportTraceServiceRequest.FromString(body), use_integers_for_enums=True)
    return json.dumps(walk(found)).encode()


if __name__ == "__main__":
    main()
