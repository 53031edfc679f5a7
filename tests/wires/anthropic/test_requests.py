"""Requests on the Anthropic wire: what callers ask, and what providers get."""

import base64
import json
from typing import Any

import anthropic.types as sdk
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from noria.core.errors import InvalidInput
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
from noria.core.requests import Lineage, Parameters, Reasoning, Request, ToEmbed, Tool
from noria.wires.anthropic import Anthropic, CountTokens, decode_request
from noria.wires.wire import Encoded

PARAMS: TypeAdapter[Any] = TypeAdapter(sdk.message_create_params.MessageCreateParamsNonStreaming)
PDF = base64.b64encode(b"%PDF-1.7").decode()
CLAUDE = "anthropic-claude-v1"
SIGNED = {"type": "thinking", "thinking": "hm", "signature": "sig="}


def read(**fields: Any) -> Request:
    return decode_request(json.dumps({"model": "m", "max_tokens": 9, "messages": []} | fields).encode())


def sent(request: Request, *, model: str = "claude-sonnet-4-5", stream: bool = False, **options: Any) -> Encoded:
    return Anthropic(**options).encode(request, stream=stream, model=model)


def written(request: Request, **options: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(sent(request, **options).body)
    if not body["stream"]:
        PARAMS.validate_python(body)
    return body


def said(*messages: Message, **fields: Any) -> Request:
    return Request(model="m", messages=messages, wire="openai_chat", **fields)


FULL: dict[str, Any] = {
    "model": "claude",
    "max_tokens": 4000,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What are these?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                {
                    "type": "image",
                    "source": {"type": "url", "url": "https://x/y.jpg"},
                    "cache_control": {"type": "ephemeral"},
                },
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                    "title": "A",
                    "citations": {"enabled": True},
                },
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "größer"}},
                {"type": "document", "source": {"type": "url", "url": "https://x/z.pdf"}},
                {"type": "document", "source": {"type": "file", "file_id": "f1"}},
                {
                    "type": "search_result",
                    "source": "https://x",
                    "title": "X",
                    "content": [{"type": "text", "text": "x"}],
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                SIGNED,
                {"type": "text", "text": "Let me see."},
                {"type": "redacted_thinking", "data": "hidden"},
                {"type": "tool_use", "id": "t1", "name": "look", "input": {"a": 1}},
                {"type": "tool_use", "id": "t2", "name": "look", "input": {}, "cache_control": {"type": "ephemeral"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "a cat"},
                {
                    "type": "tool_result",
                    "tool_use_id": "t2",
                    "content": [
                        {"type": "text", "text": "broke"},
                        {"type": "image", "source": {"type": "url", "url": "https://x/p.png"}},
                    ],
                    "is_error": True,
                    "cache_control": {"type": "ephemeral"},
                },
                {"type": "text", "text": "And now?"},
            ],
        },
        {"role": "system", "content": "Now in French."},
    ],
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 4,
    "stop_sequences": ["END"],
    "stream": False,
    "tools": [
        {
            "name": "look",
            "description": "Looks.",
            "input_schema": {"type": "object", "properties": {"a": {"type": "integer"}}},
            "strict": True,
            "cache_control": {"type": "ephemeral"},
        },
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 2},
        {"name": "odd", "input_schema": {"type": "object"}, "input_examples": [{}]},
    ],
    "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
    "thinking": {"type": "enabled", "budget_tokens": 2000},
    "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}},
    "metadata": {"user_id": "u1"},
    "service_tier": "auto",
    "container": "c1",
}


