"""What Anthropic answers, whole and streamed, and what callers of its dialect get; the official SDK's types are the judge."""

import json
from typing import Any

import anthropic.types as sdk
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from noria.core.errors import CallCut, CallFailed, CallRefused
from noria.core.events import Delta, Event, Raw, Started, Stopped, ThoughtDelta, ToolCallDelta, Used
from noria.core.folding import fold
from noria.core.messages import Citation, ImagePart, Message, TextPart, Thought, ToolCall
from noria.core.replies import Choice, Reply, Usage
from noria.core.requests import Request
from noria.core.unfolding import events_of
from noria.wires.anthropic import SHOWS, Anthropic, Messages, StreamDecoder, decode_reply, decode_request, encode_reply
from wires.recordings import features, recorded

ASK = Request(model="anthropic/claude-sonnet-4-5")
STREAMED = [name for name in features("anthropic", "sse") if name != "error"]
EVENT: TypeAdapter[Any] = TypeAdapter(sdk.RawMessageStreamEvent)
BODY = b'{"model":"m","max_tokens":9,"messages":[]}'


def whole(name: str) -> Reply:
    return decode_reply(recorded(f"anthropic/{name}.json"))


def streamed(*pieces: bytes) -> list[Event]:
    decoder = StreamDecoder()
    events: list[Event] = [event for piece in pieces for event in decoder.feed(piece)]
    decoder.close()
    return events


def told(events: Any) -> bytes:
    """The stream that a caller gets."""
    answer = Messages().decode(BODY, path={}, id="1", created=1).answer
    return b"".join(map(answer.encode, events)) + answer.finish()


def seen(stream: bytes) -> list[Any]:
    """The stream's events, as the official client reads them."""
    found = []
    for block in stream.split(b"\n\n"):
        if block and not block.startswith(b"event: ping"):
            kind, data = block.split(b"\ndata: ")
            found.append(EVENT.validate_json(data))
            assert kind.decode() == f"event: {found[-1].type}"
    return found


@pytest.mark.parametrize("name", STREAMED)
def test_recorded_replies_are_what_the_official_client_expects(name: str) -> None:
    message = sdk.Message.model_validate_json(recorded(f"anthropic/{name}.json"))
    assert message.stop_reason
    assert seen(recorded(f"anthropic/{name}.sse"))[-1].type == "message_stop"


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_means_what_the_whole_reply_means(name: str) -> None:
    stream = recorded(f"anthropic/{name}.sse")
    reply, expected = fold(streamed(stream)), whole(name)
    for one, other in zip(reply.choices[0].message.tool_calls, expected.choices[0].message.tool_calls, strict=True):
        assert json.loads(one.arguments) == json.loads(other.arguments)
    assert reply.choices[0].message.thoughts == expected.choices[0].message.thoughts
    assert reply.choices[0].message.content == expected.choices[0].message.content
    assert (reply.usage, reply.id, reply.choices[0].finish_reason) == (
        expected.usage, expected.id, expected.choices[0].finish_reason,
    )  # fmt: skip
    assert streamed(*(stream[i : i + 1] for i in range(len(stream)))) == streamed(stream)


@given(st.sampled_from(STREAMED), st.data())
def test_every_split_of_the_bytes_gives_the_same_events(name: str, draw: st.DataObject) -> None:
    stream = recorded(f"anthropic/{name}.sse")
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    assert streamed(*(stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True))) == streamed(stream)


@pytest.mark.parametrize("name", STREAMED)
def test_what_was_said_is_said_again_in_the_same_words(name: str) -> None:
    """Anthropic's reply, read and written: whole and streamed, for the official client."""
    expected = sdk.Message.model_validate_json(recorded(f"anthropic/{name}.json"))
    again = sdk.Message.model_validate_json(encode_reply(whole(name), id=expected.id))
    events = seen(told(streamed(recorded(f"anthropic/{name}.sse"))))
    ends = {event.type: event for event in events}
    assert again.stop_reason == ends["message_delta"].delta.stop_reason == expected.stop_reason
    assert again.stop_sequence == ends["message_delta"].delta.stop_sequence == expected.stop_sequence
    for usage in (again.usage, ends["message_delta"].usage):
        assert usage.input_tokens == expected.usage.input_tokens
        assert usage.cache_read_input_tokens == expected.usage.cache_read_input_tokens
        assert usage.output_tokens == expected.usage.output_tokens
    if name == "refusal":
        return  # the classifier's words come as a block of text
    assert [block.to_dict() for block in again.content] == [block.to_dict() for block in expected.content]
    opened = [event.content_block.type for event in events if event.type == "content_block_start"]
    if name not in {"citations", "cited_order"}:  # what a text rests on comes after it, and can't part it then
        assert opened == [block.type for block in expected.content]


