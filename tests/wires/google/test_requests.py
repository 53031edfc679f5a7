"""Requests in Google's dialect, written to Google and read from callers."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from google.genai import types
from hypothesis import given, settings
from hypothesis import strategies as st

from noria.core.errors import InvalidInput
from noria.core.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    OtherPart,
    Part,
    TextPart,
    Thought,
    ToolCall,
)
from noria.core.replies import Choice, Reply
from noria.core.requests import Parameters, Reasoning, Request, ToEmbed, Tool
from noria.wires.anthropic import Anthropic
from noria.wires.bedrock import Bedrock
from noria.wires.cohere import Cohere
from noria.wires.google import EmbedContent, GenerateContent, Google
from noria.wires.openai_chat import OpenAIChat
from noria.wires.openai_responses import OpenAIResponses
from noria.wires.wire import Encoded, WireOut

PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0x"
SEAL = "CtQBAVSoXO4wYsJ/u+zVZ0aSIG0="
WEATHER = Tool(name="get_weather", description="Now.", parameters={"type": "object", "properties": {"city": {}}})


def encoded(request: Request, model: str = "gemini-2.5-flash", *, stream: bool = False) -> Encoded:
    return Google().encode(request, stream=stream, model=model)


def written(request: Request, model: str = "gemini-2.5-flash") -> dict[str, Any]:
    body: dict[str, Any] = json.loads(encoded(request, model).body)
    return body


def asked(*messages: Message, **fields: Any) -> Request:
    return Request(model="google/x", messages=messages or (Message(role="user", content="Hi"),), **fields)


def read(body: Any, *, stream: bool = False) -> Request:
    wire = GenerateContent(stream=stream)
    path = {"model": "google/gemini-2.5-flash", "query": "alt=sse"}
    return wire.decode(json.dumps(body).encode(), path=path, id="0" * 32, created=0).request


def check(body: dict[str, Any]) -> None:
    """The body is in the shape of the official client's own types."""
    for content in body["contents"]:
        types.Content.model_validate_json(json.dumps(content))
    types.GenerationConfig.model_validate_json(json.dumps(body.get("generationConfig", {})))
    for tool in body.get("tools", ()):
        types.Tool.model_validate_json(json.dumps(tool))
    types.ToolConfig.model_validate_json(json.dumps(body.get("toolConfig", {})))


FULL = asked(
    Message(role="system", content="Be brief."),
    Message(
        role="user",
        content=(
            TextPart(text="What is this?"),
            ImagePart(url=PNG),
            ImagePart(url="https://a.example/b.jpg"),
            FilePart(url=PDF),
            FilePart(url="https://a.example/c", media_type="application/pdf"),
            AudioPart(data="UklGRg==", format="wav"),
        ),
    ),
    Message(
        role="assistant",
        content="Let me see.",
        tool_calls=(
            ToolCall(id="noria_call_0", name="get_weather", arguments='{"city":"Hama"}', signature=SEAL),
            ToolCall(id="abc", name="get_time", arguments="{}"),
        ),
        reasoning="Hm.",
        thoughts=(Thought(text="Hm."), Thought(signature=SEAL, at=1, format="google-gemini-v1")),
    ),
    Message(role="tool", content="21 degrees", name="get_weather", tool_call_id="noria_call_0"),
    Message(role="tool", content="no clock", name="get_time", tool_call_id="abc", tool_failed=True),
    Message(role="user", content="And now?"),
    params=Parameters(
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        max_tokens=100,
        stop=("END",),
        seed=7,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        response_schema={"type": "object", "properties": {"a": {"type": "string"}}},
        logprobs=3,
        reasoning=Reasoning(tokens=512, shown=True),
    ),
    tools=(WEATHER, Tool(name="get_time", returns={"type": "string"})),
    tool_choice="required",
    n=2,
)


