"""Replies on the OpenAI Chat wire, whole and streamed; the official SDK's models are the judge of what we write."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from noria.core.errors import CallCut, CallFailed, CallGarbled, CallRefused
from noria.core.events import Delta, Event, Started, Stopped, ToolCallDelta, Used
from noria.core.folding import fold
from noria.core.messages import AudioPart, Citation, ImagePart, Message, OtherPart, TextPart, Thought, ToolCall
from noria.core.replies import Choice, Reply, Usage
from noria.core.unfolding import events_of
from noria.wires.openai_chat import StreamDecoder, StreamEncoder, decode_reply, encode_models, encode_reply

TOKEN = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}
text = st.text(max_size=12)
calls = st.builds(
    ToolCall,
    id=st.text(min_size=1, max_size=5),
    name=st.text(min_size=1, max_size=5),
    arguments=text,
    signature=text,
)
plain_messages = st.builds(
    Message,
    role=st.just("assistant"),
    content=text,
    tool_calls=st.lists(calls, max_size=2).map(tuple),
    reasoning=text,
    refusal=text,
)
citation = st.builds(
    Citation, url=st.text(min_size=1), title=text, cited=text, start=st.integers(0, 9), end=st.integers(0, 9)
) | st.builds(Citation, title=text, cited=text, document=st.integers(0, 3), start=st.just(0), end=st.integers(1, 9))
by_url = st.lists(citation, min_size=1, max_size=2).map(lambda found: tuple(sorted(found, key=lambda c: not c.url)))
cited_messages = st.builds(
    lambda said, cited, image: Message(
        role="assistant",
        content=(TextPart(text=said, citations=cited), *((ImagePart(url="data:x"),) if image else ())),
    ),
    st.text(min_size=1, max_size=9),
    by_url,
    st.booleans(),
)
sealed_messages = st.builds(
    lambda said, thought: Message(
        role="assistant",
        content=said,
        thoughts=(Thought(text=thought, signature="s", id="r"), Thought(signature="e", redacted=True, format="f")),
        reasoning=thought,
    ),
    st.text(min_size=1, max_size=9),
    st.text(min_size=1, max_size=9),
)
messages = plain_messages | cited_messages | sealed_messages
choices = st.builds(
    Choice,
    message=messages,
    finish_reason=st.sampled_from(["stop", "length", "tool_calls", "content_filter"]),
    sequence=st.none() | text,
    logprobs=st.none() | st.just({"content": [TOKEN]}),
)
count = st.integers(0, 10**6)
usages = st.builds(
    Usage,
    input_tokens=count,
    output_tokens=count,
    cached_tokens=st.none() | count,
    cache_write_tokens=st.none() | count,
    reasoning_tokens=st.none() | count,
)
replies = st.builds(
    Reply,
    id=text,
    model=st.text(min_size=1, max_size=9),
    choices=st.lists(choices, min_size=1, max_size=3).map(tuple),
    usage=st.none() | usages,
)


def streamed(events: list[Event], *, id: str = "id", usage: bool = True) -> bytes:
    encoder = StreamEncoder(id, 1_700_000_000, usage)
    return b"".join(map(encoder.encode, events)) + encoder.finish()


def chunks_of(stream: bytes) -> list[dict[str, Any]]:
    lines = [line.removeprefix(b"data: ") for line in stream.split(b"\n\n") if line]
    assert lines.pop() == b"[DONE]"
    return [json.loads(line) for line in lines]


def decoded(*pieces: bytes) -> list[Event]:
    decoder = StreamDecoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    decoder.close()
    return events


@given(replies)
def test_a_written_reply_reads_back_and_is_what_the_sdk_expects(reply: Reply) -> None:
    body = encode_reply(reply, id=reply.id, created=1_700_000_000)
    assert decode_reply(body) == reply
    seen = ChatCompletion.model_validate(json.loads(body))
    assert [choice.message.content or "" for choice in seen.choices] == [c.message.text for c in reply.choices]
    assert (seen.usage.total_tokens if seen.usage else None) == (
        reply.usage.input_tokens + reply.usage.output_tokens if reply.usage else None
    )


@given(replies, st.data())
def test_a_streamed_reply_folds_back_for_every_split(reply: Reply, draw: st.DataObject) -> None:
    stream = streamed(list(events_of(reply)), id=reply.id)
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    events = decoded(*(stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)))
    assert events == decoded(stream)
    assert fold(events) == reply


@given(replies)
def test_chunks_are_what_the_sdk_expects(reply: Reply) -> None:
    chunks = [ChatCompletionChunk.model_validate(chunk) for chunk in chunks_of(streamed(list(events_of(reply))))]
    first = {choice.index: choice for chunk in reversed(chunks) for choice in chunk.choices}
    assert all(choice.delta.role == "assistant" for choice in first.values())
    assert bool(chunks[-1].usage) == bool(reply.usage)


def test_a_split_inside_a_character_changes_nothing() -> None:
    stream = streamed([Started(model="m"), Delta(text="größer €😀"), Stopped()])
    stream = stream.replace(json.dumps("größer €😀").encode(), '"größer €😀"'.encode())
    assert "😀".encode() in stream
    for i in range(len(stream)):
        assert decoded(stream[:i], stream[i:]) == decoded(stream)


def test_usage_comes_only_when_asked_for() -> None:
    events: list[Event] = [
        Started(model="m"),
        Delta(text="hi"),
        Stopped(),
        Used(usage=Usage(input_tokens=1, output_tokens=2)),
    ]
    assert all("usage" not in chunk for chunk in chunks_of(streamed(events, usage=False)))
    *others, last = chunks_of(streamed(events))
    assert [chunk["usage"] for chunk in others] == [None, None]
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 3)


def test_llama_cpp_and_others_are_understood() -> None:
    stream = (
        b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1,"id":"c","model":"smol","object":"chat.completion.chunk"}\n\n'
        b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"reasoning_content":"hm"}}],"id":"c","model":"smol"}\n\n'
        b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"reasoning":"m"}}],"id":"c","model":"smol"}\n\n'
        b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":[{"type":"text","text":"Hi"}]}}],"id":"c","model":"smol"}\n\n'
        b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":"{"}}]}}]}\n\n'
        b'data: {"choices":[{"finish_reason":"stop","index":0,"delta":{}}],"id":"c","model":"smol"}\n\n'
        b'data: {"choices":[],"id":"c","usage":{"completion_tokens":2,"prompt_tokens":9,"total_tokens":11,"prompt_tokens_details":{"cached_tokens":4}},"timings":{"prompt_n":5,"predicted_ms":20.5}}\n\n'
        b"data: [DONE]\n\n"
    )
    assert decoded(stream) == [
        Started(id="c", model="smol"),
        Delta(reasoning="hm"),
        Delta(reasoning="m"),
        Delta(text="Hi"),
        Delta(tool_calls=(ToolCallDelta(index=0, id="t", name="f", arguments="{"),)),
        Stopped(reason="stop"),
        Used(usage=Usage(input_tokens=9, output_tokens=2, cached_tokens=4)),
    ]


def test_log_probabilities_survive() -> None:
    event = Delta(text="a", logprobs={"content": [TOKEN]})
    events = [Started(id="id", model="m"), event, Stopped()]
    assert decoded(streamed(list(events))) == events


COMPLETE = streamed(
    [Started(model="m"), Delta(text="Hello"), Stopped(), Used(usage=Usage(input_tokens=1, output_tokens=1))]
)


def test_every_cut_is_noticed() -> None:
    finish = COMPLETE.index(b"\n\n", COMPLETE.index(b'"stop"'))
    for i in range(len(COMPLETE)):
        decoder = StreamDecoder()
        events = list(decoder.feed(COMPLETE[:i]))
        assert not decoder.done
        if i < finish + 2:
            with pytest.raises(CallCut):
                decoder.close()
        else:
            decoder.close()  # the finish reason has come; only the count and the end mark are missing
            assert fold(events).text == "Hello"


def test_done_after_half_a_reply_is_a_cut() -> None:
    decoder = StreamDecoder()
    with pytest.raises(CallCut):
        list(decoder.feed(b'data: {"choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\ndata: [DONE]\n\n'))


def said(*deltas: dict[str, Any], reasons: tuple[str | None, ...] = ()) -> list[bytes]:
    reasons = reasons or (*(None for _ in deltas[1:]), "stop")
    choices = [
        {"index": 0, "delta": delta, "finish_reason": reason} for delta, reason in zip(deltas, reasons, strict=True)
    ]
    return [b"data: " + json.dumps({"id": "1", "choices": [choice]}).encode() + b"\n\n" for choice in choices]


HEL, LO = {"role": "assistant", "content": "Hel"}, {"content": "lo"}
OPEN, BARE = {"role": "assistant", "content": ""}, {"content": "Hel"}


@pytest.mark.parametrize(
    "deltas",
    [(HEL, LO, HEL, LO, {}), (HEL, HEL, LO, {}), (OPEN, BARE, LO, OPEN, BARE, LO, {}), (OPEN, BARE, OPEN, BARE, {})],
)
def test_a_stream_that_begins_again_is_a_failed_call(deltas: tuple[dict[str, Any], ...]) -> None:
    with pytest.raises(CallGarbled, match="began again"):
        decoded(*said(*deltas))


@pytest.mark.parametrize(
    "deltas",
    [
        (HEL, HEL, HEL, {}),  # of a server that names the role in every chunk
        (OPEN, BARE, LO, OPEN, {"content": "Hel", "role": "assistant"}, {}),  # which the server then named again
        (OPEN, BARE, OPEN, LO, {"role": "assistant", "tool_calls": [{"index": 0, "id": "1"}]}, {}),
        (LO, LO, LO, {}),
    ],
)
def test_words_that_come_again_are_no_second_beginning(deltas: tuple[dict[str, Any], ...]) -> None:
    expected = "".join(delta.get("content", "") for delta in deltas)
    assert fold(decoded(*said(*deltas))).text == expected


def test_an_answer_that_goes_on_after_its_end_is_a_failed_call() -> None:
    with pytest.raises(CallGarbled, match="went on"):
        decoded(*said(HEL, LO, {}, LO, {}, reasons=(None, None, "stop", None, "stop")))
    for deltas in ((HEL, LO, LO), (HEL, LO, {"content": ""})):  # a reason in every chunk, and one that comes twice
        reasons = ("stop",) * 3 if deltas[-1]["content"] else (None, "stop", "stop")
        assert fold(decoded(*said(*deltas, reasons=reasons))).complete


def test_nothing_counts_after_the_end_mark() -> None:
    decoder = StreamDecoder()
    seen = list(decoder.feed(COMPLETE))
    assert decoder.done
    assert list(decoder.feed(b'data: {"choices":[{"index":0,"delta":{"content":"more"}}]}\n\n')) == []
    assert fold(seen).text == "Hello"


@pytest.mark.parametrize(
    ("error", "kind", "status", "retryable", "sentence"),
    [
        (
            {"message": "The server is overloaded.", "type": "server_error"},
            CallFailed,
            502,
            True,
            "The server is overloaded.",
        ),
        (
            {"code": 400, "message": "too long", "type": "exceed_context_size_error"},
            CallRefused,
            400,
            False,
            "too long",
        ),
        (
            {"code": "rate_limit_exceeded", "message": "slow", "type": "rate_limit_error"},
            CallRefused,
            429,
            True,
            "slow",
        ),
        ("broken", CallFailed, 502, True, "broken"),
    ],
)
def test_an_error_in_the_stream_raises_at_its_place(
    error: Any, kind: type[CallFailed], status: int, retryable: bool, sentence: str
) -> None:
    decoder = StreamDecoder()
    before = b'data: {"model":"m","choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n'
    seen: list[Event] = []
    with pytest.raises(kind, match=sentence) as raised:
        seen.extend(decoder.feed(before + b"data: " + json.dumps({"error": error}).encode() + b"\n\n"))
    assert seen == [Started(model="m"), Delta(text="Hel")]
    assert (type(raised.value), raised.value.status, raised.value.retryable) == (kind, status, retryable)


def test_our_own_error_chunk_reads_back_as_an_error() -> None:
    encoder = StreamEncoder("id", 1, include_usage=False)
    bytes_ = encoder.encode(Delta(text="Hel")) + encoder.error(CallCut("It broke."))
    assert b"[DONE]" not in bytes_
    decoder = StreamDecoder()
    with pytest.raises(CallFailed, match="It broke"):
        list(decoder.feed(bytes_))


@pytest.mark.parametrize(
    "data", [b"hello", b"[]", b'{"choices":5}', b'{"choices":[{"delta":{"content":"\xe2\x82"}}]}', b"[" * 50_000]
)
def test_garbage_is_a_failed_call(data: bytes) -> None:
    with pytest.raises(CallFailed, match="no chat completion"):
        list(StreamDecoder().feed(b"data: " + data + b"\n\n"))
    with pytest.raises(CallFailed, match="no chat completion"):
        decode_reply(data)


@pytest.mark.parametrize("choices", [[], [{"index": 0, "message": {"content": "Hel"}, "finish_reason": None}]])
def test_half_a_reply_is_neither_read_nor_written(choices: list[Any]) -> None:
    with pytest.raises(CallCut):
        decode_reply(json.dumps({"choices": choices}).encode())
    half = Reply(choices=tuple(Choice(message=Message(role="assistant", content="Hel")) for _ in choices))
    with pytest.raises(CallCut):
        encode_reply(half, id="x", created=1)


def test_an_error_with_status_200_is_an_error() -> None:
    with pytest.raises(CallRefused, match="no such model"):
        decode_reply(b'{"error": {"message": "no such model", "type": "not_found_error"}}')


def test_a_reply_without_counts_has_none() -> None:
    body = {
        "choices": [{"index": 0, "message": {"content": "a"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": None},
    }
    assert decode_reply(json.dumps(body).encode()).usage is None


@pytest.mark.parametrize("wrong", [-1, 2**63, 10**25])
@pytest.mark.parametrize("field", ["prompt_tokens", "completion_tokens"])
def test_a_number_that_no_tokens_can_have_is_no_count(field: str, wrong: int) -> None:
    body: dict[str, Any] = {
        "choices": [{"message": {"content": "a"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1} | {field: wrong},
    }
    reply = decode_reply(json.dumps(body).encode())
    assert (reply.choices[0].message.text, reply.usage) == ("a", None)


def test_details_that_no_tokens_can_have_are_left_out() -> None:
    body: dict[str, Any] = {
        "choices": [{"message": {"content": "a"}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 1,
            "prompt_tokens_details": {"cached_tokens": -1},
            "completion_tokens_details": {"reasoning_tokens": 2**70},
        },
    }
    assert decode_reply(json.dumps(body).encode()).usage == Usage(input_tokens=1, output_tokens=0)


def test_models() -> None:
    listed = json.loads(encode_models(["boolq", "local/smol"], 5))
    assert [(model["id"], model["object"], model["created"]) for model in listed["data"]] == [
        ("boolq", "model", 5),
        ("local/smol", "model", 5),
    ]
    assert listed["object"] == "list"


def test_a_call_is_said_as_a_function_to_those_who_speak_of_functions() -> None:
    call = ToolCall(id="c", name="f", arguments="{}")
    message = Message(role="assistant", tool_calls=(call,))
    reply = Reply(model="m", choices=(Choice(message=message, finish_reason="tool_calls"),))
    [choice] = json.loads(encode_reply(reply, id="x", created=1, functions=True))["choices"]
    assert choice["message"]["function_call"] == {"name": "f", "arguments": "{}"}
    assert choice["finish_reason"] == "function_call"
    encoder = StreamEncoder("x", 1, include_usage=False, functions=True)
    stream = b"".join(map(encoder.encode, events_of(reply))) + encoder.finish()
    [opened, stopped] = [chunk["choices"][0] for chunk in chunks_of(stream)]
    assert opened["delta"] == {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}}
    assert stopped["finish_reason"] == "function_call"
    [back] = fold(decoded(stream)).choices
    assert (back.message.tool_calls, back.finish_reason) == (
        (ToolCall(id="call_0", name="f", arguments="{}"),),
        "tool_calls",
    )


def test_calls_of_custom_tools_are_carried() -> None:
    message = Message(role="assistant", tool_calls=(ToolCall(id="c", name="sql", arguments="select", custom=True),))
    reply = Reply(model="m", choices=(Choice(message=message, finish_reason="tool_calls"),))
    assert decode_reply(encode_reply(reply, id="", created=1)) == reply
    assert fold(decoded(streamed(list(events_of(reply)), id=""))) == reply


def test_spoken_audio_is_read_whole_and_in_pieces() -> None:
    spoken = {"id": "a", "data": "AAEC", "transcript": "hi", "expires_at": 1}
    body = {"choices": [{"index": 0, "message": {"content": None, "audio": spoken}, "finish_reason": "stop"}]}
    message = decode_reply(json.dumps(body).encode(), audio_format="mp3").choices[0].message
    assert message.content == (TextPart(text="hi"), AudioPart(data="AAEC", format="mp3"))
    pieces = [{"id": "a"}, {"transcript": "h"}, {"data": "AA=="}, {"transcript": "i"}, {"data": "AQI="}]
    chunks = [{"choices": [{"index": 0, "delta": {"audio": piece}}]} for piece in pieces]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    events = decoded(b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks))
    assert fold(events).choices[0].message.content == (TextPart(text="hi"), AudioPart(data="AAEC", format="pcm16"))
    [choice] = json.loads(encode_reply(fold(events), id="x", created=5))["choices"]
    assert choice["message"]["content"] is None
    assert choice["message"]["audio"] == {"id": "audio_x", "data": "AAEC", "transcript": "hi", "expires_at": 5}


def test_what_servers_add_is_read() -> None:
    body = {
        "choices": [
            {
                "message": {
                    "content": [
                        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                        {"type": "text", "text": "yes"},
                    ],
                    "images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}],
                },
                "finish_reason": "stop",
                "stop_reason": "END",
            }
        ],
        "usage": {"prompt_tokens": 4, "completion_tokens": 1, "prompt_cache_hit_tokens": 3},
    }
    reply = decode_reply(json.dumps(body).encode())
    [choice] = reply.choices
    assert (choice.message.text, choice.message.reasoning, choice.sequence) == ("yes", "hm", "END")
    assert choice.message.content == (TextPart(text="yes"), ImagePart(url="data:image/png;base64,AA=="))
    assert reply.usage == Usage(input_tokens=4, output_tokens=1, cached_tokens=3)


def test_thinking_without_a_place_among_sealed_blocks_is_not_lost() -> None:
    sealed = [{"type": "reasoning.encrypted", "data": "e", "index": 0}]
    chunk = {
        "choices": [{"index": 0, "delta": {"reasoning": "hm", "reasoning_details": sealed}, "finish_reason": "stop"}]
    }
    [choice] = fold(decoded(b"data: " + json.dumps(chunk).encode() + b"\n\n")).choices
    assert choice.message.reasoning == "hm"
    assert choice.message.thoughts == (Thought(signature="e", redacted=True),)


def test_what_the_wire_has_no_place_for_is_told_all_the_same() -> None:
    odd = OtherPart(data={"type": "web_search_call"})
    message = Message(role="assistant", content=(TextPart(text="a"), odd))
    reply = Reply(model="m", choices=(Choice(message=message, finish_reason="refusal"),))
    [choice] = json.loads(encode_reply(reply, id="x", created=1))["choices"]
    assert choice["message"]["other_parts"] == [{"type": "other", "data": {"type": "web_search_call"}}]
    assert choice["finish_reason"] == "content_filter"
