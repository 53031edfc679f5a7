"""Requests on the OpenAI Chat wire."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core.errors import InvalidInput
from noria.core.messages import (
    AudioPart,
    Citation,
    FilePart,
    ImagePart,
    Message,
    OtherPart,
    TextPart,
    Thought,
    ToolCall,
)
from noria.core.requests import Lineage, Parameters, Reasoning, Request, Tool
from noria.wires.carrying import Carrying
from noria.wires.openai_chat import Dialect, OpenAIChat, Read, decode_request, encode_request
from noria.wires.wire import Encoded

OPENAI = Dialect(limit_field="max_completion_tokens", extensions=())
PDF = "data:application/pdf;base64,JVBERg=="


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
    read = decode_request(json.dumps(body).encode())
    request = read.request
    assert (request.stream, read.include_usage) == (True, True)
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
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "1", "function": {}}]}]},
            "`messages[0].tool_calls[0].function.name` is missing",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "1", "type": "robot"}]}]},
            "`messages[0].tool_calls[0].type` is 'robot'",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "1", "type": "custom", "custom": {}}]}]},
            "`messages[0].tool_calls[0].custom.name` is missing",
        ),
        ({"messages": [{"role": "assistant", "function_call": {}}]}, "`messages[0].function_call.name` is missing"),
        ({"top_logprobs": 3}, "`top_logprobs` needs `logprobs`"),
        ({"reasoning_effort": "low", "reasoning": {"effort": "high"}}, "`reasoning_effort` (low) and"),
        ({"reasoning": {"depth": 3}}, "`reasoning` is wrong"),
        ({"temperature": "hot"}, "`temperature` is wrong"),
        ({"n": 0}, "`n` is wrong"),
        ({"tools": [{"type": 5, "function": {"name": "x"}}]}, "`tools[0].type` must name"),
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
        {"type": "video_url", "video_url": {"url": "u"}},
        {"type": "text", "text": "x", "cache_control": {"type": "eternal"}},
        {"type": "image_url", "image_url": {"url": "u", "novel": 1}},
        {"type": "file", "file": {"file_id": "file_1"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav", "rate": 8000}},
    ]
    request = read(messages=[{"role": "user", "content": parts}])
    assert request.messages[0].content == tuple(OtherPart(data=part) for part in parts)
    assert written(request)["messages"][0]["content"] == parts


def test_a_reply_bound_to_json_is_a_parameter_and_what_else_is_asked_for_is_passed_on() -> None:
    schema = {"type": "object", "properties": {}}
    strict = {"type": "json_schema", "json_schema": {"name": "reply", "schema": schema, "strict": True}}
    loose = {"type": "json_schema", "json_schema": {"name": "cat", "schema": schema, "strict": False}}
    for wanted, params in (
        (strict, Parameters(response_schema=schema)),
        (loose, Parameters(response_schema=schema, response_name="cat", response_strict=False)),
        ({"type": "json_object"}, Parameters(response_json=True)),
    ):
        request = read(response_format=wanted)
        assert (request.params, request.unread) == (params, {})
        assert written(request)["response_format"] == wanted
    assert read(response_format={"type": "text"}) == read()
    other = {"type": "grammar", "grammar": "root ::= x"}
    request = read(response_format=other)
    assert request.unread == {"response_format": other}
    assert written(request)["response_format"] == other


def test_streams_are_asked_for_with_usage() -> None:
    assert written(read(), stream=True)["stream_options"] == {"include_usage": True}
    assert "stream_options" not in written(read())


def test_the_limit_goes_by_the_name_the_provider_knows() -> None:
    request = read(max_tokens=3)
    assert written(request)["max_tokens"] == 3
    newer = written(request, dialect=OPENAI)
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


def said(*messages: dict[str, Any]) -> tuple[Message, ...]:
    return read(messages=list(messages)).messages


def elsewhere(request: Request, dialect: Dialect = OPENAI, **changes: Any) -> Encoded:
    """The request of a caller of another wire, as a server of this one is sent it."""
    changed = msgspec.structs.replace(request, wire="another", **changes)
    return encode_request(changed, stream=False, dialect=dialect)


def test_parts_of_all_kinds_come_and_go() -> None:
    parts: list[dict[str, Any]] = [
        {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}},
        {"type": "text", "text": "y", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "image_url", "image_url": {"url": "u", "detail": "low"}, "cache_control": {"type": "ephemeral"}},
        {"type": "file", "file": {"file_data": PDF, "filename": "a.pdf"}},
        {"type": "file", "file": {"file_data": PDF}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
    ]
    [message] = said({"role": "user", "content": parts})
    assert message.content == (
        TextPart(text="x", cache="5m"),
        TextPart(text="y", cache="1h"),
        ImagePart(url="u", detail="low", cache="5m"),
        FilePart(url=PDF, name="a.pdf"),
        FilePart(url=PDF),
        AudioPart(data="AAAA", format="wav"),
    )
    assert written(read(messages=[{"role": "user", "content": parts}]))["messages"][0]["content"] == parts


def test_a_server_that_takes_no_cache_marks_caches_by_itself() -> None:
    marked = read(
        messages=[{"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}],
        tools=[{"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}],
    )
    sent = elsewhere(marked)
    assert (sent.dropped, sent.emulated) == ((), ("cache",))
    assert b"cache_control" not in sent.body
    taken = elsewhere(marked, Dialect(extensions=("cache_control",)))
    assert (taken.emulated, taken.body.count(b"cache_control")) == ((), 2)


def test_a_file_from_elsewhere_has_a_name_and_an_address_is_refused() -> None:
    def asked(url: str) -> Request:
        return Request(model="m", messages=(Message(role="user", content=(FilePart(url=url),)),))

    [part] = json.loads(elsewhere(asked(PDF)).body)["messages"][0]["content"]
    assert part == {"type": "file", "file": {"file_data": PDF, "filename": "document.pdf"}}
    with pytest.raises(InvalidInput, match="`file` can't be carried"):
        elsewhere(asked("https://x/y.pdf"))
    dropped = elsewhere(asked("https://x/y.pdf"), may_drop=("file",))
    assert (dropped.dropped, json.loads(dropped.body)["messages"][0]["content"]) == (("file",), [])


def test_what_only_compatible_servers_know_goes_to_them_and_to_their_own_callers() -> None:
    request = read(top_k=40, messages=[{"role": "assistant", "content": "b", "reasoning_content": "a"}])
    assert request.params.top_k == 40
    body = written(request, dialect=OPENAI)
    assert (body["top_k"], body["messages"][0]["reasoning_content"]) == (40, "a")
    body = json.loads(elsewhere(request, Dialect()).body)
    assert (body["top_k"], body["messages"][0]["reasoning_content"]) == (40, "a")
    with pytest.raises(InvalidInput, match="`top_k` can't be carried"):
        elsewhere(request)
    assert elsewhere(request, may_drop=("*",)).dropped == ("thinking", "top_k")


@pytest.mark.parametrize(
    ("fields", "reasoning", "elsewhere_effort"),
    [
        ({"reasoning_effort": "low"}, Reasoning(effort="low"), "low"),
        ({"reasoning": {"effort": "high"}}, Reasoning(effort="high"), "high"),
        ({"reasoning": {"max_tokens": 2000}}, Reasoning(tokens=2000), "low"),
        ({"reasoning": {"effort": "low", "exclude": True}}, Reasoning(effort="low", shown=False), "low"),
        ({"reasoning": {"enabled": False}}, Reasoning(effort="none"), "none"),
        ({"reasoning": {"enabled": True}}, Reasoning(effort="medium"), "medium"),
    ],
)
def test_how_much_to_think(fields: dict[str, Any], reasoning: Reasoning, elsewhere_effort: str) -> None:
    request = read(**fields)
    assert (request.params.reasoning, request.unread) == (reasoning, {})
    assert read(**written(request)).params == request.params
    assert json.loads(elsewhere(request).body)["reasoning_effort"] == elsewhere_effort


def test_log_probabilities_and_parallel_calls() -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    asked = {"logprobs": True, "top_logprobs": 3, "parallel_tool_calls": False, "tools": tools}
    request = read(**asked)
    assert (request.params.logprobs, request.params.parallel_tools, request.unread) == (3, False, {})
    assert asked.items() <= written(request).items()
    assert read(logprobs=True).params.logprobs == 0
    assert read(logprobs=False).params.logprobs is None


def test_sealed_thinking_goes_back_as_it_came() -> None:
    details = [
        {
            "type": "reasoning.text",
            "text": "a",
            "signature": "s1",
            "id": "r1",
            "format": "anthropic-claude-v1",
            "index": 0,
        },
        {"type": "reasoning.encrypted", "data": "e", "index": 1, "at": 1},
    ]
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "s2"}},
    }
    sent = {"role": "assistant", "content": "hi", "reasoning_details": details, "tool_calls": [call]}
    [message] = said(sent)
    assert message.thoughts == (
        Thought(text="a", signature="s1", id="r1", format="anthropic-claude-v1"),
        Thought(signature="e", redacted=True, at=1),
    )
    assert message.tool_calls[0].signature == "s2"
    back = written(read(messages=[sent]))["messages"][0]
    assert back == sent | {"reasoning_content": "a"}
    with pytest.raises(InvalidInput, match="`thinking` can't be carried"):
        elsewhere(read(messages=[sent]), may_drop=("none",))
    assert elsewhere(read(messages=[sent]), Dialect()).dropped == ("thinking",)
    words = json.loads(elsewhere(read(messages=[sent]), Dialect()).body)["messages"][0]
    assert (words["reasoning_content"], words.keys() & {"reasoning_details", "extra_content"}) == ("a", set())
    litellm = json.loads(elsewhere(read(messages=[sent]), Dialect(extensions=("thinking_blocks",))).body)["messages"][0]
    blocks = [
        {"type": "thinking", "thinking": "a", "signature": "s1"},
        {"type": "redacted_thinking", "data": "e"},
    ]
    assert litellm["thinking_blocks"] == blocks
    [again] = said({"role": "assistant", "content": "", "thinking_blocks": blocks})
    assert again.thoughts == (Thought(text="a", signature="s1"), Thought(signature="e", redacted=True))


def test_functions_of_old_are_tools() -> None:
    request = read(
        functions=[{"name": "f", "description": "d", "parameters": {"type": "object"}}],
        function_call={"name": "f"},
        messages=[
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "4"},
        ],
    )
    assert request.tools == (Tool(name="f", description="d", parameters={"type": "object"}),)
    assert request.forced_tool == "f"
    assert request.messages[1].tool_calls == (ToolCall(id="call_1", name="f", arguments="{}"),)
    assert request.messages[2] == Message(role="tool", name="f", content="4", tool_call_id="call_1")
    assert read(functions=[], function_call="none").tool_choice == "none"


def test_custom_tools_go_to_the_same_wire_alone() -> None:
    custom = {"type": "custom", "custom": {"name": "sql", "format": {"type": "text"}}}
    call = {"id": "c", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
    request = read(tools=[custom], messages=[{"role": "assistant", "content": None, "tool_calls": [call]}])
    assert request.tools == (Tool(name="sql", hosted=custom),)
    assert request.messages[0].tool_calls == (ToolCall(id="c", name="sql", arguments="select 1", custom=True),)
    body = written(request)
    assert (body["tools"], body["messages"][0]["tool_calls"]) == ([custom], [call])
    with pytest.raises(InvalidInput, match="`custom` can't be carried"):
        elsewhere(request)


def test_refusals_and_citations_of_earlier_answers_are_kept() -> None:
    cited = {"type": "url_citation", "url_citation": {"start_index": 0, "end_index": 2, "title": "t", "url": "u"}}
    [message, refused] = said(
        {"role": "assistant", "content": "hi", "annotations": [cited]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
    )
    assert message.content == (TextPart(text="hi", citations=(Citation(url="u", title="t", start=0, end=2),)),)
    assert (refused.content, refused.refusal) == ((), "no")


def test_an_answer_with_citations_goes_back_as_it_came_but_for_what_only_noria_says() -> None:
    cited = {"type": "url_citation", "url_citation": {"start_index": 3, "end_index": 5, "title": "t", "url": "u"}}
    document = {"type": "document_citation", "document_citation": {"start_index": 0, "end_index": 1, "title": "d"}}
    turn: dict[str, Any] = {"role": "assistant", "content": "ab cd", "annotations": [cited]}
    assert written(read(messages=[turn]))["messages"] == [turn]
    parts = [{"type": "text", "text": "ab "}, {"type": "text", "text": "cd"}]
    [message] = said(turn | {"content": parts})
    assert [[c.start for c in part.citations] for part in message.content if isinstance(part, TextPart)] == [[], [0]]
    assert written(read(messages=[turn | {"content": parts}]))["messages"] == [turn | {"content": parts}]
    request = read(messages=[turn | {"document_citations": [document]}])
    encoded = OpenAIChat().encode(request, stream=False, model="m")
    assert encoded.dropped == ("citations",)
    assert json.loads(encoded.body)["messages"] == [turn]
    elsewhere(request)


def test_fields_of_a_message_without_a_noun_go_to_the_same_wire_alone() -> None:
    request = read(
        messages=[{"role": "assistant", "content": "x", "prefix": True, "audio": {"id": "a"}, "novel": None}]
    )
    assert request.messages[0].unread == {"prefix": True, "audio": {"id": "a"}}
    assert {"prefix": True, "audio": {"id": "a"}}.items() <= written(request)["messages"][0].items()
    with pytest.raises(InvalidInput, match="`prefix` can't be carried"):
        Carrying(request, "X").foreign("another", request)


def test_who_the_user_is() -> None:
    assert read(safety_identifier="u").lineage.user_id == "u"
    assert read(user="u", safety_identifier="u").unread == {}
    both = read(user="u", safety_identifier="s")
    assert (both.lineage.user_id, both.unread) == ("u", {"safety_identifier": "s"})


def test_fields_that_ask_for_nothing_stop_no_call_on_another_wire() -> None:
    request = read(store=False, service_tier="auto", logit_bias={}, modalities=None)
    assert Carrying(request, "X").foreign("another", request) == {}
    with pytest.raises(InvalidInput, match="`service_tier` can't be carried"):
        Carrying(request, "X").foreign("another", read(service_tier="flex"))


text = st.text(max_size=20)
cache = st.sampled_from([None, "5m", "1h"])
parts = st.one_of(
    st.builds(TextPart, text=text, cache=cache),
    st.builds(ImagePart, url=text, detail=st.none() | text, cache=cache),
    st.builds(FilePart, url=text, name=st.none() | text.filter(bool), cache=cache),
    st.builds(AudioPart, data=text, format=text),
)
calls = st.builds(
    ToolCall, id=text, name=st.text(min_size=1, max_size=9), arguments=text, signature=text, custom=st.booleans()
)
thoughts = st.builds(Thought, text=text, signature=text, id=text, format=text, at=st.integers(0, 3))
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
    st.builds(
        lambda t: Message(role="assistant", thoughts=tuple(t), reasoning="".join(one.text for one in t)),
        st.lists(thoughts, min_size=1, max_size=2),
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
    top_k=st.none() | st.integers(1, 99),
    logprobs=st.none() | st.integers(0, 5),
    reasoning=st.none()
    | st.builds(Reasoning, effort=st.sampled_from(["none", "high"]), shown=st.none() | st.booleans())
    | st.builds(Reasoning, tokens=st.integers(1, 9999)),
)
bound = st.one_of(
    params,
    st.builds(
        msgspec.structs.replace,
        params,
        response_schema=st.just({"type": "object"}),
        response_name=st.sampled_from([None, "cat"]),
        response_strict=st.booleans(),
    ),
    st.builds(msgspec.structs.replace, params, response_json=st.just(True)),
)
requests = st.builds(
    Request,
    model=st.text(min_size=1, max_size=9),
    messages=st.lists(messages, max_size=4).map(tuple),
    params=bound,
    tools=st.lists(
        st.builds(Tool, name=text, description=text, strict=st.none() | st.booleans(), cache=cache), max_size=2
    ).map(tuple),
    tool_choice=st.sampled_from([None, "auto", "none", {"type": "function", "function": {"name": "f"}}]),
    n=st.integers(1, 4),
    wire=st.just("openai_chat"),
    unread=st.dictionaries(st.sampled_from(["logit_bias", "service_tier", "store"]), st.integers(1, 5)),
    lineage=st.builds(Lineage, user_id=st.none() | text),
)


@given(requests, st.booleans())
def test_what_is_written_reads_back(request: Request, stream: bool) -> None:
    request = msgspec.structs.replace(request, stream=stream)
    assert decode_request(encode_request(request, stream=stream).body) == Read(request=request, include_usage=stream)