def test_a_full_request_is_read() -> None:
    assert decode_request(json.dumps(FULL).encode()) == Request(
        model="claude",
        messages=(
            Message(role="system", content=(TextPart(text="Be brief.", cache="1h"),)),
            Message(
                role="user",
                content=(
                    TextPart(text="What are these?"),
                    ImagePart(url="data:image/png;base64,AAAA"),
                    ImagePart(url="https://x/y.jpg", cache="5m"),
                    FilePart(url=f"data:application/pdf;base64,{PDF}", name="A", cite=True),
                    FilePart(url="data:text/plain;base64," + base64.b64encode("größer".encode()).decode()),
                    FilePart(url="https://x/z.pdf", media_type="application/pdf"),
                    OtherPart(data=FULL["messages"][0]["content"][6]),
                    OtherPart(data=FULL["messages"][0]["content"][7]),
                ),
            ),
            Message(
                role="assistant",
                content="Let me see.",
                reasoning="hm",
                thoughts=(
                    Thought(text="hm", signature="sig=", format=CLAUDE),
                    Thought(signature="hidden", redacted=True, at=1, format=CLAUDE),
                ),
                tool_calls=(
                    ToolCall(id="t1", name="look", arguments='{"a":1}'),
                    ToolCall(id="t2", name="look", arguments="{}", cache="5m"),
                ),
            ),
            Message(role="tool", tool_call_id="t1", content="a cat"),
            Message(
                role="tool",
                tool_call_id="t2",
                tool_failed=True,
                content=(TextPart(text="broke"), ImagePart(url="https://x/p.png", cache="5m")),
            ),
            Message(role="user", content="And now?"),
            Message(role="system", content="Now in French."),
        ),
        params=Parameters(
            temperature=0.5,
            top_p=0.9,
            top_k=4,
            max_tokens=4000,
            stop=("END",),
            response_schema={"type": "object"},
            parallel_tools=False,
            reasoning=Reasoning(effort="high", tokens=2000),
        ),
        tools=(
            Tool(
                name="look", description="Looks.", parameters=FULL["tools"][0]["input_schema"], strict=True, cache="5m"
            ),
            Tool(name="web_search", hosted=FULL["tools"][1]),
            Tool(name="odd", parameters={"type": "object"}, hosted=FULL["tools"][2]),
        ),
        tool_choice="required",
        stream=False,
        wire="anthropic",
        unread={"service_tier": "auto", "container": "c1"},
        lineage=Lineage(user_id="u1"),
        attributes={"metadata": {"user_id": "u1"}},
    )


def test_a_full_request_goes_on_as_it_came() -> None:
    again = written(decode_request(json.dumps(FULL).encode()), model="claude")
    system = again.pop("system")
    assert system == FULL["system"]
    assert again == {name: value for name, value in FULL.items() if name != "system"}


text = st.text(alphabet="abc \n€😀", max_size=6)
word = st.text(alphabet="abc€", min_size=1, max_size=5)
cache = st.none() | st.sampled_from(["5m", "1h"])
texts = st.builds(TextPart, text=word, cache=cache)
documents = st.builds(
    FilePart,
    url=st.just(f"data:application/pdf;base64,{PDF}") | word.map(lambda w: f"data:text/plain;base64,{base64.b64encode(w.encode()).decode()}"),
    name=st.none() | word, cite=st.booleans(), cache=cache,
)  # fmt: skip
parts = (
    texts
    | documents
    | st.builds(ImagePart, url=st.sampled_from(["https://x/y.png", "data:image/gif;base64,AAAA"]), cache=cache)
)
several = st.lists(parts, min_size=2, max_size=3).map(tuple)
calls = st.builds(
    ToolCall, id=st.from_regex(r"[a-zA-Z0-9_-]{1,9}", fullmatch=True), name=word,
    arguments=st.dictionaries(word, st.integers(), max_size=2).map(lambda d: msgspec.json.encode(d).decode()), cache=cache,
)  # fmt: skip


