"""What a caller in Google's dialect gets: the official client's own types read every byte of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.core.errors import CallCut, CallFailed, InvalidInput, NoriaError, Unavailable
from noria.core.events import Content, Delta, Event, Raw, Started, Stopped, ThoughtDelta, ToolCallDelta, Used
from noria.core.folding import Fold, fold
from noria.core.messages import Citation, ImagePart, OtherPart
from noria.core.replies import Reply, Usage
from noria.core.requests import Request
from noria.core.unfolding import events_of
from noria.wires.google import EmbedContent, GenerateContent, Google, StreamDecoder, encode_error
from noria.wires.wire import Answer
from wires.recordings import features, recorded

ASKED = Request(model="m")
OTHERS = {"embed", "embed_vertex", "error", "wrong_key", "blocked"}
"""What is no answer."""
SAID: list[Content] = [
    Started(id="r1", model="m1"),
    Delta(reasoning="Hm", thought=ThoughtDelta()),
    Delta(reasoning=".", thought=ThoughtDelta(signature="AAAA", format="google-gemini-v1")),
    Delta(text="Größe: 21 m."),
    Delta(citations=(Citation(url="https://a.example", title="A", start=0, end=12),)),
    Delta(logprobs={"content": [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}]}),
    Delta(tool_calls=(ToolCallDelta(index=0, id="c1", name="f", signature="BBBB"),)),
    Delta(tool_calls=(ToolCallDelta(index=0, arguments='{"a"'), ToolCallDelta(index=1, id="c2", name="g"))),
    Delta(tool_calls=(ToolCallDelta(index=0, arguments=":1}"),)),
    Stopped(reason="tool_calls"),
    Used(usage=Usage(input_tokens=5, output_tokens=9, cached_tokens=2, reasoning_tokens=4)),
]


def answer(*, stream: bool = True, query: str = "alt=sse") -> Answer:
    wire = GenerateContent(stream=stream)
    return wire.decode(b'{"contents":"a"}', path={"model": "m", "query": query}, id="0" * 32, created=0).answer


def written(events: list[Any], query: str = "alt=sse") -> bytes:
    writer = answer(query=query)
    return b"".join(writer.encode(event) for event in events) + writer.finish()


def objects(data: bytes) -> list[types.GenerateContentResponse]:
    return [
        types.GenerateContentResponse.model_validate_json(piece.removeprefix(b"data: "))
        for piece in data.split(b"\n\n")[:-1]
    ]


def read_again(data: bytes) -> Reply:
    decoder, state = StreamDecoder(ASKED), Fold()
    for event in decoder.feed(data):
        state.take(event)
    decoder.close()
    return state.reply()


def test_a_streamed_answer() -> None:
    pieces = objects(written(SAID))
    assert all(piece.response_id == "r1" and piece.model_version == "m1" for piece in pieces)
    assert pieces[2].text == "Größe: 21 m."
    assert all(piece.candidates[0].finish_reason is None for piece in pieces[:-1] if piece.candidates)
    last = pieces[-1]
    assert last.candidates
    assert last.candidates[0].finish_reason == types.FinishReason.STOP
    assert [(call.id, call.name, call.args) for call in last.function_calls or ()] == [
        ("c1", "f", {"a": 1}),
        ("c2", "g", {}),
    ]
    assert last.usage_metadata
    assert last.usage_metadata.total_token_count == 14
    grounding = last.candidates[0].grounding_metadata
    assert grounding
    assert grounding.grounding_supports
    assert grounding.grounding_supports[0].segment
    assert grounding.grounding_supports[0].segment.end_index == 14  # bytes


def test_whole_and_streamed_say_the_same() -> None:
    whole = answer(stream=False).whole(fold(SAID))
    types.GenerateContentResponse.model_validate_json(whole)
    assert Google().decode_reply(whole, ASKED) == read_again(written(SAID))
    again = read_again(written(SAID))
    assert again.usage == fold(SAID).usage
    assert again.choices[0].message.thoughts == fold(SAID).choices[0].message.thoughts
    assert again.choices[0].message.tool_calls[0].signature == "BBBB"


@pytest.mark.parametrize("name", sorted({*features("google", "json")} - OTHERS))
def test_what_google_said_is_said_again(name: str) -> None:
    """Through events and back: nothing is lost that the nouns know."""
    reply = Google().decode_reply(recorded(f"google/{name}.json"), ASKED)
    whole = answer(stream=False).whole(reply)
    types.GenerateContentResponse.model_validate_json(whole)
    assert Google().decode_reply(whole, ASKED) == reply
    assert read_again(written(list(events_of(reply)))).choices[0].message.text == reply.text


@pytest.mark.parametrize("name", [name for name in features("google", "sse") if name != "error"])
def test_googles_own_bytes_pass_untouched(name: str) -> None:
    data = recorded(f"google/{name}.sse")
    events = tuple(StreamDecoder(ASKED).feed(data))
    assert written([Raw(wire="google", data=data, events=events)]) == data
    assert written([Raw(wire="other", data=b"x", events=events)]) == written(list(events))


def test_an_array_that_grows() -> None:
    data = written(SAID, query="")
    pieces = [types.GenerateContentResponse.model_validate(piece) for piece in json.loads(data)]
    assert pieces[-1].candidates
    assert pieces[-1].candidates[0].finish_reason == types.FinishReason.STOP
    raw = Raw(
        wire="google", data=recorded("google/n.sse"), events=tuple(StreamDecoder(ASKED).feed(recorded("google/n.sse")))
    )
    assert len(json.loads(written([raw], query=""))) == 5
    assert json.loads(written([], query="")) == []
    assert answer(query="").content_type.startswith(b"application/json")


@pytest.mark.parametrize("query", ["", "alt=sse"])
@pytest.mark.parametrize("before", [0, 3, len(SAID)])
def test_a_failure_never_looks_like_an_end(query: str, before: int) -> None:
    writer = answer(query=query)
    data = b"".join(writer.encode(event) for event in SAID[:before])
    data += writer.error(CallFailed("Gone."))
    assert b"finishReason" not in data
    last = json.loads(data.rpartition(b"data: ")[2]) if query else json.loads(data)[-1]
    assert next(iter(last)) == "error"
    assert last["error"]["status"] == "UNAVAILABLE"


def test_arguments_that_are_no_object_are_a_malformed_call() -> None:
    events = [
        Started(),
        Delta(tool_calls=(ToolCallDelta(index=0, id="a", name="f", arguments="{oh"),)),
        Stopped(reason="tool_calls"),
    ]
    [last] = objects(written(events))
    assert last.candidates
    assert last.candidates[0].finish_reason == types.FinishReason.MALFORMED_FUNCTION_CALL
    assert last.candidates[0].finish_message
    assert "{oh" in last.candidates[0].finish_message


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("length", "MAX_TOKENS"),
        ("content_filter", "SAFETY"),
        ("refusal", "SAFETY"),
        ("LANGUAGE", "LANGUAGE"),
        ("?", "OTHER"),
    ],
)
def test_why_it_ended(reason: str, word: str) -> None:
    [last] = objects(written([Stopped(reason=reason)]))
    assert last.candidates
    assert last.candidates[0].finish_reason
    assert last.candidates[0].finish_reason.value == word


def test_seals_images_and_refusals() -> None:
    events: list[Event] = [
        Delta(thought=ThoughtDelta(redacted=True, signature="hidden text!")),
        Delta(parts=(ImagePart(url="data:image/png;base64,AAAA"), OtherPart(data={"type": "server_tool_use"}))),
        Delta(refusal="I won't."),
        Stopped(reason="refusal"),
    ]
    data = written(events)
    objects(data)
    [thought] = read_again(data).choices[0].message.thoughts
    assert (thought.redacted, thought.signature) == (True, "hidden text!")
    assert b"I won't." in data
    assert b"server_tool_use" not in data


def test_half_a_reply_never_leaves_as_a_whole_one() -> None:
    with pytest.raises(CallCut):
        answer(stream=False).whole(fold(SAID[:-2]))
    with pytest.raises(CallCut):
        EmbedContent().decode(
            b'{"content":{"parts":[{"text":"a"}]}}', path={"model": "m"}, id="", created=0
        ).answer.whole(Reply())


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidInput("x"), "INVALID_ARGUMENT"),
        (Unavailable("x"), "UNAVAILABLE"),
        (CallFailed("x", status=429), "RESOURCE_EXHAUSTED"),
        (CallFailed("x", status=418), "INVALID_ARGUMENT"),
        (NoriaError("x"), "INTERNAL"),
    ],
)
def test_errors_are_in_googles_shape(error: NoriaError, status: str) -> None:
    stated = json.loads(encode_error(error))["error"]
    assert (stated["code"], stated["message"], stated["status"]) == (error.status, "x", status)


DELTAS = st.builds(
    Delta,
    index=st.integers(0, 1),
    text=st.text(max_size=4),
    reasoning=st.text(max_size=4),
    tool_calls=st.lists(
        st.builds(
            ToolCallDelta, index=st.integers(0, 2), id=st.just("a"), name=st.just("f"), arguments=st.text(max_size=3)
        ),
        max_size=2,
    ).map(tuple),
    thought=st.none() | st.builds(ThoughtDelta, index=st.integers(0, 2), signature=st.text(max_size=4)),
    citations=st.lists(
        st.builds(
            Citation, url=st.text(max_size=3), start=st.none() | st.integers(0, 9), end=st.none() | st.integers(0, 9)
        ),
        max_size=2,
    ).map(tuple),
)


@settings(max_examples=50)
@given(st.lists(DELTAS, max_size=6), st.sampled_from(["", "alt=sse"]))
def test_any_events_are_written_in_the_official_shape(deltas: list[Delta], query: str) -> None:
    events: list[Any] = [*deltas, Stopped(), Stopped(index=1)]
    data = written(events, query)
    if query:
        objects(data)
    else:
        for piece in json.loads(data):
            types.GenerateContentResponse.model_validate_json(json.dumps(piece))
    types.GenerateContentResponse.model_validate_json(answer(stream=False).whole(fold(events)))
