"""What Cohere answers, whole and streamed; the official client's models are the judge of the recorded replies."""

import contextlib
import json
from typing import Any

import pytest
from cohere.core.unchecked_base_model import construct_type
from cohere.types import EmbedByTypeResponse
from cohere.v2.types import V2ChatResponse, V2ChatStreamResponse, V2RerankResponse
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.core.errors import CallCut, CallFailed, CallRefused
from noria.core.events import Event, Stopped
from noria.core.folding import fold
from noria.core.replies import Ranked, Usage
from noria.core.requests import Request, ToEmbed, ToRank
from noria.core.unfolding import events_of
from noria.wires.cohere import Cohere, StreamDecoder
from wires.recordings import features, recorded

WIRE = Cohere()
CHAT = Request(model="cohere/command-a")
STREAMED = [name for name in features("cohere", "sse") if name != "error"]


def whole(name: str) -> Any:
    return WIRE.decode_reply(recorded(f"cohere/{name}.json"), CHAT)


def streamed(*pieces: bytes) -> list[Event]:
    decoder = WIRE.decoder(CHAT)
    events: list[Event] = [event for piece in pieces for event in decoder.feed(piece)]
    decoder.close()
    return events


@pytest.mark.parametrize("name", STREAMED)
def test_recorded_replies_are_what_the_official_client_expects(name: str) -> None:
    seen: Any = construct_type(type_=V2ChatResponse, object_=json.loads(recorded(f"cohere/{name}.json")))
    V2ChatResponse.model_validate(json.loads(recorded(f"cohere/{name}.json")))
    assert seen.finish_reason
    for block in recorded(f"cohere/{name}.sse").split(b"\n\n"):
        if not block:
            continue
        kind, data = block.split(b"\ndata: ")
        event: Any = construct_type(type_=V2ChatStreamResponse, object_=json.loads(data))
        assert kind.decode() == f"event: {event.type}"
        type(event).model_validate(json.loads(data))


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_means_what_the_whole_reply_means(name: str) -> None:
    stream = recorded(f"cohere/{name}.sse")
    expected = whole(name)
    assert fold(streamed(stream)) == expected
    assert fold(events_of(expected)) == expected
    byte_by_byte = streamed(*(stream[i : i + 1] for i in range(len(stream))))
    assert byte_by_byte == streamed(stream)


