from noria.core.messages import Message
from noria.core.requests import Lineage
from noria.core.spans import Span, otel_attributes

SPAN = Span(
    trace_id="a" * 32,
    span_id="b" * 16,
    name="chat local/m",
    start_ns=1_000_000_000,
    end_ns=3_500_000_000,
    provider="local",
    request_model="m",
    params={"temperature": 0, "max_tokens": 8, "custom": 1},
    output=(Message(role="assistant", content="yes"),),
    finish_reasons=("stop",),
    input_tokens=10,
    output_tokens=0,
    cost_usd=0.0,
    lineage=Lineage(app="boolq", session_id="s1"),
    attributes={"team": "x"},
)


def test_opentelemetry_names() -> None:
    found = otel_attributes(SPAN)
    assert found["gen_ai.operation.name"] == "chat"
    assert found["gen_ai.provider.name"] == "local"
    assert found["gen_ai.request.temperature"] == 0
    assert found["gen_ai.usage.output_tokens"] == 0
    assert found["gen_ai.response.finish_reasons"] == ("stop",)
    assert found["gen_ai.conversation.id"] == "s1"
    assert found["noria.app"] == "boolq"
    assert found["noria.cost_usd"] == 0.0
    assert found["team"] == "x"


def test_what_is_unknown_is_absent_not_zero() -> None:
    found = otel_attributes(SPAN)
    assert "gen_ai.response.time_to_first_chunk" not in found
    assert "noria.cached" not in found
    assert None not in found.values()


def test_a_replayed_span_has_the_duration_of_the_call_it_replays() -> None:
    assert SPAN.duration_s == 2.5
    replay = Span(
        **{
            **{f: getattr(SPAN, f) for f in SPAN.__struct_fields__},
            "cached": True,
            "attributes": {"noria.replayed.duration_s": 0.7},
        }
    )
    assert replay.duration_s == 0.7


def test_output_text() -> None:
    assert SPAN.output_text == "yes"
    assert Span(trace_id="", span_id="", name="", start_ns=0, end_ns=0).output_text == ""
