"""OTLP batches at no cost to the client: encoded once, with fresh ids written into the bytes for each sending.

The spans are what an instrumented call of a chat model sends: OpenTelemetry GenAI attributes, messages as JSON, about
1.2 kB each. Every span's name ends in its own id, so that whoever reads it back sees that nothing was mixed up.
"""

from __future__ import annotations

import os
import random
import time
from typing import NamedTuple

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Key = tuple[str, str]
"""Trace id and span id, hexadecimal."""

_WORDS = [f"{number:x}" * 2 for number in random.Random(1).choices(range(10_000), k=2_000)]


class Batch(NamedTuple):
    """One request."""

    body: bytes
    """An encoded ``ExportTraceServiceRequest``."""
    keys: list[Key]
    """Its spans."""


class Batches:
    """Makes batches of ``size`` spans, all in traces of their own.

    Arguments:
        size: spans a batch.
        kinds: so many different texts are encoded, and taken in turn.
        service: the sender's name.
    """

    def __init__(self, size: int = 50, *, kinds: int = 20, service: str = "load") -> None:
        chance = random.Random(size)
        self._made = [_encoded(size, service, chance) for _ in range(kinds)]
        self._next = 0
        self.span_bytes = len(self._made[0][0]) / size
        """Bytes of one encoded span, with its share of the rest."""

    def new(self) -> Batch:
        """A batch that nobody has sent."""
        template, places = self._made[self._next]
        self._next = (self._next + 1) % len(self._made)
        body, fresh, keys = bytearray(template), os.urandom(24 * len(places)), []
        for number, (trace, span, name) in enumerate(places):
            ids = fresh[24 * number : 24 * number + 24]
            body[trace : trace + 16], body[span : span + 8] = ids[:16], ids[16:]
            text = ids[16:].hex()
            body[name : name + 16] = text.encode()
            keys.append((ids[:16].hex(), text))
        return Batch(bytes(body), keys)


def _encoded(size: int, service: str, chance: random.Random) -> tuple[bytes, list[tuple[int, int, int]]]:
    """A request, and where each span's trace id, span id and the end of its name are."""
    request = ExportTraceServiceRequest()
    sender = request.resource_spans.add()
    sender.resource.attributes.append(_attribute("service.name", service))
    scope = sender.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.openai_v2"
    marks = []
    for _ in range(size):
        trace, span, name = chance.randbytes(16), chance.randbytes(8), chance.randbytes(8).hex()
        marks.append((trace, span, name.encode()))
        scope.spans.append(_span(trace, span, f"chat {name}", chance))
    body = request.SerializeToString()
    return body, [tuple(_place(body, mark) for mark in three) for three in marks]  # type: ignore[misc]  # three of three


def _place(body: bytes, mark: bytes) -> int:
    at = body.index(mark)
    assert body.find(mark, at + 1) < 0
    return at


def _span(trace: bytes, span: bytes, name: str, chance: random.Random) -> Span:
    start = time.time_ns() - chance.randrange(10**9, 10**10)
    made = Span(trace_id=trace, span_id=span, name=name, kind=Span.SPAN_KIND_CLIENT)
    made.start_time_unix_nano, made.end_time_unix_nano = start, start + chance.randrange(10**8, 10**9)
    said = [("system", 12), ("user", 26)]
    values = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
        "gen_ai.response.id": f"chatcmpl-{chance.getrandbits(64):x}",
        "gen_ai.request.temperature": 0.2,
        "gen_ai.request.max_tokens": 256,
        "gen_ai.usage.input_tokens": chance.randrange(50, 500),
        "gen_ai.usage.output_tokens": chance.randrange(10, 200),
        "gen_ai.conversation.id": f"s{chance.randrange(1000)}",
        "gen_ai.input.messages": _messages(said, chance),
        "gen_ai.output.messages": _messages([("assistant", 22)], chance),
        "server.address": "api.example.com",
        "server.port": 443,
    }
    made.attributes.extend(_attribute(key, value) for key, value in values.items())
    return made


def _messages(said: list[tuple[str, int]], chance: random.Random) -> str:
    return msgspec.json.encode(
        [
            {"role": role, "parts": [{"type": "text", "content": " ".join(chance.choices(_WORDS, k=words))}]}
            for role, words in said
        ]
    ).decode()


def _attribute(key: str, value: str | float) -> KeyValue:
    if isinstance(value, str):
        return KeyValue(key=key, value=AnyValue(string_value=value))
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(double_value=value))