@given(st.sampled_from(STREAMED), st.data())
def test_every_split_of_the_bytes_means_the_same(name: str, draw: st.DataObject) -> None:
    stream = recorded(f"cohere/{name}.sse")
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    assert streamed(*(stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True))) == streamed(stream)


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_that_ends_early_is_cut(name: str) -> None:
    stream = recorded(f"cohere/{name}.sse")
    for end in (0, 40, len(stream) // 2, stream.rindex(b"event: message-end")):
        with pytest.raises(CallCut):
            streamed(stream[:end])


def test_a_stream_that_begins_again_fails() -> None:
    before, _, _ = recorded("cohere/text.sse").rpartition(b"event: message-end")
    with pytest.raises(CallFailed, match="second message"):
        streamed(before + recorded("cohere/text.sse"))


@pytest.mark.parametrize(
    ("name", "reason", "text"),
    [
        ("text", "stop", "Grüße aus Tōkyō 🗼"),
        ("stop", "stop", "One"),
        ("length", "length", "One two"),
        ("tools", "tool_calls", ""),
        ("json_schema", "stop", '{"topic": "medicine"}'),
    ],
)
def test_what_was_said_and_why_it_ended(name: str, reason: str, text: str) -> None:
    [choice] = whole(name).choices
    assert (choice.message.text, choice.finish_reason) == (text, reason)


def test_billed_tokens_are_recorded_and_the_cache_is_never_more_than_they() -> None:
    assert whole("text").usage == Usage(input_tokens=5, output_tokens=9, cached_tokens=5)


def test_calls_come_with_the_plan_behind_them() -> None:
    message = whole("tools").choices[0].message
    assert message.reasoning == "I will look up the weather in both cities."
    assert [(call.id, call.name, json.loads(call.arguments)) for call in message.tool_calls] == [
        ("weather_a1", "weather", {"city": "Oslo"}),
        ("weather_b2", "weather", {"city": "Tōkyō"}),
    ]


def test_thinking_is_kept_apart_from_the_answer() -> None:
    message = whole("thinking").choices[0].message
    assert (message.reasoning, message.text) == ("6 times 7 is 42.", "42")


def test_each_source_of_a_claim_is_a_citation() -> None:
    [part] = whole("citations").choices[0].message.content
    first, second, third = part.citations
    assert (first.document, first.title, first.cited) == (1, "Tall penguins", "Emperor penguins are the tallest.")
    assert part.text[first.start : first.end] == "Emperors"
    assert (second.start, second.document, third.document) == (17, 1, None)
    assert (third.url, third.cited) == ("https://example.org/p", "The tallest are emperors.")


def test_a_piece_of_several_tokens_has_the_sum_of_their_log_probabilities() -> None:
    tokens = whole("logprobs").choices[0].logprobs["content"]
    assert [(token["token"], token["logprob"]) for token in tokens] == [("Yes", -0.25), (", sir", -1.75)]


def test_a_generation_that_failed_is_an_error_after_what_it_said() -> None:
    decoder = StreamDecoder()
    seen: list[Event] = []
    with pytest.raises(CallFailed, match="ended with ERROR: the model crashed") as failure:
        seen.extend(decoder.feed(recorded("cohere/error.sse")))
    assert failure.value.retryable
    assert not any(isinstance(event, Stopped) for event in seen)


def test_a_refusal_keeps_its_sentence() -> None:
    error = WIRE.decode_error(404, {}, recorded("cohere/error.json"))
    assert isinstance(error, CallRefused)
    assert (error.status, error.retryable) == (404, False)
    assert "model 'x' not found" in str(error)
    assert WIRE.decode_error(429, {"retry-after": "7"}, b'{"message": "slow down"}').retry_after_s == 7


def test_vectors_come_in_the_order_of_the_texts() -> None:
    EmbedByTypeResponse.model_validate(json.loads(recorded("cohere/embed.json")))
    ask = Request(model="m", embed=ToEmbed(inputs=("one", "two")))
    reply = WIRE.decode_reply(recorded("cohere/embed.json"), ask)
    assert reply.vectors == ((0.5, -0.25, 0.125), (1.0, 0.0, -1.0))
    assert reply.usage == Usage(input_tokens=2, output_tokens=0)
    with pytest.raises(CallCut, match="2 vectors for 3 texts"):
        WIRE.decode_reply(recorded("cohere/embed.json"), Request(model="m", embed=ToEmbed(inputs=("a", "b", "c"))))


def test_a_ranking_has_the_best_first() -> None:
    V2RerankResponse.model_validate(json.loads(recorded("cohere/rerank.json")))
    ask = Request(model="m", rank=ToRank(query="q", documents=("a", "b", "c"), most=2))
    reply = WIRE.decode_reply(recorded("cohere/rerank.json"), ask)
    assert reply.ranking == (Ranked(index=2, score=0.98), Ranked(index=0, score=0.25))
    assert reply.complete
    for rank, kind, sentence in (
        (ToRank(query="q", documents=("a", "b")), CallFailed, "not among the 2"),
        (ToRank(query="q", documents=("a", "b", "c")), CallCut, "2 documents of 3"),
    ):
        with pytest.raises(kind, match=sentence):
            WIRE.decode_reply(recorded("cohere/rerank.json"), Request(model="m", rank=rank))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60)
@given(st.sampled_from([*STREAMED, "embed", "rerank"]), st.data())
def test_a_reply_with_anything_anywhere_is_read_or_refused(name: str, draw: st.DataObject) -> None:
    reply = json.loads(recorded(f"cohere/{name}.json"))
    place: Any = reply
    while isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = draw.draw(st.sampled_from(keys))
        if draw.draw(st.booleans()) or not isinstance(place[key], dict | list) or not place[key]:
            place[key] = draw.draw(JSON)
            break
        place = place[key]
    ask = {
        "embed": Request(model="m", embed=ToEmbed(inputs=("one", "two"))),
        "rerank": Request(model="m", rank=ToRank(query="q", documents=("a", "b", "c"), most=2)),
    }.get(name, CHAT)
    body = json.dumps(reply).encode()
    with contextlib.suppress(CallFailed):
        WIRE.decode_reply(body, ask)
    with contextlib.suppress(CallFailed):
        streamed(b"data: " + json.dumps({"type": "x", "delta": reply}).encode() + b"\n\n")


@given(st.binary(max_size=60))
def test_bytes_of_any_kind_are_refused_and_nothing_else(body: bytes) -> None:
    with pytest.raises(CallFailed):
        WIRE.decode_reply(body, CHAT)
    with pytest.raises(CallFailed):
        streamed(b"data: " + body + b"\n\n")
