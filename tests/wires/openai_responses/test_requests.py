"""Requests on the Responses wire."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core.errors import InvalidInput
from noria.core.messages import AudioPart, FilePart, ImagePart, Message, OtherPart, TextPart, Thought, ToolCall
from noria.core.requests import Lineage, Parameters, Reasoning, Request, Tool
from noria.wires.openai_responses import NAME, decode_request, encode_request
from noria.wires.openai_responses.requests import STORED
from noria.wires.wire import Encoded

PDF = "data:application/pdf;base64,JVBERg=="


def read(**fields: Any) -> Request:
    return decode_request(json.dumps({"model": "m"} | fields).encode())


def written(request: Request) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(encode_request(request, stream=False).body)
    return body


def elsewhere(request: Request, **changes: Any) -> Encoded:
    """The request of a caller of another wire, as a provider of this one is sent it."""
    return encode_request(msgspec.structs.replace(request, wire="another", **changes), stream=False)


ITEMS: list[dict[str, Any]] = [
    {
        "type": "message",
        "role": "user",
        "content": [
            {"type": "input_text", "text": "What is this?"},
            {"type": "input_image", "image_url": "https://x/y.png", "detail": "low"},
            {"type": "input_file", "file_data": PDF, "filename": "a.pdf"},
            {"type": "input_file", "file_url": "https://x/y.pdf"},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        ],
    },
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "hm"}],
        "encrypted_content": "seal",
    },
    {
        "type": "message",
        "role": "assistant",
        "content": [
            {
                "type": "output_text",
                "text": "Let me see.",
                "annotations": [{"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 3}],
            }
        ],
    },
    {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"a":1}'},
    {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "hidden"},
    {"type": "custom_tool_call", "call_id": "c2", "name": "sql", "input": "select 1"},
    {"type": "function_call_output", "call_id": "c1", "output": "a cat"},
    {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "1"}]},
    {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
    {"type": "message", "role": "developer", "content": "Be brief."},
]


def test_items_become_messages_and_go_on_as_they_came() -> None:
    request = read(input=ITEMS)
    assert [message.role for message in request.messages] == [
        "user",
        "assistant",
        "tool",
        "tool",
        "assistant",
        "developer",
    ]
    user, said, looked, queried, searched, _ = request.messages
    assert user.content == (
        TextPart(text="What is this?"),
        ImagePart(url="https://x/y.png", detail="low"),
        FilePart(url=PDF, name="a.pdf"),
        FilePart(url="https://x/y.pdf"),
        AudioPart(data="AAAA", format="wav"),
    )
    assert said.tool_calls == (
        ToolCall(id="c1", name="look", arguments='{"a":1}'),
        ToolCall(id="c2", name="sql", arguments="select 1", custom=True),
    )
    assert said.thoughts == (
        Thought(text="hm", signature="seal", id="rs_1", format="openai-responses-v1"),
        Thought(signature="hidden", redacted=True, id="rs_2", at=2, format="openai-responses-v1"),
    )
    assert (looked.tool_call_id, looked.text, queried.text) == ("c1", "a cat", "1")
    assert searched.content == (OtherPart(data=ITEMS[8]),)
    assert written(request)["input"] == ITEMS


def test_a_full_request() -> None:
    tool = {"type": "function", "name": "look", "description": "d", "parameters": {"type": "object"}, "strict": True}
    body: dict[str, Any] = {
        "model": "m",
        "input": "hi",
        "instructions": "Be brief.",
        "temperature": 0.5,
        "top_p": 0.9,
        "max_output_tokens": 20,
        "top_logprobs": 2,
        "include": ["message.output_text.logprobs", "reasoning.encrypted_content", "web_search_call.results"],
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {
            "format": {"type": "json_schema", "name": "cat", "schema": {"type": "object"}, "strict": True},
            "verbosity": "low",
        },
        "tools": [tool, {"type": "web_search"}],
        "tool_choice": {"type": "function", "name": "look"},
        "user": "u",
        "metadata": {"session_id": "s"},
        "truncation": "disabled",
        "service_tier": "flex",
        "store": False,
    }
    request = decode_request(json.dumps(body).encode())
    assert request == Request(
        model="m",
        messages=(Message(role="system", content="Be brief."), Message(role="user", content="hi")),
        params=Parameters(
            temperature=0.5,
            top_p=0.9,
            max_tokens=20,
            logprobs=2,
            parallel_tools=False,
            reasoning=Reasoning(effort="low", shown=True),
            response_schema={"type": "object"},
            response_name="cat",
        ),
        tools=(
            Tool(name="look", description="d", parameters={"type": "object"}, strict=True),
            Tool(name="web_search", hosted={"type": "web_search"}),
        ),
        tool_choice={"type": "function", "name": "look"},
        stream=False,
        wire=NAME,
        unread={"text": {"verbosity": "low"}, "include": ["web_search_call.results"], "service_tier": "flex"},
        lineage=Lineage(user_id="u", session_id="s"),
        attributes={"metadata": {"session_id": "s"}, "include": ["reasoning.encrypted_content"]},
    )
    sent = written(request)
    assert sent["include"] == [body["include"][2], body["include"][1], body["include"][0]]
    same = body.keys() - {"include", "truncation", "metadata", "input"}
    assert {name: sent[name] for name in same} == {name: body[name] for name in same}
    assert sent["input"] == [{"type": "message", "role": "user", "content": "hi"}]


def test_what_is_stored_are_the_callers_own_words() -> None:
    kept = json.loads(read(input="hi", variables={"a": 1}, stream=True).attributes[STORED])
    assert kept == {"model": "m", "input": [{"type": "message", "role": "user", "content": "hi"}]}
    assert STORED not in read(input="hi", store=False).attributes
    assert written(read(input="hi", store=False))["store"] is False
    assert "store" not in written(read(input="hi"))
    assert written(read(metadata={"a": "b"}))["metadata"] == {"a": "b"}


def test_what_the_wire_cannot_carry_is_refused_by_name() -> None:
    request = Request(
        model="m",
        params=Parameters(stop=("x",), seed=1, top_k=3, presence_penalty=0.5, frequency_penalty=0.5),
        messages=(
            Message(role="user", content=(FilePart(url=PDF, cite=True),)),
            Message(role="assistant", thoughts=(Thought(text="a", signature="b"),), reasoning="a"),
        ),
        n=2,
    )
    refused = {"stop", "seed", "top_k", "presence_penalty", "frequency_penalty", "citations", "n"}
    for name in refused:
        with pytest.raises(InvalidInput, match=f"`{name}` can't be carried"):
            elsewhere(request, may_drop=tuple(refused - {name}))
    assert {*elsewhere(request, may_drop=("*",)).dropped} == refused | {"thinking"}


def test_callers_of_other_wires_store_nothing_at_the_provider() -> None:
    request = Request(
        model="m",
        messages=(Message(role="user", content=(TextPart(text="a", cache="5m"), FilePart(url=PDF))),),
        params=Parameters(reasoning=Reasoning(tokens=2000), response_json=True),
        tools=(Tool(name="f"),),
        tool_choice={"type": "function", "function": {"name": "f"}},
    )
    sent = elsewhere(request)
    body = json.loads(sent.body)
    assert (body["store"], sent.emulated) == (False, ("cache",))
    assert (body["reasoning"], body["text"]) == ({"effort": "low"}, {"format": {"type": "json_object"}})
    assert body["tool_choice"] == {"type": "function", "name": "f"}
    assert body["tools"][0]["strict"] is False
    assert body["input"][0]["content"][1]["filename"] == "document.pdf"


def test_thinking_that_openai_sealed_finds_its_way_back() -> None:
    sealed = Thought(text="a", signature="b", id="rs_1", format="openai-responses-v1")
    request = Request(model="m", messages=(Message(role="assistant", thoughts=(sealed,), reasoning="a"),))
    assert json.loads(elsewhere(request).body)["input"][0]["encrypted_content"] == "b"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"model": ""}, "`model` is wrong"),
        ({"input": 5}, "`input` is wrong"),
        ({"input": [{"type": "message", "role": "robot", "content": ""}]}, "`input[0].role` must"),
        ({"input": [{"role": "user", "content": 5}]}, "`input[0].content` must"),
        ({"input": [{"role": "user", "content": [{"text": "a"}]}]}, "`input[0].content[0].type` must"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "`input[0].content[0].text` must"),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f"}]}, "`input[0].arguments` must"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "`input[0].call_id` must"),
        ({"input": [{"type": 5}]}, "`input[0].type` must"),
        ({"input": [{"type": ["message"]}]}, "`input[0].type` must"),
        ({"tools": [{"name": "f"}]}, "`tools[0].type` must"),
        ({"tools": [{"type": "function"}]}, "`tools[0].name` is missing"),
        ({"text": {"format": {"type": "json_schema", "schema": {}, "strict": "yes"}}}, "`text.format` is wrong"),
        ({"background": True}, "`background` is not supported"),
        ({"temperature": "hot"}, "`temperature` is wrong"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read(**fields)
    assert str(raised.value).startswith(field)


names = st.sampled_from(
    ["model", "input", "role", "content", "type", "text", "tools", "call_id", "output", "summary", "id"]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from(["message", "user", "assistant", "reasoning", "function_call", "x"]),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(names, x, max_size=4),
    max_leaves=15,
)


@given(
    st.binary(max_size=30)
    | values.map(lambda v: json.dumps({"model": "m", "input": v}).encode())
    | values.map(lambda v: json.dumps(v).encode())
)
def test_no_body_raises_anything_else(body: bytes) -> None:
    try:
        request = decode_request(body)
    except InvalidInput as error:
        assert str(error)
    else:
        again = encode_request(request, stream=False).body
        assert decode_request(again).messages == request.messages