def test_bytes_of_the_same_wire_pass_untouched() -> None:
    stream = recorded("anthropic/tools.sse")
    decoder = StreamDecoder()
    pieces = [piece + b"\n\n" for piece in stream.split(b"\n\n") if piece]
    raw = [Raw(wire="anthropic", data=piece, events=tuple(decoder.feed(piece))) for piece in pieces]
    assert told(raw) == stream
    without_end = told(raw[:-1])
    assert without_end.startswith(b"".join(pieces[:-1]))
    assert [event.type for event in seen(without_end)].count("message_stop") == 1
    elsewhere = told([Raw(wire="openai_chat", data=b"x", events=tuple(streamed(stream)))])  # type: ignore[arg-type]  # contents
    assert elsewhere == told(streamed(stream))


def test_whoever_goes_on_after_raw_bytes_continues_the_same_message() -> None:
    stream = recorded("anthropic/text.sse")
    cut = stream.index(b"event: content_block_stop")
    begun = Raw(wire="anthropic", data=stream[:cut], events=tuple(StreamDecoder().feed(stream[:cut])))
    events = seen(
        told([begun, Delta(text=" And more."), Stopped(), Used(usage=Usage(input_tokens=1, output_tokens=2))])
    )
    assert [(e.type, e.index) for e in events if e.type in {"content_block_start", "content_block_stop"}] == [
        ("content_block_start", 0), ("content_block_stop", 0), ("content_block_start", 1), ("content_block_stop", 1),
    ]  # fmt: skip


# -- other models' replies, in Anthropic's words

text = st.text(max_size=12)
some = st.text(min_size=1, max_size=12)
arguments = st.dictionaries(text, st.integers() | text, max_size=2).map(json.dumps)
calls = st.builds(
    ToolCall,
    id=st.from_regex(r"[a-zA-Z0-9_-]{1,9}", fullmatch=True),
    name=some,
    arguments=arguments,
    signature=st.just("") | st.text("abc=", min_size=1, max_size=5),
)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    said, asked = draw(text), tuple(draw(st.lists(calls, max_size=3)))
    places = sorted(draw(st.lists(st.integers(0, len(asked) + bool(said)), max_size=2)))
    thoughts = tuple(
        Thought(
            text="" if hidden else draw(some),
            signature=draw(st.text("abc=", min_size=1)),
            redacted=hidden,
            at=place,
            format=draw(st.sampled_from(["anthropic-claude-v1", "google-gemini-v1"])),
        )
        for place in places
        for hidden in [draw(st.booleans())]
    )
    reasoning = "".join(thought.text for thought in thoughts)
    return Message(role="assistant", content=said, tool_calls=asked, thoughts=thoughts, reasoning=reasoning)


count = st.integers(0, 10**6)
replies = st.builds(
    Reply,
    id=st.just("msg_1"),
    model=some,
    choices=st.builds(
        Choice, message=messages(), finish_reason=st.sampled_from(["length", "tool_calls", "refusal", "pause_turn"])
    ).map(lambda choice: (choice,)),
    usage=st.builds(
        Usage, input_tokens=st.integers(2 * 10**6, 10**7), output_tokens=count, cached_tokens=st.none() | count,
        cache_write_tokens=st.none() | count, reasoning_tokens=st.none() | count,
    ),
)  # fmt: skip


def without_seals(reply: Reply) -> Reply:
    """The seal of another provider's tool call comes back as thinking; only a whole conversation puts it in its place."""
    message = reply.choices[0].message
    return fold([
        *events_of(Reply(id=reply.id, model=reply.model)),
        *(Delta(tool_calls=(ToolCallDelta(index=i, id=c.id, name=c.name, arguments=c.arguments),)) for i, c in enumerate(message.tool_calls)),
    ])  # fmt: skip


