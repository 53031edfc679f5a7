"""Replies of Google as events. The recordings are in the shape of the official client's own types, which check them."""

from __future__ import annotations

import collections
import contextlib
import itertools
import json
from typing import Any

import pytest
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.core.errors import CallCut, CallFailed, CallGarbled, CallRefused
from noria.core.events import Content, Delta, Embedded, Started, Stopped, Used
from noria.core.folding import Fold, fold
from noria.core.messages import ImagePart, Message, OtherPart, TextPart, Thought, ToolCall
from noria.core.replies import Reply
from noria.core.requests import Request, ToEmbed
from noria.core.unfolding import events_of
from noria.wires.google import Google, StreamDecoder
from noria.wires.google.errors import decode_error
from wires.recordings import features, recorded

OTHERS = {"embed", "embed_vertex", "error", "wrong_key"}
WHOLE = [name for name in features("google", "json") if name not in OTHERS]
STREAMED = [name for name in features("google", "sse") if name not in OTHERS]
ASKED = Request(model="google/gemini-2.5-flash", messages=(Message(role="user", content="Why?"),))


def whole(name: str, request: Request = ASKED) -> Reply:
    return Google().decode_reply(recorded(f"google/{name}.json"), request)


def streamed(data: bytes, pieces: list[int] | None = None) -> list[Content]:
    decoder = StreamDecoder(ASKED)
    events: list[Content] = []
    bounds = sorted({0, len(data), *(at % (len(data) + 1) for at in pieces or ())})
    for start, end in itertools.pairwise(bounds):
        events += decoder.feed(data[start:end])
    decoder.close()
    return events


@pytest.mark.parametrize("name", WHOLE)
def test_whole_recordings_are_in_the_official_shape(name: str) -> None:
    types.GenerateContentResponse.model_validate_json(recorded(f"google/{name}.json"))
    assert whole(name).complete


@pytest.mark.parametrize("name", STREAMED)
def test_streamed_recordings_are_in_the_official_shape(name: str) -> None:
    for line in recorded(f"google/{name}.sse").decode().split("\r\n\r\n")[:-1]:
        types.GenerateContentResponse.model_validate_json(line.removeprefix("data: "))


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_says_what_the_whole_reply_says(name: str) -> None:
    reply, other = fold(streamed(recorded(f"google/{name}.sse"))), whole(name)
    assert reply.complete
    assert reply.usage is not None
    if name in {"blocked", "citations", "logprobs", "n", "thinking"}:
        assert reply == other


@given(pieces=st.lists(st.integers(min_value=0), max_size=12), name=st.sampled_from(STREAMED))
def test_any_split_of_the_bytes_gives_the_same_events(pieces: list[int], name: str) -> None:
    data = recorded(f"google/{name}.sse")
    assert streamed(data, pieces) == streamed(data)


@pytest.mark.parametrize("name", STREAMED)
def test_byte_by_byte(name: str) -> None:
    data = recorded(f"google/{name}.sse")
    assert streamed(data, list(range(len(data)))) == streamed(data)


@pytest.mark.parametrize("name", [name for name in STREAMED if name != "blocked"])
def test_a_stream_that_ends_before_its_finish_reason_is_cut(name: str) -> None:
    data = recorded(f"google/{name}.sse")
    last = data[: data.rindex(b"data: ", 0, data.rindex(b"finishReason"))]
    decoder = StreamDecoder(ASKED)
    list(decoder.feed(last))
    assert not decoder.done
    with pytest.raises(CallCut):
        decoder.close()


def test_an_answer_that_goes_on_after_its_end_fails_and_one_that_only_ends_twice_does_not() -> None:
    said = recorded("google/text.sse")
    *_, last = (event for event in said.split(b"\r\n\r\n") if event)
    closing = b'data: {"candidates": [{"content": {"parts": [{"text": "", "thoughtSignature": "c2lnbg=="}]}, "finishReason": "STOP"}]}\r\n\r\n'
    assert fold(streamed(said + closing)).text == fold(streamed(said)).text
    for more in (said, b'data: {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}}]}\r\n\r\n'):
        with pytest.raises(CallGarbled, match="went on|began again"):
            streamed(said + more)
    assert b"finishReason" in last


def test_a_stream_that_begins_again_fails_where_its_counts_or_its_id_show_it() -> None:
    first, second, last = (event + b"\r\n\r\n" for event in recorded("google/text.sse").split(b"\r\n\r\n") if event)
    with pytest.raises(CallGarbled, match="began again"):
        streamed(first + second + first + second + last)
    with pytest.raises(CallGarbled, match="another response"):
        streamed(first + second + first.replace(b"mcpx", b"other") + second + last)
    one_for_each = first.replace(b"mcpx", b"a") + second.replace(b"mcpx", b"b") + last.replace(b"mcpx", b"c")
    assert fold(streamed(one_for_each)).text == fold(streamed(first + second + last)).text