def test_everything_has_its_place() -> None:
    body = written(FULL)
    check(body)
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert [content["role"] for content in body["contents"]] == ["user", "model", "user", "user"]
    _, image, by_url, pdf, linked, sound = body["contents"][0]["parts"]
    assert image == {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}}
    assert by_url == {"fileData": {"fileUri": "https://a.example/b.jpg", "mimeType": "image/jpeg"}}
    assert pdf["inlineData"]["mimeType"] == "application/pdf"
    assert linked == {"fileData": {"fileUri": "https://a.example/c", "mimeType": "application/pdf"}}
    assert sound == {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}}
    assert body["contents"][1]["parts"] == [
        {"text": "Hm.", "thought": True},
        {"text": "Let me see.", "thoughtSignature": SEAL},
        {"functionCall": {"name": "get_weather", "args": {"city": "Hama"}}, "thoughtSignature": SEAL},
        {"functionCall": {"id": "abc", "name": "get_time", "args": {}}},
    ]
    assert body["contents"][2]["parts"] == [
        {"functionResponse": {"name": "get_weather", "response": {"output": "21 degrees"}}},
        {"functionResponse": {"name": "get_time", "response": {"error": "no clock"}, "id": "abc"}},
    ]
    assert body["generationConfig"] == {
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 40,
        "maxOutputTokens": 100,
        "seed": 7,
        "presencePenalty": 0.1,
        "frequencyPenalty": 0.2,
        "stopSequences": ["END"],
        "candidateCount": 2,
        "responseLogprobs": True,
        "logprobs": 3,
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object", "properties": {"a": {"type": "string"}}},
        "thinkingConfig": {"thinkingBudget": 512, "includeThoughts": True},
    }
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY"}}


def test_what_is_written_is_read_again() -> None:
    again = read(written(FULL))
    assert msgspec.structs.replace(again, model=FULL.model, wire="", stream=None) == FULL
    assert read(written(again)) == again


def test_addresses_and_keys() -> None:
    assert encoded(FULL).path == "/models/gemini-2.5-flash:generateContent"
    assert encoded(FULL, "tunedModels/mine", stream=True).path == "/tunedModels/mine:streamGenerateContent?alt=sse"
    for elsewhere in ("../../v1/files", "a?b", "a/../b", "", "a#b", "/a", "a//b"):
        with pytest.raises(InvalidInput, match="can't be the name"):
            encoded(FULL, elsewhere)
    assert Google().headers("k")["x-goog-api-key"] == "k"
    assert Google(vertex=True).headers("t")["Authorization"] == "Bearer t"
    assert set(Google().headers("")) == {"Content-Type", "Accept"}


@pytest.mark.parametrize(
    ("reasoning", "model", "thinking"),
    [
        (Reasoning(effort="low"), "gemini-2.5-flash", {"thinkingBudget": 2048}),
        (Reasoning(effort="high"), "gemini-2.5-pro", {"thinkingBudget": 16384}),
        (Reasoning(effort="max"), "gemini-2.5-pro", {"thinkingBudget": 24576}),
        (Reasoning(effort="low", shown=True), "gemini-3-pro", {"thinkingLevel": "LOW", "includeThoughts": True}),
        (Reasoning(effort="none"), "gemini-3-flash", {"thinkingBudget": 0}),
        (Reasoning(tokens=-1, effort="low"), "gemini-3-flash", {"thinkingBudget": -1}),
    ],
)
def test_how_much_to_think(reasoning: Reasoning, model: str, thinking: dict[str, Any]) -> None:
    body = written(asked(params=Parameters(reasoning=reasoning)), model)
    assert body["generationConfig"] == {"thinkingConfig": thinking}
    check(body)


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (
            {"type": "function", "function": {"name": "get_weather"}},
            {"mode": "ANY", "allowedFunctionNames": ["get_weather"]},
        ),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [{"type": "function", "function": {"name": name}} for name in ("a", "b")],
                },
            },
            {"mode": "VALIDATED", "allowedFunctionNames": ["a", "b"]},
        ),
    ],
)
def test_which_function_to_call(choice: Any, config: dict[str, Any]) -> None:
    body = written(asked(tools=(WEATHER,), tool_choice=choice))
    assert body["toolConfig"] == {"functionCallingConfig": config}
    assert read(body).tool_choice == choice


def test_strict_arguments_are_validated_ones() -> None:
    strict = msgspec.structs.replace(WEATHER, strict=True)
    assert written(asked(tools=(strict,)))["toolConfig"] == {"functionCallingConfig": {"mode": "VALIDATED"}}


def test_a_schema_that_google_does_not_hold_to_is_emulated() -> None:
    held = {"type": "object", "properties": {"pattern": {"type": "string"}}, "required": ["pattern"]}
    assert encoded(asked(params=Parameters(response_schema=held))).emulated == ()
    for part in ({"type": "string", "pattern": "^a"}, {"anyOf": [{"minLength": 1}]}, {"items": {"not": {}}}):
        schema = held | {"properties": {"a": part}}
        assert encoded(asked(params=Parameters(response_schema=schema))).emulated == ("response_schema",)