@given(replies)
def test_a_written_reply_reads_back_whole_and_streamed(reply: Reply) -> None:
    body = encode_reply(reply, id=reply.id)
    sdk.Message.model_validate_json(body)
    stream = told(list(events_of(reply)))
    assert seen(stream)[-1].type == "message_stop"
    for read in (decode_reply(body), fold(streamed(stream))):
        assert (read.model, read.usage) == (reply.model, reply.usage)
        assert read.choices[0].finish_reason == reply.choices[0].finish_reason
        assert read.text == reply.text
        assert [(c.id, c.name, json.loads(c.arguments)) for c in read.choices[0].message.tool_calls] == [
            (c.id, c.name, json.loads(c.arguments)) for c in reply.choices[0].message.tool_calls
        ]


@given(messages())
def test_what_a_client_sends_back_is_what_was_said(message: Message) -> None:
    """A reply of any model, with its seals, as Anthropic's client appends it to the conversation."""
    reply = Reply(choices=(Choice(message=message, finish_reason="stop"),))
    for content in (
        json.loads(encode_reply(reply, id="x"))["content"],
        sdk_content(told(list(events_of(reply)))),
    ):
        body = {"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": content}]}
        [back] = decode_request(json.dumps(body).encode()).messages
        assert (back.text, back.reasoning, back.thoughts) == (message.text, message.reasoning, message.thoughts)
        assert [(c.id, c.name, c.signature, json.loads(c.arguments)) for c in back.tool_calls] == [
            (c.id, c.name, c.signature, json.loads(c.arguments)) for c in message.tool_calls
        ]


def sdk_content(stream: bytes) -> list[dict[str, Any]]:
    """The blocks that a client puts together."""
    blocks: list[dict[str, Any]] = []
    for event in seen(stream):
        match event.type:
            case "content_block_start":
                assert event.index == len(blocks)
                blocks.append(event.content_block.to_dict() | {"json": ""})
            case "content_block_delta":
                block, delta = blocks[event.index], event.delta
                match delta.type:
                    case "text_delta":
                        block["text"] += delta.text
                    case "thinking_delta":
                        block["thinking"] += delta.thinking
                    case "signature_delta":
                        block["signature"] += delta.signature
                    case "input_json_delta":
                        block["json"] += delta.partial_json
    for block in blocks:
        if written := block.pop("json"):
            block["input"] = json.loads(written)
    return blocks


def test_thinking_that_nobody_signed_is_shown_and_comes_back() -> None:
    reply = fold([Delta(reasoning="hm"), Delta(text="yes"), Stopped()])
    [thinking, answer] = json.loads(encode_reply(reply, id="x"))["content"]
    assert thinking == {"type": "thinking", "thinking": "hm", "signature": ""}
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": [thinking, answer]}]}
    [back] = decode_request(json.dumps(body).encode()).messages
    assert back == Message(role="assistant", content="yes", reasoning="hm")


def test_the_id_of_another_providers_thinking_survives() -> None:
    piece = ThoughtDelta(id="rs_1", signature="sealed:=")
    reply = fold([Delta(reasoning="summary", thought=piece), Delta(text="yes"), Stopped()])
    content = sdk_content(told(list(events_of(reply))))
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": content}]}
    assert decode_request(json.dumps(body).encode()).messages[0].thoughts == reply.choices[0].message.thoughts


def test_arguments_that_come_in_turns_are_not_mixed_up() -> None:
    """Some servers send pieces of two calls alternately; a client of this wire knows one block at a time."""

    def piece(index: int, arguments: str, name: str = "") -> Delta:
        return Delta(
            tool_calls=(ToolCallDelta(index=index, id=f"c{index}" if name else "", name=name, arguments=arguments),)
        )

    events = [
        piece(0, '{"a"', "f"), piece(1, "", "g"), piece(1, '{"b"'), piece(0, ":1}"), piece(1, ":2"), piece(1, "}"),
        piece(2, "", "h"), Stopped(reason="stop"),
    ]  # fmt: skip
    stream = told([Started(model="m"), *events])
    assert [(b["name"], b["input"]) for b in sdk_content(stream)] == [("f", {"a": 1}), ("g", {"b": 2}), ("h", {})]
    open_blocks: set[int] = set()
    for event in seen(stream):
        if event.type == "content_block_start":
            assert not open_blocks
            open_blocks.add(event.index)
        if event.type == "content_block_stop":
            open_blocks.remove(event.index)
    assert seen(stream)[-2].delta.stop_reason == "tool_use"  # though the server said that it just stopped