def test_a_first_piece_that_comes_twice_fails_where_its_tokens_were_counted() -> None:
    first, second, last = (event + b"\r\n\r\n" for event in recorded("google/text.sse").split(b"\r\n\r\n") if event)
    assert streamed(first + first + second + last), "without a count it may be the model that repeats itself"
    counted = first.replace(b'"totalTokenCount": 9', b'"candidatesTokenCount": 4, "totalTokenCount": 13')
    with pytest.raises(CallGarbled, match="began again"):
        streamed(counted + counted + second + last)
    grown = counted.replace(b'"candidatesTokenCount": 4', b'"candidatesTokenCount": 8')
    assert fold(streamed(counted + grown + last)).text == "A noria lifts waA noria lifts wa."
    assert streamed(counted + grown.replace(b": 8", b": 4").replace(b"lifts", b"turns") + last)
    silent = counted.replace(b"A noria lifts wa", b"")
    assert streamed(silent + silent + second + last), "nothing was said, so nothing was repeated"


def test_text_and_tokens() -> None:
    events = streamed(recorded("google/text.sse"))
    assert events[0] == Started(id="mcpxaMWGLbK9kdUPqo6ZuAk", model="gemini-2.5-flash")
    assert [event.text for event in events if isinstance(event, Delta)][1].startswith("ter — größer 🌊")
    assert isinstance(events[-2], Stopped)
    assert events[-2].reason == "stop"
    [used] = [event.usage for event in events if isinstance(event, Used)]
    assert (used.input_tokens, used.output_tokens, used.cached_tokens) == (9, 11, 4)


def test_parallel_calls_get_ids_where_they_have_none_and_keep_their_seals() -> None:
    [choice] = whole("tools").choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls == (
        ToolCall(
            id="noria_call_0",
            name="get_weather",
            arguments='{"city":"Hama","days":3}',
            signature="CtQBAVSoXO4wYsJ/u+zVZ0aSIG0=",
        ),
        ToolCall(id="noria_call_1", name="get_time", arguments="{}"),
    )
    usage = whole("tools").usage
    assert usage is not None
    assert (usage.output_tokens, usage.reasoning_tokens) == (115, 88)
    [later] = whole("tools", Request(model="m", messages=(choice.message,))).choices
    assert [call.id for call in later.message.tool_calls] == ["noria_call_2", "noria_call_3"]
    [streamed_choice] = fold(streamed(recorded("google/tools.sse"))).choices
    assert [call.id for call in streamed_choice.message.tool_calls] == ["nr1p4w2m", "kd93hs0a"]


def test_thinking_is_apart_and_its_seal_has_its_place() -> None:
    [choice] = fold(streamed(recorded("google/thinking.sse"))).choices
    assert choice.message.text == "Because the stream turns it."
    assert choice.message.thoughts == (
        Thought(text="**Weighing it**\n\nThe wheel turns by itself."),
        Thought(signature="CiQBVKhc7kPq+/7vc2VhbP8=", at=1, format="google-gemini-v1"),
    )


def test_citations_count_in_characters() -> None:
    [choice] = whole("citations").choices
    assert isinstance(choice.message.content, tuple)
    [part] = choice.message.content
    assert isinstance(part, TextPart)
    assert [part.text[c.start : c.end] for c in part.citations] == ["Größe: 21 m.", "Built in 1453.", "Built in 1453."]
    assert [c.title for c in part.citations] == ["hama.example", "hama.example", "wheels.example"]
    usage = whole("citations").usage
    assert usage is not None
    assert usage.input_tokens == 354  # what the search read, too


@pytest.mark.parametrize(
    "segment",
    [
        {"partIndex": 2, "startIndex": 12, "endIndex": 30, "text": "the grass is green"},
        {"startIndex": 27, "endIndex": 45, "text": "the grass is green"},  # in the whole text, as where it streams
        {"partIndex": 2, "startIndex": 12, "endIndex": 30},
    ],
)
def test_claims_are_found_in_their_part_or_in_the_whole(segment: dict[str, Any]) -> None:
    body = json.loads(recorded("google/cited_order.json"))
    body["candidates"][0]["groundingMetadata"]["groundingSupports"][0]["segment"] = segment
    [choice] = Google().decode_reply(json.dumps(body).encode(), ASKED).choices
    first, call, second = choice.message.pieces
    assert isinstance(first, TextPart)
    assert isinstance(call, ToolCall)
    assert isinstance(second, TextPart)
    assert [second.text[c.start : c.end] for c in second.citations] == ["the grass is green"]
    assert first.citations == ()


def test_log_probabilities_are_in_openais_shape() -> None:
    [choice] = whole("logprobs").choices
    assert choice.logprobs is not None
    first = choice.logprobs["content"][0]
    assert first["token"] == "Wa"
    assert first["logprob"] == -0.0123
    assert first["top_logprobs"][1] == {"token": "St", "logprob": -4.5, "bytes": [83, 116]}


@pytest.mark.parametrize(
    ("name", "reason"),
    [("safety", "content_filter"), ("malformed", "MALFORMED_FUNCTION_CALL"), ("blocked", "content_filter")],
)
def test_answers_that_are_none_say_why(name: str, reason: str) -> None:
    [choice] = whole(name).choices
    assert choice.finish_reason == reason


