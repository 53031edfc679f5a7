"""Amazon Bedrock's Converse, both ways; botocore's model of the service is the judge."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.core.errors import CallCut, CallFailed, CallRefused, InvalidInput
from noria.core.events import Event
from noria.core.folding import fold
from noria.core.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    OtherPart,
    TextPart,
    Thought,
    ToolCall,
)
from noria.core.replies import Usage
from noria.core.requests import Parameters, Reasoning, Request, ToEmbed, Tool
from noria.wires.bedrock import Bedrock
from noria.wires.wire import Encoded
from wires.recordings import features, recorded

from .framing import frame, frames_of_botocore, problems, seen_by_botocore, stream

ASK = Request(model="bedrock/m", messages=(Message(role="user", content="hi"),))
STREAMED = [name for name in features("bedrock", "jsonl") if name != "error"]
WEATHER = Tool(
    name="weather", description="Now", parameters={"type": "object", "properties": {"city": {}}}, strict=True
)


def whole(name: str) -> Any:
    return Bedrock().decode_reply(recorded(f"bedrock/{name}.json"), ASK)


def streamed(*pieces: bytes) -> list[Event]:
    decoder = Bedrock().decoder(ASK)
    events: list[Event] = [event for piece in pieces for event in decoder.feed(piece)]
    decoder.close()
    return events


def event(kind: str) -> dict[str, str]:
    return {":message-type": "event", ":event-type": kind, ":content-type": "application/json"}


def sent(request: Request, *, stream: bool = False) -> tuple[dict[str, Any], Encoded]:
    encoded = Bedrock().encode(request, stream=stream, model="anthropic.claude-v2:0")
    body = json.loads(encoded.body)
    assert problems(body) == ""
    return body, encoded


@pytest.mark.parametrize("name", STREAMED)
def test_recorded_replies_are_what_botocore_expects(name: str) -> None:
    seen = seen_by_botocore(recorded(f"bedrock/{name}.json"))
    assert seen["stopReason"]
    assert seen["output"]["message"]["content"]
    kinds = [headers[":event-type"] for headers, _ in frames_of_botocore(stream(name))]
    assert (kinds[0], kinds[-2:]) == ("messageStart", ["messageStop", "metadata"])


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_means_what_the_whole_reply_means(name: str) -> None:
    data = stream(name)
    assert fold(streamed(data)) == whole(name)
    assert streamed(*(data[i : i + 1] for i in range(len(data)))) == streamed(data)


@settings(max_examples=50)
@given(st.sampled_from(STREAMED), st.data())
def test_every_split_of_the_bytes_means_the_same(name: str, draw: st.DataObject) -> None:
    data = stream(name)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(data)), max_size=8)))
    pieces = (data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True))
    assert streamed(*pieces) == streamed(data)


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_that_ends_early_is_cut(name: str) -> None:
    data = stream(name)
    for end in (0, 11, len(data) // 2):
        with pytest.raises(CallCut):
            streamed(data[:end])


@settings(max_examples=50)
@given(st.sampled_from(STREAMED), st.data())
def test_a_byte_that_changed_on_its_way_is_noticed(name: str, draw: st.DataObject) -> None:
    data = bytearray(stream(name))
    data[draw.draw(st.integers(0, len(data) - 1))] ^= draw.draw(st.integers(1, 255))
    with pytest.raises(CallFailed):
        streamed(bytes(data))


@pytest.mark.parametrize(
    ("name", "reason", "text"),
    [
        ("text", "stop", "Grüße aus Tōkyō 🗼"),
        ("length", "length", "One two"),
        ("refusal", "content_filter", "Blocked."),
        ("tools", "tool_calls", "Let me look."),
    ],
)
def test_what_was_said_and_why_it_ended(name: str, reason: str, text: str) -> None:
    [choice] = whole(name).choices
    assert (choice.message.text, choice.finish_reason) == (text, reason)


def test_cached_tokens_are_part_of_the_input() -> None:
    assert whole("text").usage == Usage(input_tokens=110, output_tokens=7, cached_tokens=60, cache_write_tokens=40)


def test_calls_thinking_and_citations() -> None:
    calls = whole("tools").choices[0].message.tool_calls
    assert [(call.id, json.loads(call.arguments)["city"]) for call in calls] == [
        ("tooluse_1", "Oslo"),
        ("tooluse_2", "Tōkyō"),
    ]
    message = whole("thinking").choices[0].message
    assert message.thoughts == (
        Thought(text="6 times 7 is 42.", signature="c2VhbA==", format="anthropic-claude-v1"),
        Thought(signature="aGlkZGVu", redacted=True, format="anthropic-claude-v1"),
    )
    [part] = whole("citations").choices[0].message.content
    [citation] = part.citations
    assert part.text[citation.start : citation.end] == "emperors are tallest"
    assert (citation.title, citation.document, citation.cited) == ("Penguins", 1, "Emperor penguins are the tallest.")


def test_a_streamed_citation_is_about_the_text_of_its_block() -> None:
    cited = {"title": "Site", "source": "https://x.example", "location": {"searchResultLocation": {"start": 0}}}
    unplaced = {"location": {"web": {"url": "https://y.example", "domain": "y.example"}}}
    said = [
        frame(event("contentBlockDelta"), json.dumps(payload).encode())
        for payload in (
            {"contentBlockIndex": 0, "delta": {"text": "One. "}},
            {"contentBlockIndex": 1, "delta": {"text": "Two"}},
            {"contentBlockIndex": 1, "delta": {"citation": cited}},
            {"contentBlockIndex": 1, "delta": {"text": "."}},
            {"contentBlockIndex": 2, "delta": {"citation": unplaced}},
        )
    ]
    end = frame(event("messageStop"), b'{"stopReason": "end_turn"}')
    [part] = fold(streamed(frame(event("messageStart"), b"{}"), *said, end)).choices[0].message.content
    found = [(citation.url, citation.start, citation.end) for citation in part.citations]
    assert (part.text, found) == ("One. Two.", [("https://x.example", 5, 9), ("https://y.example", None, None)])


def test_an_image_that_could_not_be_made_is_no_answer() -> None:
    blocked = {"contentBlockIndex": 0, "delta": {"image": {"error": {"message": "blocked"}}}}
    stop = frame(event("contentBlockStop"), b'{"contentBlockIndex": 0}')
    with pytest.raises(CallFailed, match="made no image: blocked"):
        streamed(frame(event("contentBlockDelta"), json.dumps(blocked).encode()), stop)


def test_thinking_goes_back_as_it_came() -> None:
    said = whole("thinking").choices[0].message
    body, _ = sent(Request(model="m", messages=(*ASK.messages, said)))
    assert (
        body["messages"][1]["content"] == json.loads(recorded("bedrock/thinking.json"))["output"]["message"]["content"]
    )


@pytest.mark.parametrize("thought", [Thought(text="hm"), Thought(text="hm", signature="x", format="google-gemini-v1")])
def test_thinking_that_its_models_have_not_signed_is_left_out_and_told(thought: Thought) -> None:
    message = Message(role="assistant", content="So.", thoughts=(thought,), reasoning="hm")
    for said in (message, msgspec.structs.replace(message, thoughts=())):
        body, encoded = sent(Request(model="m", messages=(*ASK.messages, said)))
        assert encoded.dropped == ("thinking",)
        assert body["messages"][1]["content"] == [{"text": "So."}]


def test_exceptions_in_a_stream_and_before_it() -> None:
    with pytest.raises(CallRefused, match="Too many tokens") as failure:
        streamed(stream("error"))
    assert (failure.value.status, failure.value.retryable) == (429, True)
    refusal = Bedrock().decode_error(400, {}, recorded("bedrock/error.json"))
    assert isinstance(refusal, CallRefused)
    assert "model identifier is invalid" in str(refusal)
    internal = frame({":message-type": "error", ":error-code": "X", ":error-message": "gone"}, b"{}")
    with pytest.raises(CallFailed, match="gone"):
        streamed(internal)


def test_a_conversation_with_everything() -> None:
    png = "data:image/png;base64,iVBORw0KGgo="
    body, encoded = sent(
        Request(
            model="m",
            messages=(
                Message(role="system", content=(TextPart(text="Be brief.", cache="1h"),)),
                Message(
                    role="user",
                    content=(
                        TextPart(text="What?", cache="5m"),
                        ImagePart(url=png),
                        FilePart(url="data:application/pdf;base64,JVBERg==", name="a/b.pdf", cite=True),
                        FilePart(url="data:text/plain,two%21"),
                        AudioPart(data="AAAA", format="wav"),
                    ),
                ),
                Message(role="user", content="Well?"),
                Message(role="assistant", content="", tool_calls=(ToolCall(id="c1", name="weather", arguments="{}"),)),
                Message(role="tool", tool_call_id="c1", content="cold", tool_failed=True),
            ),
            params=Parameters(
                max_tokens=9, temperature=0.5, top_p=0.5, stop=("x",), reasoning=Reasoning(tokens=3000),
                response_schema={"type": "object"}, extra={"additionalModelRequestFields": {"top_k": 5}},
            ),
            tools=(WEATHER,),
            tool_choice={"type": "function", "function": {"name": "weather"}},
        ),
        stream=True,
    )  # fmt: skip
    assert encoded.path == "/model/anthropic.claude-v2%3A0/converse-stream"
    assert body == {
        "additionalModelRequestFields": {"top_k": 5},
        "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default", "ttl": "1h"}}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"text": "What?"},
                    {"cachePoint": {"type": "default"}},
                    {"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}},
                    {
                        "document": {
                            "format": "pdf",
                            "name": "a b pdf",
                            "source": {"bytes": "JVBERg=="},
                            "citations": {"enabled": True},
                        }
                    },
                    {"document": {"format": "txt", "name": "document", "source": {"bytes": "dHdvIQ=="}}},
                    {"audio": {"format": "wav", "source": {"bytes": "AAAA"}}},
                    {"text": "Well?"},
                ],
            },
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "c1", "name": "weather", "input": {}}}]},
            {
                "role": "user",
                "content": [{"toolResult": {"toolUseId": "c1", "content": [{"text": "cold"}], "status": "error"}}],
            },
        ],
        "inferenceConfig": {"maxTokens": 9, "temperature": 0.5, "topP": 0.5, "stopSequences": ["x"]},
        "toolConfig": {
            "tools": [
                {
                    "toolSpec": {
                        "name": "weather",
                        "description": "Now",
                        "inputSchema": {"json": WEATHER.parameters},
                        "strict": True,
                    }
                }
            ],
            "toolChoice": {"tool": {"name": "weather"}},
        },
        "outputConfig": {
            "textFormat": {
                "type": "json_schema",
                "structure": {"jsonSchema": {"schema": '{"type":"object"}', "name": "reply"}},
            },
            "effort": "medium",
        },
    }


@pytest.mark.parametrize(
    ("choice", "expected"), [("auto", None), ("required", {"any": {}}), (None, None), ("none", "no tools")]
)
def test_tools_and_whether_they_must_be_called(choice: Any, expected: Any) -> None:
    body, _ = sent(msgspec.structs.replace(ASK, tools=(WEATHER,), tool_choice=choice))
    if expected == "no tools":
        assert "toolConfig" not in body
    else:
        assert body["toolConfig"].get("toolChoice") == expected


def test_what_is_done_in_another_way_is_said() -> None:
    late = Request(model="m", messages=(*ASK.messages, Message(role="developer", content="Now in French.")))
    body, encoded = sent(late)
    assert (body["system"], encoded.emulated) == ([{"text": "Now in French."}], ("system",))
    _, encoded = sent(msgspec.structs.replace(ASK, params=Parameters(response_json=True)))
    assert encoded.emulated == ("response_json",)


PAST = Message(role="assistant", tool_calls=(ToolCall(id="c", name="weather", arguments="{}"),))


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("n", msgspec.structs.replace(ASK, n=2)),
        ("top_k", msgspec.structs.replace(ASK, params=Parameters(top_k=2))),
        ("seed", msgspec.structs.replace(ASK, params=Parameters(seed=2))),
        ("logprobs", msgspec.structs.replace(ASK, params=Parameters(logprobs=0))),
        ("presence_penalty", msgspec.structs.replace(ASK, params=Parameters(presence_penalty=0.5))),
        ("frequency_penalty", msgspec.structs.replace(ASK, params=Parameters(frequency_penalty=0.5))),
        ("parallel_tools", msgspec.structs.replace(ASK, params=Parameters(parallel_tools=False))),
        ("tools", msgspec.structs.replace(ASK, tools=(Tool(name="x", hosted={"type": "web_search"}),))),
        ("tool_choice", Request(model="m", messages=(*ASK.messages, PAST), tools=(WEATHER,), tool_choice="none")),
        ("tool_choice", msgspec.structs.replace(ASK, tools=(WEATHER,), tool_choice={"type": "allowed_tools"})),
        ("name", Request(model="m", messages=(Message(role="user", content="x", name="Ada"),))),
        ("image", Request(model="m", messages=(Message(role="user", content=(ImagePart(url="https://x"),)),))),
        ("file", Request(model="m", messages=(Message(role="user", content=(FilePart(url="https://x"),)),))),
        ("video", Request(model="m", messages=(Message(role="user", content=(OtherPart(data={"type": "video"}),)),))),
        ("tier", msgspec.structs.replace(ASK, wire="openai_chat", unread={"tier": 1})),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name_or_left_out_where_allowed(name: str, request_: Request) -> None:
    with pytest.raises(InvalidInput, match=f"`{name}` can't be carried to Bedrock"):
        sent(request_)
    _, encoded = sent(msgspec.structs.replace(request_, may_drop=(name,)))
    assert encoded.dropped == (name,)


def test_arguments_must_be_an_object_and_vectors_are_not_to_be_had() -> None:
    broken = Message(role="assistant", tool_calls=(ToolCall(id="c", name="f", arguments='{"a":'),))
    with pytest.raises(InvalidInput, match="arguments of the call of `f`"):
        sent(Request(model="m", messages=(*ASK.messages, broken)))
    with pytest.raises(InvalidInput, match="no embeddings"):
        sent(Request(model="m", embed=ToEmbed(inputs=("a",))))


@given(st.binary(max_size=60))
def test_bytes_of_any_kind_are_refused_and_nothing_else(body: bytes) -> None:
    with pytest.raises(CallFailed):
        Bedrock().decode_reply(body, ASK)
    for data in (body, frame({":message-type": "event", ":event-type": "messageStop"}, body)):
        with pytest.raises(CallFailed):
            streamed(data)


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60)
@given(st.sampled_from(STREAMED), st.data())
def test_a_reply_with_anything_anywhere_is_read_or_refused(name: str, draw: st.DataObject) -> None:
    reply = json.loads(recorded(f"bedrock/{name}.json"))
    place: Any = reply
    while True:
        key = draw.draw(st.sampled_from(list(place) if isinstance(place, dict) else list(range(len(place)))))
        if not isinstance(place[key], dict | list) or not place[key] or draw.draw(st.booleans()):
            place[key] = draw.draw(JSON)
            break
        place = place[key]
    with contextlib.suppress(CallFailed):
        Bedrock().decode_reply(json.dumps(reply).encode(), ASK)
    block = frame({":message-type": "event", ":event-type": "contentBlockDelta"}, json.dumps({"delta": reply}).encode())
    with contextlib.suppress(CallFailed):
        streamed(block)