def test_system_messages_in_the_middle_go_to_the_front_and_it_is_said() -> None:
    said = asked(Message(role="user", content="a"), Message(role="developer", content="b"))
    assert encoded(said).emulated == ("system",)
    assert written(said)["systemInstruction"] == {"parts": [{"text": "b"}]}


def test_calls_of_other_models_go_unsealed_to_those_that_want_seals() -> None:
    call = ToolCall(id="call_1", name="get_weather", arguments="{}")
    said = asked(
        Message(role="assistant", tool_calls=(call,)), Message(role="tool", content="x", tool_call_id="call_1")
    )
    part = written(said, "gemini-3-pro")["contents"][0]["parts"][0]
    assert part["thoughtSignature"] == "skip_thought_signature_validator"
    assert encoded(said, "gemini-3-pro").emulated == ("signature",)
    assert "thoughtSignature" not in written(said)["contents"][0]["parts"][0]


def test_the_name_of_a_file_goes_to_whoever_takes_it() -> None:
    files = (
        FilePart(url=PDF, name="a.pdf"),
        FilePart(url="https://a.example/c.pdf", name="c.pdf"),
        ImagePart(url="data:image/png;base64,AAAA", name="i.png"),
        ImagePart(url="https://a.example/i.png", name="j.png"),
        AudioPart(data="AAAA", format="wav", name="s.wav"),
    )
    request = asked(Message(role="user", content=files), wire="openai_chat")
    assert encoded(request).dropped == ("filename",)
    assert b"displayName" not in encoded(request).body
    with pytest.raises(InvalidInput, match="`filename` can't be carried to Gemini"):
        encoded(msgspec.structs.replace(request, may_drop=("none",)))
    to_vertex = Google(vertex=True).encode(request, stream=False, model="gemini-2.5-flash")
    own = encoded(msgspec.structs.replace(request, wire="google"))
    for sent in (to_vertex, own):
        assert sent.dropped == ()
        seen = types.Content.model_validate(json.loads(sent.body)["contents"][0])
        names = [held.display_name for part in seen.parts or () if (held := part.inline_data or part.file_data)]
        assert names == ["a.pdf", "c.pdf", "i.png", "j.png", "s.wav"]
        read = GenerateContent().decode(sent.body, path={"model": "m"}, id="x", created=0).request
        assert [getattr(part, "name", "") for part in read.messages[0].content] == names


@pytest.mark.parametrize(
    "wire", [OpenAIChat(), OpenAIResponses(), Anthropic(), Bedrock(), Cohere()], ids=lambda wire: wire.name
)
def test_the_name_of_an_image_is_said_to_be_left_out_where_none_has_one(wire: WireOut) -> None:
    request = asked(Message(role="user", content=(ImagePart(url=PNG, name="i.png"),)), wire="google")
    sent = wire.encode(request, stream=False, model="m")
    assert sent.dropped == ("filename",)
    assert b"i.png" not in sent.body


REFUSED: list[tuple[str, Request]] = [
    ("parallel_tools", asked(tools=(WEATHER,), params=Parameters(parallel_tools=False))),
    ("name", asked(Message(role="user", content="a", name="bob"))),
    ("detail", asked(Message(role="user", content=(ImagePart(url=PNG, detail="low"),)))),
    ("cite", asked(Message(role="user", content=(FilePart(url=PDF, cite=True),)))),
    ("cache", asked(Message(role="user", content=(TextPart(text="a", cache="5m"),)))),
    ("cache", asked(tools=(msgspec.structs.replace(WEATHER, cache="1h"),))),
    ("document", asked(Message(role="user", content=(OtherPart(data={"type": "document"}),)))),
    ("tool_choice", asked(tools=(WEATHER,), tool_choice={"type": "web_search"})),
    ("logit_bias", asked(wire="openai_chat", unread={"logit_bias": {"1": 2}})),
    ("web_search", asked(wire="anthropic", tools=(Tool(name="web_search", hosted={"type": "web_search_1"}),))),
]