def test_a_blocked_prompt_is_a_refusal() -> None:
    assert whole("blocked").choices[0].message.refusal == "The prompt was blocked: PROHIBITED_CONTENT."


def test_several_candidates() -> None:
    assert [(choice.message.text, choice.finish_reason) for choice in whole("n").choices] == [
        ("One.", "stop"),
        ("Two", "length"),
    ]


def test_code_and_images_stay_in_the_answer() -> None:
    [code] = whole("hosted_tools").choices
    assert isinstance(code.message.content, tuple)
    assert [type(part) for part in code.message.content] == [OtherPart, OtherPart, TextPart]
    [image] = whole("image").choices
    assert isinstance(image.message.content, tuple)
    assert image.message.content[1] == ImagePart(url="data:image/png;base64,iVBORw0KGgoAAAANSUhEUg==")
    assert image.message.thoughts == (Thought(signature="CiQBVKhc7kPq+/7vc2VhbP8=", at=2, format="google-gemini-v1"),)


@pytest.mark.parametrize("name", WHOLE)
def test_a_reply_survives_being_replayed(name: str) -> None:
    assert fold(events_of(whole(name))) == whole(name)


@pytest.mark.parametrize(("name", "vertex"), [("embed", False), ("embed_vertex", True)])
def test_vectors(name: str, vertex: bool) -> None:
    wanted = Request(model="m", embed=ToEmbed(inputs=("a", "b")))
    reply = Google(vertex=vertex).decode_reply(recorded(f"google/{name}.json"), wanted)
    assert reply.vectors == ((0.013, -0.008, 0.042), (-0.021, 0.017, 0.005))
    assert (reply.usage.input_tokens if reply.usage else None) == (9 if vertex else None)
    with pytest.raises(CallCut, match="2 vectors for 1"):
        Google().decode_reply(recorded(f"google/{name}.json"), Request(model="m", embed=ToEmbed(inputs=("a",))))
    if not vertex:
        types.EmbedContentResponse.model_validate_json(recorded(f"google/{name}.json"))
    assert isinstance(next(iter(events_of(reply))), Started)
    assert sum(isinstance(event, Embedded) for event in events_of(reply)) == 2


def test_errors_say_how_long_to_wait_and_whose_key_is_wrong() -> None:
    quota = decode_error(429, {}, recorded("google/error.json"))
    assert isinstance(quota, CallRefused)
    assert (quota.status, quota.retryable, quota.retry_after_s) == (429, True, 28.5)
    daily = recorded("google/error.json").replace(b"PerMinute", b"PerDay")
    assert not decode_error(429, {}, daily).retryable
    listed = decode_error(429, {"Retry-After": "7"}, b"[" + recorded("google/error.json") + b"]")
    assert (listed.retry_after_s, "current quota" in str(listed)) == (7.0, True)
    wrong = decode_error(400, {}, recorded("google/wrong_key.json"))
    assert (wrong.status, wrong.retryable) == (401, False)


def test_an_error_in_the_middle_of_a_stream() -> None:
    decoder, state, data = StreamDecoder(ASKED), Fold(), recorded("google/error.sse")
    with pytest.raises(CallFailed, match="overloaded") as caught:
        collections.deque(map(state.take, decoder.feed(data)), 0)
    assert caught.value.retryable
    assert state.reply().text == "A noria lifts wa"


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
PARTS = st.dictionaries(
    st.sampled_from(["text", "thought", "thoughtSignature", "functionCall", "inlineData", "fileData", "x"]),
    JSON | st.fixed_dictionaries({"name": JSON, "args": JSON, "mimeType": JSON, "data": JSON, "fileUri": JSON}),
    max_size=3,
)
CANDIDATES = st.fixed_dictionaries(
    {"content": st.none() | st.fixed_dictionaries({"parts": st.lists(PARTS, max_size=3)})},
    optional={
        "index": st.integers(0, 2),
        "finishReason": st.sampled_from(["STOP", "MAX_TOKENS", "NEW"]),
        "groundingMetadata": st.fixed_dictionaries({"groundingChunks": JSON, "groundingSupports": JSON}),
        "citationMetadata": st.fixed_dictionaries({"citations": JSON}),
    },
)


@settings(max_examples=50)
@given(
    body=JSON
    | st.fixed_dictionaries(
        {"candidates": st.lists(CANDIDATES, max_size=3)}, optional={"error": JSON, "promptFeedback": JSON}
    )
)
def test_whatever_a_provider_sends_only_its_failure_comes_out(body: Any) -> None:
    data = json.dumps(body).encode()
    for read in (
        lambda: Google().decode_reply(data, ASKED),
        lambda: list(StreamDecoder(ASKED).feed(b"data: " + data + b"\n\n")),
        lambda: Google().decode_reply(data, Request(model="m", embed=ToEmbed(inputs=("a",)))),
    ):
        with contextlib.suppress(CallFailed):
            read()
    assert isinstance(decode_error(400, {}, data), CallFailed)
