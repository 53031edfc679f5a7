"""Responses, whole and streamed; the official SDK's models are the judge of what is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from noria.core.errors import CallCut, CallFailed, CallTimeout
from noria.core.events import Delta, Event, Raw, Started, Stopped, ThoughtDelta, ToolCallDelta, Used
from noria.core.folding import fold
from noria.core.messages import Citation, ImagePart, Message, OtherPart, TextPart, Thought, ToolCall
from noria.core.replies import Choice, Reply, Usage
from noria.core.requests import Request
from noria.core.unfolding import events_of
from noria.wires.openai_responses import NAME, ResponsesAnswer, StreamDecoder, decode_reply
from noria.wires.openai_responses.server import echo
from wires.recordings import recorded

EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
ID = "0123456789abcdef0123456789abcdef"
text = st.text(max_size=9)
said = st.text(min_size=1, max_size=9)
call = st.builds(ToolCall, id=said, name=said, arguments=text, signature=text, custom=st.booleans())
calls = st.lists(call, max_size=2).map(tuple)
some_calls = st.lists(call, min_size=1, max_size=2).map(tuple)
citation = st.builds(Citation, url=said, title=text, start=st.integers(0, 9), end=st.integers(0, 9))
messages = st.one_of(
    st.builds(Message, role=st.just("assistant"), content=said, tool_calls=calls),
    st.builds(Message, role=st.just("assistant"), refusal=said),
    st.builds(Message, role=st.just("assistant"), tool_calls=some_calls),
    st.builds(
        lambda words, cited: Message(role="assistant", content=(TextPart(text=words, citations=cited),)),
        said,
        st.lists(citation, min_size=1, max_size=2).map(tuple),
    ),
    st.builds(
        lambda words, thought, calls: Message(
            role="assistant",
            content=words,
            tool_calls=calls,
            thoughts=(
                Thought(text=thought, signature="s", id="rs_1", format="openai-responses-v1"),
                Thought(signature="e", redacted=True, id="rs_2", at=1, format="openai-responses-v1"),
            ),
            reasoning=thought,
        ),
        said,
        said,
        calls,
    ),
)
count = st.integers(0, 10**6)
usages = st.builds(
    Usage,
    input_tokens=count,
    output_tokens=count,
    cached_tokens=count,
    cache_write_tokens=count,
    reasoning_tokens=count,
)


def reply_of(message: Message, usage: Usage | None, cut: bool) -> Reply:
    reason = "length" if cut else "tool_calls" if message.tool_calls else "stop"
    choice = Choice(message=message, finish_reason=reason)
    return Reply(id=f"resp_{ID}", model="m", choices=(choice,), usage=usage)


replies = st.builds(reply_of, messages, st.none() | usages, st.booleans())


def answer() -> ResponsesAnswer:
    return ResponsesAnswer(ID, 1_700_000_000, echo(Request(model="m", wire=NAME)))


def streamed(events: list[Event]) -> bytes:
    writes = answer()
    return b"".join(map(writes.encode, events)) + writes.finish()


def events_in(stream: bytes) -> list[dict[str, Any]]:
    found = []
    for block in stream.split(b"\n\n"):
        if block:
            kind, data = block.split(b"\n")
            event = json.loads(data.removeprefix(b"data: "))
            assert kind == b"event: " + event["type"].encode()
            found.append(event)
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    return found


def decoded(*pieces: bytes) -> list[Event]:
    decoder = StreamDecoder()
    events: list[Event] = [event for piece in pieces for event in decoder.feed(piece)]
    decoder.close()
    return events


@given(replies)
def test_a_written_response_reads_back_and_is_what_the_sdk_expects(reply: Reply) -> None:
    body = answer().whole(reply)
    assert decode_reply(body) == reply
    seen = Response.model_validate_json(body)
    assert seen.output_text == reply.text
    assert seen.status == ("incomplete" if reply.choices[0].finish_reason == "length" else "completed")


@given(replies, st.data())
def test_a_streamed_response_folds_back_for_every_split(reply: Reply, draw: st.DataObject) -> None:
    stream = streamed(list(events_of(reply)))
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    events = decoded(*(stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)))
    assert fold(events) == fold(decoded(stream)) == reply


@given(replies)
def test_events_are_what_the_sdk_expects_and_end_with_the_whole_response(reply: Reply) -> None:
    events = events_in(streamed(list(events_of(reply))))
    for event in events:
        EVENTS.validate_python(event)
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    assert events[-1]["response"] == json.loads(answer().whole(reply))
    items = events[-1]["response"]["output"]
    opened = [event["item"]["id"] for event in events if event["type"] == "response.output_item.added"]
    closed = {event["item"]["id"]: event["item"] for event in events if event["type"] == "response.output_item.done"}
    assert opened == [item["id"] for item in items]
    assert [closed[item["id"]] for item in items] == items


def test_the_official_order() -> None:
    events = events_in(
        streamed(
            [
                Started(id="x", model="m-1"),
                Delta(reasoning="hm", thought=ThoughtDelta(index=0, id="rs_1")),
                Delta(thought=ThoughtDelta(index=0, signature="seal")),
                Delta(
                    text="a", logprobs={"content": [{"token": "a", "logprob": -1.0, "bytes": [97], "top_logprobs": []}]}
                ),
                Delta(citations=(Citation(url="u", title="t", start=0, end=1),)),
                Delta(tool_calls=(ToolCallDelta(index=0, id="c", name="f"),)),
                Delta(tool_calls=(ToolCallDelta(index=0, arguments="{}"),)),
                Used(usage=Usage(input_tokens=3, output_tokens=2)),
                Stopped(reason="tool_calls"),
            ]
        )
    )
    assert [event["type"].removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.annotation.added",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    assert events[0]["response"]["model"] == "m-1"
    assert events[7]["item"]["encrypted_content"] == "seal"
    assert events[-1]["response"]["usage"]["total_tokens"] == 5


def test_citations_that_come_last_are_told_on_the_text_they_are_about() -> None:
    deltas = [
        Delta(text="ab"),
        Delta(tool_calls=(ToolCallDelta(index=0, id="c", name="f", arguments="{}"),)),
        Delta(text="cde"),
        Delta(citations=(Citation(url="u", title="t", start=3, end=5), Citation(url="v", title="t", start=0, end=2))),
    ]
    stream = streamed([Started(model="m"), *deltas, Stopped()])
    events = events_in(stream)
    for event in events:
        EVENTS.validate_python(event)
    first, call, second = events[-1]["response"]["output"]
    assert [first["content"][0]["text"], call["name"], second["content"][0]["text"]] == ["ab", "f", "cde"]
    assert [(a["url"], a["start_index"]) for a in second["content"][0]["annotations"]] == [("u", 1)]
    assert [(a["url"], a["start_index"]) for a in first["content"][0]["annotations"]] == [("v", 0)]
    assert fold(decoded(stream)).choices[0].message == fold([*deltas, Stopped()]).choices[0].message


def test_citations_that_had_no_event_of_their_own_are_read_from_the_finished_text() -> None:
    stream = recorded("openai_responses/cited_order.sse")
    silent = b"".join(event + b"\n\n" for event in stream.split(b"\n\n") if event and b"annotation.added" not in event)
    assert silent != stream
    assert fold(decoded(silent)) == fold(decoded(stream))


def test_a_failure_is_told_twice_so_that_every_client_hears_it() -> None:
    writes = answer()
    stream = writes.encode(Started(model="m")) + writes.encode(Delta(text="a")) + writes.error(CallTimeout("Too slow."))
    events = events_in(stream)
    assert [event["type"] for event in events[-2:]] == ["response.failed", "error"]
    for event in events:
        EVENTS.validate_python(event)
    assert events[-2]["response"]["error"]["message"] == events[-1]["message"] == "Too slow."
    with pytest.raises(CallFailed, match="Too slow"):
        decoded(stream)
    with pytest.raises(CallFailed, match="Too slow"):
        decoded(stream.replace(b"response.failed", b"response.novel"))


def test_a_stream_that_just_ends_is_cut() -> None:
    stream = streamed(list(events_of(reply_of(Message(role="assistant", content="ab"), None, cut=False))))
    for end in range(len(stream) - 2):
        with pytest.raises(CallCut):
            decoded(stream[:end])


def test_a_stream_that_begins_again_fails() -> None:
    stream = streamed([Started(model="m"), Delta(text="hello"), Stopped()])
    before, _, _ = stream.rpartition(b"event: response.completed")
    with pytest.raises(CallFailed, match="second response"):
        decoded(before, stream)


def test_the_bytes_of_a_provider_pass_but_for_its_id() -> None:
    theirs = streamed([Started(model="m"), Delta(text=f'"resp_{ID}"'), Stopped()]).replace(ID.encode(), b"theirs")
    events = decoded(theirs)
    writes = answer()
    passed = writes.encode(Raw(wire=NAME, data=theirs, events=tuple(events)))  # type: ignore[arg-type]
    assert passed == theirs.replace(b'"resp_theirs"', b'"resp_%s"' % ID.encode())
    assert writes.finish() == b""
    whole = answer().whole(fold(events), b'{"id":"resp_theirs","previous":"resp_theirs2"}')
    assert whole == b'{"id":"resp_%s","previous":"resp_theirs2"}' % ID.encode()


def test_items_of_the_providers_own_tools_and_images_are_kept() -> None:
    search = {
        "type": "web_search_call",
        "id": "ws_1",
        "status": "completed",
        "action": {"type": "search", "query": "q"},
    }
    message = Message(role="assistant", content=(OtherPart(data=search), ImagePart(url="data:image/png;base64,AA==")))
    reply = reply_of(message, None, cut=False)
    output = json.loads(answer().whole(reply))["output"]
    assert output[0] == search
    assert (output[1]["type"], output[1]["result"]) == ("image_generation_call", "AA==")
    stream = streamed(list(events_of(reply)))
    assert fold(decoded(stream)).choices[0].message.content[0] == OtherPart(data=search)


def test_a_server_that_leaves_deltas_out_loses_nothing() -> None:
    items = [
        {"type": "reasoning", "id": "r", "summary": [], "content": [{"type": "reasoning_text", "text": "hm"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "yes"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
    ]
    events: list[dict[str, Any]] = [
        {"type": "response.output_item.done", "output_index": i, "item": it} for i, it in enumerate(items)
    ]
    events.append({"type": "response.completed", "response": {"status": "completed", "output": items}})
    message = (
        fold(decoded(b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events))).choices[0].message
    )
    assert (message.text, message.reasoning, message.tool_calls) == (
        "yes",
        "hm",
        (ToolCall(id="c", name="f", arguments="{}"),),
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"status":"completed","output":[{"type":5}]}',
        b'{"status":"failed","error":{"message":"x"}}',
        b'{"error":{"message":"x"}}',
    ],
)
def test_what_is_no_response_fails(body: bytes) -> None:
    with pytest.raises(CallFailed):
        decode_reply(body)


@pytest.mark.parametrize("status", ["queued", "in_progress", "cancelled", None])
def test_a_response_that_has_not_ended_is_cut(status: str | None) -> None:
    with pytest.raises(CallCut):
        decode_reply(json.dumps({"status": status, "output": []}).encode())


FIELDS = st.sampled_from(["type", "item", "output", "delta", "status", "response", "content", "summary", "id"])
KINDS = ["response.output_item.added", "response.output_item.done", "response.completed", "error", "x.delta"]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.sampled_from(["message", "reasoning", "completed"]),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(FIELDS, x, max_size=5),
    max_leaves=12,
)


@given(values, st.sampled_from(KINDS))
def test_no_bytes_raise_anything_else(value: Any, kind: str) -> None:
    body = json.dumps(value).encode()
    event = json.dumps({"type": kind, "item": value, "response": value, "delta": value}).encode()
    for attempt in (
        lambda: decode_reply(body),
        lambda: decoded(b"data: " + body + b"\n\n"),
        lambda: decoded(b"data: " + event + b"\n\n"),
    ):
        try:
            attempt()
        except CallFailed as error:
            assert str(error)
