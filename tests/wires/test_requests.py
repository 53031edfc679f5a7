"""Requests on the OpenAI Chat wire."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core.errors import InvalidInput
from noria.core.messages import ImagePart, Message, OtherPart, TextPart, ToolCall
from noria.core.requests import Lineage, Parameters, Request, Tool
from noria.wires.openai_chat import decode_request, encode_request


def read(**fields: Any) -> Request:
    return decode_request(json.dumps({"model": "m", "messages": []} | fields).encode()).request


def written(request: Request, **options: Any) -> dict[str, Any]:
    return json.loads(encode_request(request, **({"stream": False} | options)).body)


def test_a_full_request_is_read() -> None:
    body = {
        "model": "boolq",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a":1}'}}],
            },
            {"role": "tool", "content": "a cat", "tool_call_id": "c1"},
        ],
        "temperature": 0,
        "max_completion_tokens": 5,
        "stop": "END",
        "seed": 7,
        "logit_bias": {"5": -100},
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}, "strict": True}}],
        "tool_choice": {"type": "function", "function": {"name": "look"}},
        "n": 2,
        "stream": True,
        "stream_options": {"include_usage": True},
        "user": "u1",
        "metadata": {"session_id": "s1", "team": "blue"},
        "variables": {"question": "why?"},
    }
    request, include_usage = decode_request(json.dumps(body).encode())
    stream = request.stream
    assert (stream, include_usage) == (True, True)
    assert request == Request(
        model="boolq",
        messages=(
            Message(role="system", content="Be brief."),
            Message(
                role="user", content=(TextPart(text="What is this?"), ImagePart(url="https://x/y.png", detail="low"))
            ),
            Message(role="assistant", tool_calls=(ToolCall(id="c1", name="look", arguments='{"a":1}'),)),
            Message(role="tool", content="a cat", tool_call_id="c1"),
        ),
        params=Parameters(temperature=0, max_tokens=5, stop=("END",), seed=7),
        stream=True,
        wire="openai_chat",
        unread={"logit_bias": {"5": -100}},
        tools=(Tool(name="look", parameters={"type": "object"}, strict=True),),
        tool_choice={"type": "function", "function": {"name": "look"}},
        n=2,
        variables={"question": "why?"},
        lineage=Lineage(user_id="u1", session_id="s1"),
        attributes={"metadata": {"session_id": "s1", "team": "blue"}},
    )


def test_nulls_are_defaults() -> None:
    names = [
        "temperature",
        "top_p",
        "max_tokens",
        "stop",
        "seed",
        "tools",
        "tool_choice",
        "n",
        "stream",
        "stream_options",
        "user",
        "metadata",
        "variables",
    ]
    assert read(**dict.fromkeys(names)) == read()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"model": None}, "`model` is wrong"),
        ({"model": ""}, "`model` is wrong"),
        ({"messages": "hello"}, "`messages` is wrong"),
        (
            {"messages": [{"role": "user"}, {"role": "user"}, {"role": "robot", "content": ""}]},
            "`messages[2].role` is wrong",
        ),
        ({"messages": [{"content": "hello"}]}, "`messages[0].role` is missing"),
        ({"messages": [{"role": "user", "content": 5}]}, "`messages[0].content` is wrong"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "`messages[0].content[0].text` must"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "`messages[0].content[0].type` must"),
        ({"messages": [{"role": "assistant", "audio": {"id": "a1"}}]}, "`messages[0].audio` is not supported"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "1", "function": {}}]}]},
            "`messages[0].tool_calls[0].function.name` is missing",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "1", "type": "custom"}]}]},
            "`messages[0].tool_calls[0].type` is 'custom'",
        ),
        ({"temperature": "hot"}, "`temperature` is wrong"),
        ({"n": 0}, "`n` is wrong"),
        ({"tools": [{"type": "custom", "function": {"name": "x"}}]}, "`tools[0].type` is wrong"),
        ({"tools": [{"type": "function"}]}, "`tools[0].function` is missing"),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "`max_tokens` (1) and `max_completion_tokens` (2) differ"),
        ({"variables": ["a"]}, "`variables` is wrong"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read(**fields)
    assert str(raised.value).startswith(field)


@pytest.mark.parametrize(
    "body", [b"", b"[1]", b'"x"', b"{", b"\xff", b'{"a":"\xff"}', b"[" * 100_000, b'{"model": NaN}', b"{}"]
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_request(body)


@given(
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: (
            st.lists(x)
            | st.dictionaries(st.sampled_from(["model", "messages", "role", "content", "tools", "type", "x"]), x)
        ),
    ).map(lambda v: json.dumps(v).encode())
)
def test_no_body_raises_anything_else(body: bytes) -> None:
    try:
        incoming = decode_request(body)
    except InvalidInput as error:
        assert str(error)
    else:
        assert incoming.request.model


@pytest.mark.parametrize("field", ["metadata", "variables", "some_extra"])
def test_a_body_nested_deeper_than_ids_can_be_made_of_is_refused(field: str) -> None:
    def body(levels: int) -> bytes:
        deep = b'{"a":' * levels + b"[]" + b"}" * levels
        return b'{"model":"m","messages":[],"' + field.encode() + b'":' + deep + b"}"

    assert decode_request(body(98)).request.model == "m"
    with pytest.raises(InvalidInput, match="nested more than 100 levels"):
        decode_request(body(99))


def test_many_parts_side_by_side_are_not_deep() -> None:
    parts = [{"type": "text", "text": "a"}] * 200
    assert len(read(messages=[{"role": "user", "content": parts}]).messages[0].content) == 200


def test_parts_without_a_noun_survive_whole() -> None:
    parts = [
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}},
        {"type": "image_url", "image_url": {"url": "u", "novel": 1}},
        {"type": "image_url", "image_url": {"url": "u", "detail": "low", "novel": 1}},
    ]
    request = read(messages=[{"role": "user", "content": parts}])
    assert request.messages[0].content == tuple(OtherPart(data=part) for part in parts)
    assert written(request)["messages"][0]["content"] == parts


def test_a_strict_schema_is_a_parameter_and_others_are_passed_on() -> None:
    schema = {"type": "object", "properties": {}}
    strict = {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": True}}
    request = read(response_format=strict)
    assert request.params == Parameters(response_schema=schema)
    assert written(request)["response_format"] == strict
    for other in ({"type": "json_object"}, {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}):
        request = read(response_format=other)
        assert request.unread == {"response_format": other}
        assert written(request)["response_format"] == other


def test_streams_are_asked_for_with_usage() -> None:
    assert written(read(), stream=True)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in written(read())


def test_the_limit_goes_by_the_name_the_provider_knows() -> None:
    request = read(max_tokens=3)
    assert written(request)["max_tokens"] == 3
    newer = written(request, limit_field="max_completion_tokens")
    assert newer["max_completion_tokens"] == 3
    assert "max_tokens" not in newer


def test_extra_fields_never_replace_ours() -> None:
    request = Request(
        model="m",
        params=Parameters(temperature=0.5, extra={"model": "x", "stream": True, "temperature": 2, "top_k": 4}),
    )
    body = written(request)
    assert (body["model"], body["stream"], body["temperature"], body["top_k"]) == ("m", False, 0.5, 4)


def test_metadata_is_sent_on_only_where_the_provider_stores_the_call() -> None:
    metadata = {"team": "blue"}
    assert "metadata" not in written(read(metadata=metadata))
    assert written(read(metadata=metadata, store=True))["metadata"] == metadata


def test_variables_and_lineage_stay_here() -> None:
    assert set(written(read(variables={"a": 1}, user="u"))) == {"model", "messages", "stream", "user"}


text = st.text(max_size=20)
parts = st.builds(TextPart, text=text) | st.builds(ImagePart, url=text, detail=st.none() | text)
calls = st.builds(ToolCall, id=text, name=st.text(min_size=1, max_size=9), arguments=text)
messages = st.one_of(
    st.builds(
        Message,
        role=st.sampled_from(["system", "developer", "user"]),
        content=text | st.lists(parts, min_size=1).map(tuple),
        name=st.none() | text,
    ),
    st.builds(
        Message,
        role=st.just("assistant"),
        content=text,
        tool_calls=st.lists(calls, max_size=2).map(tuple),
        reasoning=text,
        refusal=text,
    ),
    st.builds(Message, role=st.just("tool"), content=text, tool_call_id=text),
)
number = st.none() | st.floats(-2, 2)
params = st.builds(
    Parameters,
    temperature=number,
    top_p=number,
    max_tokens=st.none() | st.integers(1, 9999),
    stop=st.lists(text, max_size=3).map(tuple),
    seed=st.none() | st.integers(0, 2**31),
    presence_penalty=number,
    frequency_penalty=number,
    response_schema=st.none() | st.just({"type": "object"}),
)
requests = st.builds(
    Request,
    model=st.text(min_size=1, max_size=9),
    messages=st.lists(messages, max_size=4).map(tuple),
    params=params,
    tools=st.lists(st.builds(Tool, name=text, description=text, strict=st.none() | st.booleans()), max_size=2).map(
        tuple
    ),
    tool_choice=st.sampled_from([None, "auto", "none", {"type": "function", "function": {"name": "f"}}]),
    n=st.integers(1, 4),
    wire=st.just("openai_chat"),
    unread=st.dictionaries(st.sampled_from(["logit_bias", "service_tier", "store"]), st.integers(1, 5)),
    lineage=st.builds(Lineage, user_id=st.none() | text),
)


@given(requests, st.booleans())
def test_what_is_written_reads_back(request: Request, stream: bool) -> None:
    request = msgspec.structs.replace(request, stream=stream)
    assert decode_request(encode_request(request, stream=stream).body) == (request, stream)