@pytest.mark.parametrize(("name", "request_"), REFUSED, ids=[name for name, _ in REFUSED])
def test_what_cannot_be_carried_is_refused_or_dropped_and_said(name: str, request_: Request) -> None:
    with pytest.raises(InvalidInput, match=f"`{name}` can't be carried to Gemini"):
        encoded(request_)
    allowed = msgspec.structs.replace(request_, may_drop=(name,))
    assert encoded(allowed).dropped == (name,)
    check(written(allowed))


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        (Message(role="tool", content="x", tool_call_id="gone"), "`messages\\[0\\].tool_call_id` names no call"),
        (
            Message(role="assistant", tool_calls=(ToolCall(id="a", name="f", arguments="{oh"),)),
            "arguments` must be a JSON object",
        ),
    ],
)
def test_conversations_that_make_no_sense(message: Message, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        encoded(asked(message))


CALLERS: dict[str, Any] = {
    "system_instruction": {"parts": [{"text": "Be brief."}]},
    "contents": [
        {"parts": [{"text": "What?"}, {"inline_data": {"mime_type": "image/png", "data": "iVBORw0KGgo="}}]},
        {"role": "model", "parts": [{"function_call": {"name": "f", "args": {"a_b": 1}}}]},
        {"role": "user", "parts": [{"function_response": {"name": "f", "response": {"c_d": 2}}}, {"text": "So?"}]},
    ],
    "tools": [
        {"google_search": {}},
        {
            "function_declarations": [
                {
                    "name": "f",
                    "parameters": {
                        "type": "OBJECT",
                        "properties": {
                            "b": {"type": "STRING", "nullable": True, "format": "enum", "enum": ["x"]},
                            "a_b": {"type": "ARRAY", "items": {"type": "INTEGER"}, "max_items": "3"},
                        },
                        "property_ordering": ["a_b", "b"],
                    },
                    "behavior": "BLOCKING",
                }
            ]
        },
    ],
    "tool_config": {"function_calling_config": {"mode": "ANY", "allowed_function_names": ["f"]}},
    "generation_config": {"max_output_tokens": 5, "media_resolution": "MEDIA_RESOLUTION_LOW", "top_k": 40.0},
    "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
    "cached_content": "cachedContents/a",
}


def test_both_spellings_are_read_and_nothing_is_lost() -> None:
    request = read(CALLERS, stream=True)
    assert (request.stream, request.model, request.wire) == (True, "google/gemini-2.5-flash", "google")
    assert [message.role for message in request.messages] == ["system", "user", "assistant", "tool", "user"]
    assert request.messages[1].content == (TextPart(text="What?"), ImagePart(url=PNG))
    [call] = request.messages[2].tool_calls
    assert (call.id, call.arguments) == ("noria_call_0", '{"a_b":1}')
    assert (request.messages[3].tool_call_id, request.messages[3].content) == ("noria_call_0", '{"c_d":2}')
    search, function = request.tools
    assert search.hosted == {"googleSearch": {}}
    assert list(function.parameters["properties"]) == ["a_b", "b"]
    assert function.parameters["properties"] == {
        "a_b": {"type": "array", "items": {"type": "integer"}, "maxItems": 3},
        "b": {"type": ["string", "null"], "enum": ["x", None]},
    }
    assert request.params == Parameters(max_tokens=5, top_k=40)
    assert request.forced_tool == "f"
    body = written(request)
    check(body)
    assert body["safetySettings"] == CALLERS["safety_settings"]
    assert body["cachedContent"] == "cachedContents/a"
    assert body["generationConfig"]["mediaResolution"] == "MEDIA_RESOLUTION_LOW"
    assert body["tools"][0]["functionDeclarations"][0]["behavior"] == "BLOCKING"
    assert body["tools"][1] == {"googleSearch": {}}


def test_results_pair_by_name_and_order() -> None:
    calls = [{"functionCall": {"name": name, "args": {"n": n}}} for n, name in enumerate(["f", "g", "f"])]
    results = [{"functionResponse": {"name": name, "response": {"output": name}}} for name in ("f", "f", "g")]
    request = read({"contents": [{"role": "model", "parts": calls}, {"role": "user", "parts": results}]})
    assert [m.tool_call_id for m in request.messages[1:]] == ["noria_call_0", "noria_call_2", "noria_call_1"]


@pytest.mark.parametrize(
    ("seal", "id", "form", "own"),
    [
        ("not base64!", "", "", False),
        (SEAL, "", "google-gemini-v1", True),
        (SEAL, "", "anthropic-claude-v1", False),
        ("EqQBCkYI", "rs_1", "", True),
        ("bm9yaWE6oh==", "", "", False),
    ],
)
def test_seals_of_other_providers_come_back_to_them_and_never_go_to_google(
    seal: str, id: str, form: str, own: bool
) -> None:
    thought = Thought(text="Hm.", signature=seal, id=id, format=form)
    call = ToolCall(id="a", name="f", arguments="{}", signature="" if id or "anthropic" in form else seal)
    said = Message(role="assistant", content="So.", thoughts=(thought,), reasoning="Hm.", tool_calls=(call,))
    answer = GenerateContent().decode(b'{"contents":"a"}', path={"model": "m"}, id="", created=0).answer
    replied = json.loads(answer.whole(Reply(choices=(Choice(message=said, finish_reason="stop"),))))
    content = types.Content.model_validate(replied["candidates"][0]["content"])
    again = read(
        {"contents": [content.model_dump(mode="json", by_alias=True, exclude_none=True)]}
    )  # as clients send it
    assert again.messages == (said,)
    assert encoded(again).dropped == ()
    assert (seal in encoded(again).body.decode()) is own
    assert {"text": "Hm.", "thought": True}.items() <= written(again)["contents"][0]["parts"][0].items()


def test_thinking_that_another_provider_hides_is_left_out_and_told_or_refused_to_those_who_want_that() -> None:
    hidden = asked(Message(role="assistant", content="So.", thoughts=(Thought(signature="x", redacted=True),)))
    assert encoded(hidden).dropped == ("thinking",)
    assert written(hidden)["contents"][0]["parts"] == [{"text": "So."}]
    with pytest.raises(InvalidInput, match="`thinking` can't be carried to Gemini"):
        encoded(msgspec.structs.replace(hidden, may_drop=("none",)))


def test_seals_are_read_in_either_alphabet() -> None:
    mixed = read({"contents": [{"role": "model", "parts": [{"text": "a", "thoughtSignature": "CtQB_VSo-A=="}]}]})
    assert mixed.messages[0].thoughts[0].signature == "CtQB/VSo+A=="


def test_what_stays_with_google_is_kept_whole_for_google() -> None:
    parts = [
        {"fileData": {"fileUri": "gs://bucket/a.mp4", "mimeType": "video/mp4"}},
        {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}, "videoMetadata": {"fps": 1.0}},
    ]
    request = read({"contents": [{"role": "user", "parts": parts}]})
    assert written(request)["contents"][0]["parts"] == parts
    elsewhere = msgspec.structs.replace(request, wire="openai_chat")
    with pytest.raises(InvalidInput, match="can't be carried"):
        encoded(elsewhere)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ([], "must be a JSON object"),
        ({}, "`contents` is missing"),
        ({"contents": 5}, "`contents` is wrong"),
        ({"contents": [{"role": "assistant", "parts": []}]}, "`contents\\[0\\].role`"),
        ({"contents": [{"parts": ["a"]}]}, "`contents\\[0\\].parts\\[0\\]` is wrong"),
        ({"contents": [{"parts": [{"functionResponse": {"name": "f"}}]}]}, "parts\\[0\\].functionResponse"),
        ({"contents": [{"role": "model", "parts": [{"functionCall": {"args": {}}}]}]}, "functionCall`: `name`"),
        ({"contents": "a", "generationConfig": {"topP": "high"}}, "`generationConfig.topP` is wrong"),
        ({"contents": "a", "generationConfig": {"responseSchema": {}}}, "responseMimeType"),
        ({"contents": "a", "tools": [{"functionDeclarations": [{}]}]}, "tools\\[0\\].functionDeclarations\\[0\\]"),
    ],
)
def test_bodies_that_are_no_request_name_the_field(body: Any, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        read(body)


def test_vectors_are_asked_for_in_both_shapes() -> None:
    wanted = Request(model="m", embed=ToEmbed(inputs=("a", "b"), dimensions=64, use="search_query"))
    asked_ = encoded(wanted, "gemini-embedding-001")
    assert asked_.path == "/models/gemini-embedding-001:batchEmbedContents"
    assert json.loads(asked_.body)["requests"][1] == {
        "model": "models/gemini-embedding-001",
        "content": {"parts": [{"text": "b"}]},
        "taskType": "RETRIEVAL_QUERY",
        "outputDimensionality": 64,
    }
    again = EmbedContent(batch=True).decode(asked_.body, path={"model": "m"}, id="", created=0).request
    assert again.embed == wanted.embed
    predicted = Google(vertex=True).encode(wanted, stream=False, model="text-embedding-005")
    assert predicted.path == "/models/text-embedding-005:predict"
    assert json.loads(predicted.body) == {
        "instances": [
            {"content": "a", "task_type": "RETRIEVAL_QUERY"},
            {"content": "b", "task_type": "RETRIEVAL_QUERY"},
        ],
        "parameters": {"outputDimensionality": 64},
    }
    with pytest.raises(InvalidInput, match="no token ids"):
        encoded(Request(model="m", embed=ToEmbed(inputs=((1, 2),))))
    for body in ({}, {"requests": []}, {"requests": [{"content": {"parts": [{}]}}]}, {"requests": [{"content": 1}]}):
        with pytest.raises(InvalidInput, match="requests"):
            EmbedContent(batch=True).decode(json.dumps(body).encode(), path={"model": "m"}, id="", created=0)


TEXT = st.text(max_size=8)
SAID: st.SearchStrategy[Part] = st.one_of(
    TEXT.map(lambda text: TextPart(text=text)),
    st.just(ImagePart(url=PNG)),
    st.just(FilePart(url=PDF)),
    st.just(AudioPart(data="AAAA", format="mp3")),
)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    messages: list[Message] = []
    number = 0
    for _ in range(draw(st.integers(0, 3))):
        content = draw(TEXT | st.lists(SAID, min_size=2, max_size=3).map(tuple))
        messages.append(Message(role="user", content=content))
        names = draw(st.lists(st.sampled_from("fg"), max_size=3))
        calls = tuple(
            ToolCall(id=f"noria_call_{number + i}", name=name, arguments=json.dumps({"n": i}, separators=(",", ":")))
            for i, name in enumerate(names)
        )
        number += len(names)
        thoughts = tuple(Thought(text=text) for text in draw(st.lists(st.text(min_size=1, max_size=5), max_size=1)))
        reasoning = "".join(thought.text for thought in thoughts)
        said = draw(st.text(min_size=1, max_size=8))
        messages.append(
            Message(role="assistant", content=said, tool_calls=calls, thoughts=thoughts, reasoning=reasoning)
        )
        messages += [
            Message(
                role="tool", content=draw(TEXT.filter(lambda t: not t.startswith("{"))), name=c.name, tool_call_id=c.id
            )
            for c in calls
        ]
    return (*messages, Message(role="user", content="?"))


@settings(max_examples=40)
@given(conversations())
def test_any_conversation_is_read_as_it_was_written(messages: tuple[Message, ...]) -> None:
    assert read(written(asked(*messages))).messages == messages


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
PARTS = st.dictionaries(
    st.sampled_from(
        ["text", "thought", "thoughtSignature", "functionCall", "functionResponse", "inlineData", "fileData"]
    ),
    JSON | st.fixed_dictionaries({"name": TEXT, "args": JSON, "response": JSON, "mimeType": TEXT, "data": TEXT}),
    max_size=2,
)
BODIES = st.fixed_dictionaries(
    {
        "contents": st.lists(
            st.fixed_dictionaries({"role": st.sampled_from(["user", "model"]), "parts": st.lists(PARTS, max_size=2)})
        )
    },
    optional={
        "generationConfig": st.dictionaries(
            st.sampled_from(
                ["topK", "seed", "responseSchema", "thinkingConfig", "stopSequences", "responseMimeType", "x"]
            ),
            JSON,
            max_size=2,
        ),
        "tools": st.lists(st.dictionaries(st.sampled_from(["functionDeclarations", "googleSearch"]), JSON)) | JSON,
        "toolConfig": st.fixed_dictionaries({"functionCallingConfig": JSON}) | JSON,
        "systemInstruction": JSON,
        "labels": JSON,
    },
)


@settings(max_examples=60)
@given(BODIES | JSON, st.booleans())
def test_whatever_a_caller_sends_only_invalid_input_comes_out(body: Any, own: bool) -> None:
    with contextlib.suppress(InvalidInput):
        request = read(body)
        written(request if own else msgspec.structs.replace(request, wire="openai_chat", may_drop=("*",)))
    with contextlib.suppress(InvalidInput):
        EmbedContent().decode(json.dumps(body).encode(), path={"model": "m"}, id="", created=0)
    with contextlib.suppress(InvalidInput):
        EmbedContent(batch=True).decode(
            json.dumps({"requests": [body]}).encode(), path={"model": "m"}, id="", created=0
        )
