"""Whatever comes in, it is read, repaired or refused with a reason; and what is read can be kept."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from noria.bridges.otlp import pieces
from noria.bridges.otlp.conventions import CONVENTIONS
from noria.bridges.otlp.conventions.genai_before import MESSAGE_EVENTS
from noria.bridges.otlp.mapping import DETAILS, EVALUATION
from noria.bridges.otlp.problems import REASONS, Notes
from noria.core.errors import InvalidInput
from noria.core.spans import Span
from noria.stores.traces.rows import pack

from .payloads import NOW_NS, SPAN, TRACE, as_json, request
from .reading import BLOBS, READER, read, span

ENCODINGS = st.sampled_from(["protobuf", "json"])
SIGNALS = st.sampled_from(["traces", "logs"])
DAY_NS = 86_400 * 10**9

KEYS = sorted({key for one in CONVENTIONS for key in (*one.columns, *one.keys)})
TREES = sorted({key for one in CONVENTIONS for key in one.trees})
TAILS = [
    "",
    "message.role",
    "message.content",
    "message.contents.0.message_content.type",
    "message.contents.0.message_content.text",
    "message.contents.0.message_content.image.image.url",
    "message.tool_calls.0.tool_call.id",
    "message.tool_calls.0.tool_call.function.name",
    "role",
    "content",
    "finish_reason",
    "tool_calls.0.id",
    "tool_calls.1.arguments",
    "document.id",
    "document.score",
    "document.metadata",
    "prompt.text",
    "embedding.vector",
    "properties.user_id",
    "metadata.userId",
]
ODD_KEYS = ["__proto__", "", "a.b.c", "\x00", "k" * 300, "'--", "noria.span", "resource.x", "ä\U0001f600"]
ODD_VALUES = [None, True, False, 0, -1, 2**63 - 1, -(2**63), 1e308, float("nan"), float("-inf"), "", "a", "1.5", "\x00"]
FIELDS = [
    "role",
    "type",
    "content",
    "parts",
    "text",
    "tool_calls",
    "toolCalls",
    "function",
    "function_call",
    "image_url",
    "message",
    "data",
    "lc",
    "id",
    "sha256",
    "score",
    "finish_reason",
    "metadata",
    "messages",
    "choices",
    "arguments",
    "input",
    "output",
    "name",
    "kwargs",
    "url",
    "source",
    "total_tokens",
    "total",
    "model",
]
WORDS = [
    "user",
    "assistant",
    "tool",
    "ai",
    "human",
    "?",
    "text",
    "tool_call",
    "tool-result",
    "tool_use",
    "image_url",
    "uri",
    "blob",
    "noria.blob",
    "thinking",
    "LLM",
    "CHAT_MODEL",
    "ai.toolCall",
    "generation",
    "2026-11-25T09:06:40Z",
    "data:image/png;base64,AA==",
    "ERROR",
]
EVENT_NAMES = [*MESSAGE_EVENTS, DETAILS, EVALUATION, "gen_ai.content.prompt", "gen_ai.content.completion", "exception"]


def made_value(chance: Random, depth: int = 0) -> Any:
    """Something like what instrumentations send, more or less."""
    kind = chance.randrange(9 if depth < 4 else 3)
    if kind == 0:
        return chance.choice(ODD_VALUES)
    if kind <= 2:
        return chance.choice(WORDS)
    if kind == 3:
        return [made_value(chance, depth + 1) for _ in range(chance.randrange(3))]
    if kind == 4:
        return json.dumps(made_value(chance, depth + 1))
    return {chance.choice(FIELDS): made_value(chance, depth + 1) for _ in range(chance.randrange(6))}


def made_key(chance: Random) -> str:
    kind = chance.randrange(8)
    if kind == 0:
        return chance.choice(ODD_KEYS)
    if kind <= 3:
        return f"{chance.choice(TREES)}.{chance.randrange(4)}.{chance.choice(TAILS)}"
    if kind == 4:
        return f"{chance.choice(TREES)}.{chance.choice(TAILS)}"
    return chance.choice(KEYS)


def made_attributes(chance: Random) -> dict[str, Any]:
    return {made_key(chance): made_value(chance) for _ in range(chance.randrange(12))}


ATTRIBUTES = st.integers(0, 2**64).map(lambda seed: made_attributes(Random(seed)))
EVENTS = st.integers(0, 2**64).map(
    lambda seed: [
        (Random(seed + number).choice(EVENT_NAMES), made_attributes(Random(seed + number)))
        for number in range(seed % 4)
    ]
)


def storable(found: Span) -> None:
    """It can be kept, or is refused by name."""
    try:
        pack([found], ())
    except InvalidInput:
        return


@given(body=st.binary(max_size=200), encoding=ENCODINGS, signal=SIGNALS)
@example(body=b"[" * 10_000, encoding="json", signal="traces")
@example(body=b'{"resourceSpans":' * 500, encoding="json", signal="traces")
@example(body=b"\n\x06\x12\x04\x12\x02\n\x00", encoding="protobuf", signal="traces")
def test_random_bytes(body: bytes, encoding: Any, signal: Any) -> None:
    try:
        records = READER.read(signal, body, encoding, Notes(NOW_NS))
    except InvalidInput as error:
        assert "The body" in str(error)
        return
    for found in records.spans:
        storable(found)


@settings(max_examples=120)
@given(
    attributes=ATTRIBUTES,
    at=st.integers(0, 2000),
    change=st.binary(max_size=4),
    drop=st.integers(0, 4),
    encoding=ENCODINGS,
)
def test_requests_with_a_few_bytes_changed(
    attributes: dict[str, Any], at: int, change: bytes, drop: int, encoding: Any
) -> None:
    made = request({"attributes": attributes}, {"attributes": {"a": 1}}, resource={"service.name": "s"})
    whole = made.SerializeToString() if encoding == "protobuf" else json.dumps(as_json(made)).encode()
    at %= len(whole)
    try:
        records = READER.read("traces", whole[:at] + change + whole[at + drop :], encoding, Notes(NOW_NS))
    except InvalidInput:
        return
    for found in records.spans:
        storable(found)


@settings(max_examples=300)
@given(attributes=ATTRIBUTES, events=EVENTS, resource=ATTRIBUTES)
def test_any_attributes_of_a_span_are_taken_in(
    attributes: dict[str, Any], events: list[Any], resource: dict[str, Any]
) -> None:
    made = request({"attributes": attributes, "events": events, "span_id": SPAN}, resource=resource)
    records = READER.read("traces", made.SerializeToString(), "protobuf", Notes(NOW_NS))
    [found] = records.spans
    assert (found.trace_id, found.span_id) == (TRACE, SPAN)
    storable(found)


@settings(max_examples=120)
@given(attributes=ATTRIBUTES, events=EVENTS)
def test_protobuf_and_json_say_the_same(attributes: dict[str, Any], events: list[Any]) -> None:
    made = request({"attributes": attributes, "events": events})
    [one] = READER.read("traces", made.SerializeToString(), "protobuf", Notes(NOW_NS)).spans
    [other] = READER.read("traces", json.dumps(as_json(made)).encode(), "json", Notes(NOW_NS)).spans
    assert repr(one) == repr(other)  # repr: not-a-number equals nothing


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"trace_id": ""}, "no_trace_id"),
        ({"trace_id": "0" * 32}, "no_trace_id"),
        ({"trace_id": "ab" * 8}, "no_trace_id"),
        ({"span_id": ""}, "no_span_id"),
        ({"span_id": "0" * 16}, "no_span_id"),
        ({"start_ns": 0, "end_ns": 0}, "no_time"),
        ({"start_ns": 10**18 - 10**17, "end_ns": NOW_NS}, "time_out_of_range"),
        ({"end_ns": 2**64 - 1}, "time_out_of_range"),
        ({"start_ns": NOW_NS + 2 * DAY_NS, "end_ns": NOW_NS + 2 * DAY_NS}, "in_the_future"),
        ({"start_ns": NOW_NS, "end_ns": NOW_NS - 2 * DAY_NS}, "ends_before_start"),
    ],
)
def test_spans_that_can_not_be_placed_are_refused(fields: dict[str, Any], reason: str) -> None:
    records, notes = read(fields, {"span_id": SPAN})
    assert [one.span_id for one in records.spans] == [SPAN]
    assert notes.refused == {reason: 1}
    assert records.received == 2


@pytest.mark.parametrize(
    ("fields", "reason", "times"),
    [
        ({"end_ns": 0}, "end_repaired", (0, 0)),
        ({"end_ns": NOW_NS - 5}, "end_repaired", (0, 0)),
        ({"start_ns": 0, "end_ns": NOW_NS + 7}, "start_repaired", (7, 7)),
        ({"start_ns": NOW_NS + DAY_NS // 2, "end_ns": NOW_NS + DAY_NS // 2}, "clock_ahead", (DAY_NS // 2,) * 2),
        ({"start_ns": NOW_NS - 3 * DAY_NS, "end_ns": NOW_NS - 3 * DAY_NS}, "old", (-3 * DAY_NS,) * 2),
        ({"parent_id": SPAN, "span_id": SPAN}, "parent_repaired", (0, 2 * 10**9)),
        ({"parent_id": "abcd"}, "parent_repaired", (0, 2 * 10**9)),
    ],
)
def test_spans_that_can_be_repaired_are(fields: dict[str, Any], reason: str, times: tuple[int, int]) -> None:
    records, notes = read(fields)
    [found] = records.spans
    assert (found.start_ns - NOW_NS, found.end_ns - NOW_NS) == times
    assert found.parent_id is None
    assert [problem.reason for problem in notes.problems] == [reason]


def test_a_rootless_parent_of_zeros_is_a_root() -> None:
    assert span({}, parent_id="0" * 16).parent_id is None


def test_every_reason_has_a_sentence() -> None:
    for _, sentence in REASONS.values():
        assert sentence.endswith(".")


def test_a_thousand_events_are_enough() -> None:
    events = [("tick", {"n": number}) for number in range(1_200)]
    records, notes = read({"events": events})
    assert len(records.spans[0].events) == 1_000
    assert [problem.reason for problem in notes.problems] == ["attributes_cut"]


def test_large_values_leave_the_record_wherever_they_stand() -> None:
    large = "ä" * 200_000
    records, _ = read(
        {
            "name": large,
            "status": 2,
            "status_message": large,
            "attributes": {
                "gen_ai.input.messages": json.dumps(
                    [
                        {"role": "user", "parts": [{"type": "reasoning", "content": large}]},
                        {"role": "assistant", "parts": [{"type": "tool_call", "name": "f", "arguments": {"a": large}}]},
                        {"role": "user", "parts": [{"type": "odd", "body": large}, {"type": "text", "content": "x"}]},
                    ]
                ),
                "gen_ai.retrieval.documents": json.dumps([{"id": "d", "content": large}]),
                "noria.variables": json.dumps({"v": large}),
                "nested": {"a": [large]},
                "short": "s",
            },
            "events": [("e", {"a": large})],
        }
    )
    [found] = records.spans
    assert len(pack([found], ())) < 20_000
    reference = found.attributes["nested"]
    assert json.loads(BLOBS[reference["blob"]]) == {"a": [large]}
    assert found.attributes["short"] == "s"
    assert found.documents[0].text == large[:400]
    assert BLOBS[found.documents[0].metadata["blob"]].decode() == large
    assert BLOBS[found.variables["v"]["blob"]].decode() == large
    assert BLOBS[found.events[0].attributes["a"]["blob"]].decode() == large
    assert json.loads(BLOBS[json.loads(found.input[1].tool_calls[0].arguments)["blob"]]) == {"a": large}
    for text in (found.name, found.error_message or "", found.input[0].reasoning):
        assert text.startswith("ääää")
        assert "400,000 bytes: blob" in text


def test_a_record_that_stays_too_large_gives_up_its_small_contents_or_is_refused() -> None:
    many = {f"k{number}": "x" * 10_000 for number in range(1_500)}
    records, notes = read({"attributes": many})
    [found] = records.spans
    assert len(pack([found], ())) < 2 << 20
    assert not notes.problems
    endless = {"gen_ai.input.messages": json.dumps([{"role": "user", "content": "x" * 3_000}] * 4_000)}
    records, notes = read({"attributes": endless}, {"span_id": SPAN})
    assert [one.span_id for one in records.spans] == [SPAN]
    assert notes.refused == {"too_large": 1}


def field(number: int, content: bytes) -> bytes:
    """A field of protobuf that holds bytes."""
    size = len(content)
    length = b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


IDS = field(1, b"1" * 16) + field(2, b"2" * 8) + b"\x39" + NOW_NS.to_bytes(8, "little")
MANY = pieces.MOST + 1
BOMBS = {
    "resources": b"\x0a\x00" * MANY,
    "spans": field(1, field(2, b"\x12\x00" * MANY)),
    "attributes": field(1, field(2, field(2, IDS + b"\x4a\x00" * MANY))),
    "events": field(1, field(2, field(2, IDS + b"\x5a\x00" * MANY))),
    "values": field(1, field(2, field(2, IDS + field(9, field(2, field(5, b"\x0a\x00" * MANY)))))),
    "before what is no protobuf": field(1, field(2, b"\x12\x00" * MANY)) + b"\xff" * 20,
}


@pytest.mark.untraced
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=list(BOMBS))
def test_a_request_of_a_million_empty_pieces_is_refused_before_it_is_made(bomb: bytes) -> None:
    with pytest.raises(InvalidInput, match="more than 1,000,000") as refused:
        READER.read("traces", bomb, "protobuf", Notes(NOW_NS))
    assert refused.value.status == 413


@pytest.mark.untraced
def test_so_it_is_in_json_and_among_logs() -> None:
    records = field(1, field(2, b"\x12\x00" * MANY))
    with pytest.raises(InvalidInput, match="more than 1,000,000"):
        READER.read("logs", records, "protobuf", Notes(NOW_NS))
    spans = b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + b"{}," * pieces.MOST_BRACES + b"{}]}]}]}"
    with pytest.raises(InvalidInput, match="more than 1,000,000"):
        READER.read("traces", spans, "json", Notes(NOW_NS))


@pytest.mark.untraced
def test_long_texts_are_no_pieces() -> None:
    text = b"\x12\x00" * MANY  # looks like a million of them
    made = request({"attributes": {"input": text.decode()}})
    records = READER.read("traces", made.SerializeToString(), "protobuf", Notes(NOW_NS))
    assert len(records.spans) == 1


def test_a_request_of_nothing_but_mistakes_is_counted_to_the_end_and_told_in_part() -> None:
    notes = Notes(NOW_NS)
    READER.read("traces", field(1, field(2, b"\x12\x00" * 5_000)), "protobuf", notes)
    assert notes.refused == {"no_trace_id": 5_000}
    assert len(notes.problems) == 500