def test_broken_arguments_travel_and_come_back() -> None:
    broken = Message(role="assistant", tool_calls=(ToolCall(id="a", name="f", arguments='{"x": [1,'),))
    reply = Reply(choices=(Choice(message=broken, finish_reason="length"),))
    [block] = json.loads(encode_reply(reply, id="x"))["content"]
    assert block["input"] == {"INVALID_JSON": '{"x": [1,'}
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": [block]}]}
    assert decode_request(json.dumps(body).encode()).messages == (broken,)


def test_other_providers_citations_come_as_the_nearest_of_anthropics() -> None:
    web = Citation(url="https://x", title="X", cited="x", start=0, end=3)
    document = Citation(document=1, cited="y", start=4, end=7)
    message = Message(role="assistant", content=(TextPart(text="abc def", citations=(web, document)),))
    reply = Reply(model="m", choices=(Choice(message=message, finish_reason="stop"),))
    seen_by_client = sdk.Message.model_validate_json(encode_reply(reply, id="x"))
    blocks: list[Any] = list(seen_by_client.content)
    assert [(b.text, [c.type for c in b.citations or ()]) for b in blocks] == [
        ("abc", ["web_search_result_location"]), (" ", []), ("def", ["char_location"]),
    ]  # fmt: skip
    assert [e.delta.type for e in seen(told(list(events_of(reply)))) if e.type == "content_block_delta"] == [
        "text_delta", "citations_delta", "citations_delta",
    ]  # fmt: skip


def test_what_the_wire_has_no_block_for_leaves_no_trace() -> None:
    image = ImagePart(url="data:image/png;base64,AAAA")
    reply = fold([Delta(parts=(image,)), Delta(text="a"), Stopped()])
    assert list(SHOWS.lacks(reply)) == ["image"]
    assert [block.type for block in sdk.Message.model_validate_json(encode_reply(reply, id="x")).content] == ["text"]
    starts = [
        event.content_block.type for event in seen(told(list(events_of(reply)))) if event.type == "content_block_start"
    ]
    assert starts == ["text"]


# -- broken replies

COMPLETE = recorded("anthropic/text.sse")


def test_every_cut_is_noticed() -> None:
    told_why = COMPLETE.index(b"\n\n", COMPLETE.index(b'"end_turn"'))
    for i in range(len(COMPLETE)):
        decoder = StreamDecoder()
        events = list(decoder.feed(COMPLETE[:i]))
        assert not decoder.done
        if i < told_why + 2:
            with pytest.raises(CallCut):
                decoder.close()
        else:
            decoder.close()  # only the end mark is missing
            assert fold(events).text.startswith("Grüße")


def event(kind: str, **fields: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | fields)}\n\n".encode()


OPEN = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
START = event("message_start", message={"id": "m", "model": "c", "usage": {"input_tokens": 1}})


@pytest.mark.parametrize(
    ("garbled", "sentence"),
    [
        (START + START, "begins a second time"),
        (START + OPEN + OPEN, "repeats a block"),
        (START + event("content_block_delta", index=0, delta={"type": "text_delta", "text": "x"}), "has not begun"),
        (START + OPEN + event("content_block_delta", index=0, delta={"type": "thinking_delta"}), "another kind"),
        (START + event("content_block_stop", index=3), "has not begun"),
        (START + event("content_block_start", index=0, content_block={"text": "x"}), "without a type"),
        (START + event("content_block_start", index=0, content_block={"type": "text", "text": 5}), "no text"),
        (START + event("message_delta"), "without what it is about"),
        (START + b"data: <html>\n\n", "no event"),
        (START + b"data: {}\n\n", "no event"),
        (START + b'data: {"type":"ping","index":"\xe2\x82"}\n\n', "no event"),
        (START + b"data: " + b"[" * 50_000 + b"\n\n", "no event"),
        (START + OPEN + event("message_stop"), "before the reply was complete"),
    ],
)
def test_a_garbled_stream_is_a_failed_call(garbled: bytes, sentence: str) -> None:
    with pytest.raises(CallFailed, match=sentence):
        streamed(garbled)


def test_what_anthropic_may_add_is_read_over() -> None:
    news = event("weather", sky="blue") + event("ping")
    added = event("content_block_delta", index=0, delta={"type": "novel_delta", "x": 1})
    at = COMPLETE.index(b"event: content_block_delta")
    assert streamed(COMPLETE[:at] + news + added + COMPLETE[at:]) == streamed(COMPLETE)