@st.composite
def turns(draw: st.DrawFn) -> tuple[Message, ...]:
    """What a caller of this wire can say in one question, answer and result."""
    asked = Message(role="user", content=draw(word | several))
    called = tuple(draw(st.lists(calls, max_size=2, unique_by=lambda call: call.id)))
    content = draw(word | st.lists(texts, min_size=2, max_size=2).map(tuple))
    places = sorted(draw(st.lists(st.integers(0, len(called) + (1 if isinstance(content, str) else 2)), max_size=2)))
    thoughts = tuple(Thought(text=draw(text), signature=draw(word), at=place, format=CLAUDE) for place in places)
    answered = Message(
        role="assistant",
        content=content,
        tool_calls=called,
        thoughts=thoughts,
        reasoning="".join(t.text for t in thoughts),
    )
    results = tuple(
        Message(role="tool", tool_call_id=call.id, content=draw(text | several), tool_failed=draw(st.booleans()))
        for call in called
    )
    return (asked, answered, *results)


requests = st.builds(
    Request,
    model=st.just("m"),
    messages=st.tuples(
        st.just(()) | st.builds(Message, role=st.just("system"), content=word | st.lists(texts, min_size=2, max_size=2).map(tuple)).map(lambda m: (m,)),
        st.lists(turns(), max_size=2),
    ).map(lambda found: (*found[0], *(message for turn in found[1] for message in turn))),
    params=st.builds(
        Parameters,
        temperature=st.none() | st.floats(0, 1), top_p=st.none() | st.floats(0, 1), top_k=st.none() | st.integers(1, 99),
        max_tokens=st.integers(0, 9999), stop=st.lists(word, max_size=2).map(tuple),
        response_schema=st.none() | st.just({"type": "object"}),
        reasoning=st.none() | st.builds(
            Reasoning, tokens=st.sampled_from([-1, 1024, 5000]), effort=st.none() | st.just("max"), shown=st.none() | st.booleans()
        ) | st.just(Reasoning(tokens=0)) | st.just(Reasoning(effort="low")),
    ),
    tools=st.lists(
        st.builds(Tool, name=word, description=text, parameters=st.just({"type": "object"}), strict=st.none() | st.booleans(), cache=cache)
        | st.just(Tool(name="web", hosted={"type": "web_1", "name": "web"})), min_size=1, max_size=2,
    ).map(tuple),
    tool_choice=st.sampled_from([None, "auto", "none", "required", {"type": "function", "function": {"name": "f"}}]),
    stream=st.booleans(),
    wire=st.just("anthropic"),
    unread=st.dictionaries(st.sampled_from(["service_tier", "container", "mcp_servers"]), st.integers(1, 5)),
    lineage=st.builds(Lineage, user_id=st.none() | word),
)  # fmt: skip


@given(requests)
def test_what_is_written_reads_back(request: Request) -> None:
    attributes = {"metadata": {"user_id": request.lineage.user_id}} if request.lineage.user_id else {}
    body = sent(request, model="m", stream=bool(request.stream)).body
    assert decode_request(body) == msgspec.structs.replace(request, attributes=attributes)


@given(requests, st.data())
def test_no_mutation_of_a_body_raises_anything_else(request: Request, draw: st.DataObject) -> None:
    body = json.loads(sent(request, model="m").body)
    anything = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=3)
        | st.just([{}])
        | st.just({"type": 5})
        | st.just([5])
    )
    target: Any = body
    while True:
        key = draw.draw(st.sampled_from(list(target) if isinstance(target, dict) else range(len(target))))
        if isinstance(target[key], dict | list) and target[key] and draw.draw(st.booleans()):
            target = target[key]
            continue
        target[key] = draw.draw(anything)
        break
    try:
        sent(decode_request(json.dumps(body).encode()))
    except InvalidInput as error:
        assert str(error)


@pytest.mark.parametrize(
    "body", [b"", b"[1]", b'"x"', b"{", b"\xff", b'{"a":"\xff"}', b"[" * 100_000, b'{"model": NaN}', b"{}"]
)
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        decode_request(body)


