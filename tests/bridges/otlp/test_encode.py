"""What is sent to a collector can be taken in again as it was."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bridges.records import score, scores, span, spans
from noria.bridges.otlp.encode import encode
from noria.bridges.otlp.problems import Notes
from noria.bridges.otlp.traffic import Reader, Records
from noria.core.messages import Message, ToolCall
from noria.core.requests import Lineage
from noria.core.scores import Score
from noria.core.spans import Document, Span


def taken(body: bytes) -> Records:
    """As Noria's own intake reads it, in the year 2050."""
    reader = Reader(lambda _: None, lambda _: "", 1 << 30)
    return reader.read("traces", body, "protobuf", Notes(2_524_608_000 * 10**9))


def sane(one: Span) -> Span:
    """Without what the intake repairs on purpose: negative times and prices, events out of order."""
    positive = {
        name: abs(value) for name in ("ttft_s", "tpot_s", "cost_usd") if (value := getattr(one, name)) is not None
    }
    events = tuple(sorted(one.events, key=lambda event: event.time_ns))
    events = tuple(msgspec.structs.replace(event, time_ns=min(event.time_ns, 4 * 10**18)) for event in events)
    parent = None if one.parent_id == one.span_id else one.parent_id
    return msgspec.structs.replace(one, parent_id=parent, events=events, **positive)


@settings(max_examples=150)
@given(spans())
def test_a_span_that_went_out_comes_in_equal(one: Span) -> None:
    one = sane(one)
    assert taken(encode([(one, ())])).spans == [one]


@settings(max_examples=60)
@given(scores)
def test_scores_go_with_their_span(judged: Score) -> None:
    one = span(1)
    judged = msgspec.structs.replace(judged, trace_id=one.trace_id, span_id=one.span_id, time_ns=judged.time_ns or 1)
    assert taken(encode([(one, [judged])])).scores == [judged]


def test_others_find_the_names_of_the_conventions() -> None:
    call = ToolCall(id="c1", name="track", arguments='{"id": 7}')
    one = span(
        1,
        lineage=Lineage(app="shop", session_id="s", user_id="u"),
        provider="openai",
        request_model="gpt-5",
        params={"temperature": 0.5, "stop": ["x"]},
        input=(Message(role="user", content="Where?"),),
        output=(Message(role="assistant", content="One moment.", tool_calls=(call,)),),
        finish_reasons=("tool_calls",),
        documents=(Document(id="d", text="A passage.", score=0.5),),
        input_tokens=3,
        attributes={"resource.region": "eu", "colour": "red", "gen_ai.request.model": "another"},
        status="error",
        error_message="no answer",
    )
    request = ExportTraceServiceRequest.FromString(encode([(one, [score(1, 0.5, reason="why")]), (span(2), ())]))
    shop, even = request.resource_spans
    assert [(pair.key, pair.value.string_value) for pair in shop.resource.attributes] == [("service.name", "shop")]
    assert even.resource.attributes[0].value.string_value == "even"
    [sent] = shop.scope_spans[0].spans
    found: dict[str, Any] = {pair.key: pair.value for pair in sent.attributes}
    assert found["gen_ai.request.model"].string_value == "gpt-5"
    assert found["gen_ai.usage.input_tokens"].int_value == 3
    assert found["gen_ai.request.temperature"].double_value == 0.5
    assert found["colour"].string_value == "red"
    assert (found["gen_ai.conversation.id"].string_value, found["user.id"].string_value) == ("s", "u")
    assert msgspec.json.decode(found["gen_ai.input.messages"].string_value) == [
        {"role": "user", "parts": [{"type": "text", "content": "Where?"}]}
    ]
    assert msgspec.json.decode(found["gen_ai.output.messages"].string_value)[0]["parts"][1] == {
        "type": "tool_call", "id": "c1", "name": "track", "arguments": '{"id": 7}',
    }  # fmt: skip
    assert "noria.input" not in found
    assert (sent.status.code, sent.status.message) == (2, "no answer")
    [event] = sent.events
    assert event.name == "gen_ai.evaluation.result"
    assert {pair.key for pair in event.attributes} >= {"gen_ai.evaluation.name", "gen_ai.evaluation.score.value"}
    assert taken(request.SerializeToString()).spans[0] == one