@pytest.mark.parametrize(
    ("kind", "expected", "status", "retryable"),
    [
        ("overloaded_error", CallFailed, 502, True),
        ("api_error", CallFailed, 502, True),
        ("rate_limit_error", CallRefused, 429, True),
        ("invalid_request_error", CallRefused, 400, False),
        ("request_too_large", CallRefused, 413, False),
        ("billing_error", CallRefused, 402, False),
        ("something_new", CallFailed, 502, True),
    ],
)
def test_an_error_in_the_stream_raises_at_its_place(kind: str, expected: type, status: int, retryable: bool) -> None:
    decoder = StreamDecoder()
    events: list[Event] = []
    with pytest.raises(CallFailed, match="Overloaded") as raised:
        events.extend(decoder.feed(recorded("anthropic/error.sse").replace(b"overloaded_error", kind.encode())))
    assert [type(e) for e in events] == [Started, Delta]
    assert (type(raised.value), raised.value.status, raised.value.retryable) == (expected, status, retryable)


@pytest.mark.parametrize(
    ("status", "kind", "mapped", "retryable"),
    [
        (529, CallFailed, 502, True),
        (400, CallRefused, 400, False),
        (429, CallRefused, 429, True),
        (402, CallRefused, 402, False),
    ],
)
def test_statuses_become_errors(status: int, kind: type, mapped: int, retryable: bool) -> None:
    error = Anthropic().decode_error(status, {"retry-after": "7"}, recorded("anthropic/error.json"))
    assert (type(error), error.status, error.retryable, error.retry_after_s) == (kind, mapped, retryable, 7.0)
    assert "Overloaded" in str(error)


def test_our_own_error_event_reads_back_as_an_error() -> None:
    answer = Messages().decode(BODY, path={}, id="1", created=1).answer
    stream = answer.encode(Delta(text="Hel")) + answer.error(CallCut("It broke."))
    assert b"message_stop" not in stream
    with pytest.raises(CallFailed, match="It broke"):
        streamed(stream)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"type":"message"}', b'{"type":"message","content":5}'])
def test_garbage_is_a_failed_call(body: bytes) -> None:
    with pytest.raises(CallFailed, match="no Anthropic message"):
        decode_reply(body)


def test_half_a_reply_is_neither_read_nor_written() -> None:
    with pytest.raises(CallCut):
        decode_reply(b'{"type":"message","content":[],"stop_reason":null}')
    with pytest.raises(CallCut):
        encode_reply(Reply(choices=(Choice(message=Message(role="assistant", content="Hel")),)), id="x")
    with pytest.raises(CallFailed, match="Overloaded"):
        decode_reply(recorded("anthropic/error.json"))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda x: (
        st.lists(x, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "text", "index", "delta", "x"]), x, max_size=3)
    ),
    max_leaves=5,
)


@given(st.sampled_from(STREAMED), st.data())
def test_no_mutation_of_a_stream_raises_anything_else(name: str, draw: st.DataObject) -> None:
    """One value of one event, somewhere, is something else; or a byte is."""
    events = [
        json.loads(line[6:]) for line in recorded(f"anthropic/{name}.sse").splitlines() if line.startswith(b"data: ")
    ]
    target: Any = draw.draw(st.sampled_from(events))
    while True:
        key = draw.draw(st.sampled_from(list(target) if isinstance(target, dict) else range(len(target))))
        if isinstance(target[key], dict | list) and target[key] and draw.draw(st.booleans()):
            target = target[key]
            continue
        target[key] = draw.draw(anything)
        break
    stream = b"".join(b"data: " + json.dumps(e).encode() + b"\n\n" for e in events)
    try:
        fold(streamed(stream))
    except CallFailed as error:
        assert str(error)


@given(st.sampled_from(STREAMED), st.data())
def test_no_mutation_of_a_reply_raises_anything_else(name: str, draw: st.DataObject) -> None:
    body = json.loads(recorded(f"anthropic/{name}.json"))
    target: Any = body
    while True:
        key = draw.draw(st.sampled_from(list(target) if isinstance(target, dict) else range(len(target))))
        if isinstance(target[key], dict | list) and target[key] and draw.draw(st.booleans()):
            target = target[key]
            continue
        target[key] = draw.draw(anything)
        break
    try:
        decode_reply(json.dumps(body).encode())
    except CallFailed as error:
        assert str(error)