def user(*blocks: Any) -> list[Any]:
    return [{"role": "user", "content": list(blocks)}]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"model": ""}, "`model` is wrong"),
        ({"max_tokens": None}, "`max_tokens` is missing"),
        ({"max_tokens": "many"}, "`max_tokens` is wrong"),
        ({"messages": [{"role": "king", "content": ""}]}, "`messages[0].role` is wrong"),
        ({"messages": [{"role": "user"}]}, "`messages[0].content` is missing"),
        ({"messages": user({"text": "x"})}, "`messages[0].content[0].type` must"),
        ({"messages": user({"type": "text"})}, "`messages[0].content[0].text` is missing"),
        ({"messages": user({"type": "text", "text": "x", "cache_control": {"type": "forever"}})}, "`messages[0].content[0].cache_control` is wrong"),
        ({"messages": user({"type": "tool_result"})}, "`messages[0].content[0].tool_use_id` is missing"),
        ({"messages": user({"type": "tool_result", "tool_use_id": "x", "content": 5})}, "`messages[0].content[0].content` must"),
        ({"messages": user({"type": "tool_result", "tool_use_id": "x", "is_error": "no"})}, "`messages[0].content[0].is_error` must"),
        ({"messages": [{"role": "assistant", "content": [{"type": "tool_use", "id": "x", "name": "f", "input": "x"}]}]}, "`messages[0].content[0].input` must"),
        ({"tools": [{}]}, "`tools[0].name` is missing"),
        ({"tools": [{"name": "f"}]}, "`tools[0].input_schema` is missing"),
        ({"tools": [{"name": "f", "input_schema": {}, "strict": "yes"}]}, "`tools[0]` is wrong"),
        ({"tool_choice": {"type": "tool"}}, "`tool_choice.type` must"),
        ({"tool_choice": {"type": "any", "disable_parallel_tool_use": 1}}, "`tool_choice.disable_parallel_tool_use` must"),
        ({"output_config": {"format": {"type": "yaml"}}}, "`output_config.format` must"),
        ({"output_config": {"effort": 5}}, "`output_config.effort` must"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        read(**fields)
    assert str(raised.value).startswith(sentence)


# -- from other wires


def test_a_conversation_of_another_wire() -> None:
    request = said(
        Message(role="system", content="Be brief."),
        Message(role="developer", content="And kind."),
        Message(role="user", content="hi"),
        Message(role="assistant", content="\n\n", tool_calls=(ToolCall(id="call:1/ä", name="f", arguments=""), ToolCall(id="c2", name="g", arguments='{"x": 1.50}'))),
        Message(role="tool", tool_call_id="call:1/ä", content=""),
        Message(role="tool", tool_call_id="c2", content="two", tool_failed=True),
        Message(role="user", content=(TextPart(text=" "), TextPart(text="go on"))),
        Message(role="assistant", content="", refusal="I can't."),
    )  # fmt: skip
    body = written(request)
    assert body["system"] == [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "And kind."}]
    [asked, called, results, refused] = body["messages"]
    assert asked == {"role": "user", "content": "hi"}
    [first, second] = called["content"]
    assert (first["input"], second["input"]) == ({}, {"x": 1.5})
    assert b'{"x": 1.50}' in sent(request).body  # as the model wrote it
    assert first["id"].startswith("toolu_")
    assert [block["type"] for block in results["content"]] == ["tool_result", "tool_result", "text"]
    assert results["content"][0] == {"type": "tool_result", "tool_use_id": first["id"]}
    assert results["content"][1] == {"type": "tool_result", "tool_use_id": "c2", "content": "two", "is_error": True}
    assert refused["content"] == [{"type": "text", "text": "I can't."}]
    assert body["max_tokens"] == 8192
    assert written(request, most_tokens=100)["max_tokens"] == 100


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"params": Parameters(seed=1)}, "seed"),
        ({"params": Parameters(presence_penalty=1)}, "presence_penalty"),
        ({"params": Parameters(frequency_penalty=1)}, "frequency_penalty"),
        ({"params": Parameters(logprobs=0)}, "logprobs"),
        ({"params": Parameters(temperature=1.5)}, "temperature"),
        ({"params": Parameters(reasoning=Reasoning(effort="heroic"))}, "reasoning"),
        ({"params": Parameters(reasoning=Reasoning(effort="low"), max_tokens=1000)}, "reasoning"),
        ({"n": 2}, "n"),
        ({"unread": {"logit_bias": {"5": 1}}}, "logit_bias"),
        ({"tools": (Tool(name="web", hosted={"type": "web_search"}),)}, "tools"),
        ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"messages": (Message(role="user", content=(AudioPart(data="AAAA", format="wav"),)),)}, "audio"),
        ({"messages": (Message(role="user", content=(ImagePart(url="https://x", detail="low"),)),)}, "detail"),
        ({"messages": (Message(role="user", content=(FilePart(url="data:application/zip;base64,AAAA"),)),)}, "file"),
        ({"messages": (Message(role="user", content=(FilePart(url="https://x", media_type="text/csv"),)),)}, "file"),
        ({"messages": (Message(role="user", content=(OtherPart(data={"type": "video"}),)),)}, "video"),
        ({"messages": (Message(role="user", name="Ada", content="hi"),)}, "name"),
        ({"messages": (Message(role="system", content=(TextPart(text="a"), ImagePart(url="https://x"))),)}, "image"),
        ({"messages": (Message(role="assistant", tool_calls=(ToolCall(id="a", name="f", arguments="x", custom=True),)),)}, "custom"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_is_refused_or_dropped_where_allowed(fields: dict[str, Any], name: str) -> None:
    request = Request(**({"model": "m", "wire": "openai_chat"} | fields))
    with pytest.raises(InvalidInput, match=f"`{name}` can't be carried to Anthropic"):
        sent(request)
    encoded = sent(msgspec.structs.replace(request, may_drop=(name,)))
    assert encoded.dropped == (name,)
    PARAMS.validate_json(encoded.body)


@pytest.mark.parametrize(
    "message",
    [
        Message(role="assistant", content="a", reasoning="hm"),
        Message(role="assistant", content="a", thoughts=(Thought(text="hm"),)),
        Message(role="assistant", content="a", thoughts=(Thought(id="rs_1", signature="x"),)),
        Message(role="assistant", content="a", thoughts=(Thought(signature="x", format="google-gemini-v1"),)),
        Message(role="assistant", content="a", tool_calls=(ToolCall(id="c", name="f", arguments="{}", signature="x"),)),
    ],
    ids=["unsigned", "unsigned block", "OpenAI's", "Gemini's", "the seal of a call"],
)
def test_thinking_of_others_is_left_out_and_told_or_refused_to_those_who_want_nothing_left_out(
    message: Message,
) -> None:
    request = said(message, Message(role="tool", tool_call_id="c", content="x"))
    encoded = sent(request)
    assert encoded.dropped == ("thinking",)
    assert "hm" not in encoded.body.decode()
    assert "signature" not in encoded.body.decode()
    PARAMS.validate_json(encoded.body)
    with pytest.raises(InvalidInput, match="`thinking` can't be carried to Anthropic"):
        sent(msgspec.structs.replace(request, may_drop=("none",)))


def test_json_of_any_shape_is_asked_for_in_words() -> None:
    encoded = sent(said(Message(role="system", content="Hi."), params=Parameters(response_json=True)))
    assert encoded.emulated == ("response_json",)
    assert "JSON object" in json.loads(encoded.body)["system"]


def test_nothing_but_chat() -> None:
    with pytest.raises(InvalidInput, match="no embeddings"):
        sent(Request(model="m", embed=ToEmbed(inputs=("a",))))


def test_instructions_in_the_middle() -> None:
    request = said(
        Message(role="user", content="hi"),
        Message(role="developer", content="In French."),
        Message(role="assistant", content="salut"),
        Message(role="system", content="In German."),
        Message(role="user", content="bye"),
    )
    newer, older = sent(request, model="claude-opus-5"), sent(request)
    assert [turn["role"] for turn in json.loads(newer.body)["messages"]] == [
        "user",
        "system",
        "assistant",
        "user",
        "user",
    ]
    assert [turn["role"] for turn in json.loads(older.body)["messages"]] == [
        "user",
        "user",
        "assistant",
        "user",
        "user",
    ]
    assert json.loads(older.body)["messages"][1]["content"] == "<system>\nIn French.\n</system>"
    assert newer.emulated == older.emulated == ("system",)


@pytest.mark.parametrize(
    ("reasoning", "by_budget", "adaptive"),
    [
        (Reasoning(effort="low"), {"type": "enabled", "budget_tokens": 2048}, ({"type": "adaptive"}, "low")),
        (Reasoning(effort="minimal"), {"type": "enabled", "budget_tokens": 1024}, ({"type": "adaptive"}, "low")),
        (Reasoning(effort="max"), {"type": "enabled", "budget_tokens": 65536}, ({"type": "adaptive"}, "max")),
        (Reasoning(effort="none"), {"type": "disabled"}, ({"type": "disabled"}, None)),
        (Reasoning(tokens=0), {"type": "disabled"}, ({"type": "disabled"}, None)),
        (Reasoning(tokens=500), {"type": "enabled", "budget_tokens": 1024}, ({"type": "adaptive"}, "low")),
        (Reasoning(tokens=16000), {"type": "enabled", "budget_tokens": 16000}, ({"type": "adaptive"}, "high")),
        (Reasoning(tokens=-1), {"type": "enabled", "budget_tokens": 8192}, ({"type": "adaptive"}, None)),
        (Reasoning(shown=True), None, (None, None)),
        (
            Reasoning(effort="high", shown=False),
            {"type": "enabled", "budget_tokens": 16384, "display": "omitted"},
            ({"type": "adaptive", "display": "omitted"}, "high"),
        ),
    ],
)
def test_effort_becomes_a_budget_or_stays_a_word(reasoning: Reasoning, by_budget: Any, adaptive: Any) -> None:
    request = said(Message(role="user", content="hi"), params=Parameters(reasoning=reasoning))
    older = written(request)
    assert older.get("thinking") == by_budget
    assert older["max_tokens"] == 8192 + (by_budget or {}).get("budget_tokens", 0)
    for newer in (written(request, model="claude-opus-4-8"), written(request, model="some", thinking="adaptive")):
        assert (newer.get("thinking"), newer.get("output_config", {}).get("effort")) == adaptive
    assert written(request, model="claude-opus-5", thinking="budget").get("thinking") == by_budget


def test_an_effort_takes_no_more_than_half_of_the_limit() -> None:
    request = said(params=Parameters(reasoning=Reasoning(effort="high"), max_tokens=8000))
    assert written(request)["thinking"] == {"type": "enabled", "budget_tokens": 4000}


@pytest.mark.parametrize(
    ("model", "adaptive"),
    [
        ("claude-3-7-sonnet-20250219", False),
        ("claude-sonnet-4-20250514", False),
        ("claude-opus-4-5-20251101", False),
        ("claude-haiku-4-5", False),
        ("claude-opus-4-6", True),
        ("claude-opus-4.7", True),
        ("anthropic.claude-sonnet-5-v1", True),
        ("claude-mythos-preview", True),
        ("deepseek-reasoner", False),
    ],
)
def test_which_models_think_by_themselves(model: str, adaptive: bool) -> None:
    request = said(params=Parameters(reasoning=Reasoning(effort="low")))
    assert (written(request, model=model)["thinking"]["type"] == "adaptive") is adaptive


@pytest.mark.parametrize(
    "thinking", [{"type": "between_tools"}, {"type": "enabled", "budget_tokens": 2000, "novel": 1}]
)
def test_thinking_that_has_no_noun_goes_on_to_the_same_wire(thinking: dict[str, Any]) -> None:
    request = read(thinking=thinking)
    assert request.unread == {"thinking": thinking}
    assert json.loads(sent(request).body)["thinking"] == thinking


def test_the_rest_of_output_config_goes_on() -> None:
    request = read(output_config={"effort": "low", "task_budget": {"type": "tokens", "total": 9}})
    assert written(request)["output_config"] == {"effort": "low", "task_budget": {"type": "tokens", "total": 9}}


def test_the_older_name_of_structured_output_is_known() -> None:
    format = {"type": "json_schema", "schema": {"type": "object"}}
    request = read(output_format=format)
    assert request.params.response_schema == {"type": "object"}
    assert written(request)["output_config"] == {"format": format}


def test_blocks_that_say_more_than_their_noun_are_kept_whole() -> None:
    call = {
        "type": "tool_use",
        "id": "t",
        "name": "f",
        "input": {},
        "caller": {"type": "code_execution_20250825", "tool_id": "x"},
    }
    result = {"type": "tool_result", "tool_use_id": "t", "content": "x", "toolset_name": "browser"}
    messages = [{"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    request = read(messages=messages)
    assert [message.content for message in request.messages] == [(OtherPart(data=call),), (OtherPart(data=result),)]
    assert written(request)["messages"] == messages


def test_headers_and_noria_s_own_fields() -> None:
    request = read(variables={"a": 1}, metadata={"user_id": "u", "session_id": "s"})
    assert (request.variables, request.lineage) == ({"a": 1}, Lineage(user_id="u", session_id="s"))
    body = written(request)
    assert body["metadata"] == {"user_id": "u"}
    assert "variables" not in body
    with_beta = msgspec.structs.replace(request, headers={"anthropic-beta": "x"})
    assert sent(with_beta).headers == {"anthropic-beta": "x"}
    assert sent(msgspec.structs.replace(with_beta, wire="openai_chat", unread={})).headers == {}
    assert Anthropic().headers("k") == {
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        "x-api-key": "k",
    }
    assert "x-api-key" not in Anthropic().headers("")


def test_extra_fields_never_replace_ours() -> None:
    extra = {"model": "x", "stream": True, "temperature": 2, "service_tier": "auto", "output_config": {"a": 1}}
    request = Request(model="m", params=Parameters(temperature=0.5, extra=extra, response_schema={"type": "object"}))
    body = json.loads(sent(request).body)
    assert (body["model"], body["stream"], body["temperature"], body["service_tier"]) == (
        "claude-sonnet-4-5",
        False,
        0.5,
        "auto",
    )
    assert body["output_config"] == {"a": 1, "format": {"type": "json_schema", "schema": {"type": "object"}}}


def test_a_count_is_asked_for_with_the_same_prompt() -> None:
    body = {name: value for name, value in FULL.items() if name not in {"max_tokens", "stream"}}
    incoming = CountTokens().decode(json.dumps(body).encode(), path={}, id="1", created=1)
    request, answer = incoming.request, incoming.answer
    encoded = sent(request, model="claude")
    assert encoded.path == "/messages/count_tokens"
    asked = json.loads(encoded.body)
    assert asked["messages"] == FULL["messages"]
    assert not asked.keys() & {"max_tokens", "temperature", "stream", "metadata"}
    reply = Anthropic().decode_reply(b'{"input_tokens": 2095}', request)
    assert json.loads(answer.whole(reply)) == {"input_tokens": 2095}


def test_when_arguments_are_streamed_is_carried_and_no_reason_to_refuse_a_tool() -> None:
    tool = {"name": "f", "input_schema": {"type": "object"}, "eager_input_streaming": True}
    request = read(tools=[tool])
    assert (request.tools[0].hosted, request.tools[0].eager) == ({}, True)
    assert written(request)["tools"] == [tool]
    with pytest.raises(InvalidInput, match="eager_input_streaming"):
        read(tools=[tool | {"eager_input_streaming": 1}])
