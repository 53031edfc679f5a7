"""What is sent to Cohere, and what is refused because it can't be."""

import json
from typing import Any

import msgspec
import pytest

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
from noria.core.replies import Usage
from noria.core.requests import Parameters, Reasoning, Request, ToEmbed, Tool, ToRank
from noria.wires.cohere import Cohere
from noria.wires.openai_chat import OpenAIChat
from noria.wires.wire import Encoded

WEATHER = Tool(name="weather", description="Now", parameters={"type": "object", "properties": {"city": {}}})
CLOCK = Tool(name="clock")
SCHEMA = {"type": "object", "properties": {"topic": {"type": "string"}}, "required": ["topic"]}


def ask(*messages: Message, **changes: Any) -> Request:
    asked = messages or (Message(role="user", content="hi"),)
    return Request(model="cohere/command-a", messages=asked, **changes)


def sent(request: Request, *, stream: bool = False) -> tuple[dict[str, Any], Encoded]:
    encoded = Cohere().encode(request, stream=stream, model="command-a")
    return json.loads(encoded.body), encoded


def test_a_conversation_with_everything() -> None:
    body, encoded = sent(
        ask(
            Message(role="developer", content="Be brief."),
            Message(role="user", content=(TextPart(text="What?"), ImagePart(url="data:image/png;base64,AA", detail="low"))),
            Message(
                role="assistant",
                reasoning="Ask the tool.",
                tool_calls=(ToolCall(id="c1", name="weather", arguments='{"city":"Oslo"}'),),
            ),
            Message(role="tool", tool_call_id="c1", content="cold"),
            Message(role="assistant", content=(TextPart(text="Cold.", citations=(Citation(url="u"),)),), reasoning="So."),
            params=Parameters(
                temperature=0.5, top_p=0.5, top_k=7, max_tokens=9, stop=("x",), seed=3, presence_penalty=0.25,
                frequency_penalty=0.5, logprobs=0, extra={"safety_mode": "STRICT"},
            ),
            tools=(WEATHER,),
            tool_choice="auto",
        ),
        stream=True,
    )  # fmt: skip
    assert encoded.path == "/chat"
    assert body == {
        "safety_mode": "STRICT",
        "model": "command-a",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}},
                ],
            },
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo"}'}}
                ],
                "tool_plan": "Ask the tool.",
            },
            {"role": "tool", "tool_call_id": "c1", "content": "cold"},
            {
                "role": "assistant",
                "content": [{"type": "thinking", "thinking": "So."}, {"type": "text", "text": "Cold."}],
            },
        ],
        "temperature": 0.5, "p": 0.5, "k": 7, "max_tokens": 9, "stop_sequences": ["x"], "seed": 3,
        "presence_penalty": 0.25, "frequency_penalty": 0.5, "logprobs": True,
        "tools": [
            {
                "type": "function",
                "function": {"name": "weather", "description": "Now", "parameters": WEATHER.parameters},
            }
        ],
        "stream": True,
    }  # fmt: skip
    assert (encoded.dropped, encoded.emulated) == (("citations",), ())


def test_text_files_are_documents_that_citations_count() -> None:
    files = (
        FilePart(url="data:text/plain;base64,b25l", name="One"),
        TextPart(text="Which?"),
        FilePart(url="data:text/plain,two%21", cite=True),
    )
    body, _ = sent(ask(Message(role="user", content=files)))
    assert body["documents"] == [
        {"id": "document-0", "data": {"text": "one", "title": "One"}},
        {"id": "document-1", "data": {"text": "two!"}},
    ]
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Which?"}]}]


@pytest.mark.parametrize(
    ("choice", "names", "field"),
    [
        ("required", ["weather", "clock"], "REQUIRED"),
        ("none", ["weather", "clock"], "NONE"),
        ("auto", ["weather", "clock"], None),
        ({"type": "function", "function": {"name": "clock"}}, ["clock"], "REQUIRED"),
    ],
)
def test_a_tool_can_be_forced(choice: Any, names: list[str], field: str | None) -> None:
    body, _ = sent(ask(tools=(WEATHER, CLOCK), tool_choice=choice))
    assert [tool["function"]["name"] for tool in body["tools"]] == names
    assert body.get("tool_choice") == field


def test_a_forced_tool_must_be_there() -> None:
    with pytest.raises(InvalidInput, match="`tool_choice` names `nope`"):
        sent(ask(tools=(WEATHER,), tool_choice={"type": "function", "function": {"name": "nope"}}))


@pytest.mark.parametrize(
    ("reasoning", "thinking"),
    [
        (Reasoning(effort="none"), {"type": "disabled"}),
        (Reasoning(tokens=0), {"type": "disabled"}),
        (Reasoning(tokens=-1), {"type": "enabled"}),
        (Reasoning(tokens=77), {"type": "enabled", "token_budget": 77}),
        (Reasoning(effort="low"), {"type": "enabled", "token_budget": 2048}),
        (Reasoning(effort="as you like"), {"type": "enabled"}),
        (Reasoning(shown=True), None),
    ],
)
def test_how_much_to_think(reasoning: Reasoning, thinking: Any) -> None:
    body, _ = sent(ask(params=Parameters(reasoning=reasoning)))
    assert body.get("thinking") == thinking


def test_a_schema_is_carried_and_beside_tools_asked_for_in_words() -> None:
    body, encoded = sent(ask(params=Parameters(response_schema=SCHEMA)))
    assert body["response_format"] == {"type": "json_object", "json_schema": SCHEMA}
    assert encoded.emulated == ()
    body, encoded = sent(ask(params=Parameters(response_schema=SCHEMA), tools=(WEATHER,)))
    assert "response_format" not in body
    assert encoded.emulated == ("response_schema",)
    assert json.dumps(SCHEMA, separators=(",", ":")) in body["messages"][0]["content"]
    body, encoded = sent(ask(params=Parameters(response_json=True)))
    assert body["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize(
    ("name", "request_"),
    [
        ("n", ask(n=2)),
        ("logprobs", ask(params=Parameters(logprobs=3))),
        ("parallel_tools", ask(params=Parameters(parallel_tools=False))),
        ("cache", ask(Message(role="user", content=(TextPart(text="x", cache="5m"),)))),
        ("cache", ask(tools=(msgspec.structs.replace(WEATHER, cache="1h"),))),
        ("tools", ask(tools=(Tool(name="web_search", hosted={"type": "web_search_20250305"}),))),
        ("name", ask(Message(role="user", name="Ada", content="x"))),
        ("audio", ask(Message(role="user", content=(AudioPart(data="AA", format="wav"),)))),
        ("file", ask(Message(role="user", content=(FilePart(url="data:application/pdf;base64,AA"),)))),
        ("file", ask(Message(role="user", content=(FilePart(url="https://example.org/a.pdf"),)))),
        ("image", ask(Message(role="tool", tool_call_id="c", content=(ImagePart(url="https://x"),)))),
        ("video", ask(Message(role="user", content=(OtherPart(data={"type": "video"}),)))),
        ("tool_choice", ask(tools=(WEATHER,), tool_choice={"type": "allowed_tools"})),
        ("service_tier", ask(wire="openai_chat", unread={"service_tier": "flex"})),
    ],
)
def test_what_cannot_be_carried_is_refused_by_name_or_left_out_where_allowed(name: str, request_: Request) -> None:
    with pytest.raises(InvalidInput, match=f"`{name}` can't be carried to Cohere"):
        sent(request_)
    body, encoded = sent(msgspec.structs.replace(request_, may_drop=(name,)))
    assert encoded.dropped == (name,)
    assert body["messages"]


def test_texts_to_embed() -> None:
    body, encoded = sent(ask(embed=ToEmbed(inputs=("a", "b"), dimensions=256)), stream=True)
    assert encoded.path == "/embed"
    assert body == {
        "model": "command-a", "texts": ["a", "b"], "input_type": "search_document", "embedding_types": ["float"],
        "output_dimension": 256,
    }  # fmt: skip
    assert sent(ask(embed=ToEmbed(inputs=("a",), use="search_query")))[0]["input_type"] == "search_query"
    with pytest.raises(InvalidInput, match="not token ids"):
        sent(ask(embed=ToEmbed(inputs=((1, 2),))))


def test_documents_to_rank() -> None:
    rank = ToRank(query="q", documents=("a", "b"), most=1)
    body, encoded = sent(ask(rank=rank, wire="cohere", unread={"max_tokens_per_doc": 9}))
    assert encoded.path == "/rerank"
    assert body == {"model": "command-a", "query": "q", "documents": ["a", "b"], "top_n": 1, "max_tokens_per_doc": 9}
    with pytest.raises(InvalidInput, match="`max_chunks_per_doc` can't be carried"):
        sent(ask(rank=rank, wire="cohere_v1", unread={"max_chunks_per_doc": 9}))


def test_a_compatible_server_ranks_too() -> None:
    """As vLLM and llama.cpp answer: without ids of their own, counted as OpenAI counts."""
    wire, request = OpenAIChat(), ask(rank=ToRank(query="q", documents=("a", "b")))
    encoded = wire.encode(request, stream=True, model="bge")
    assert (encoded.path, json.loads(encoded.body)) == (
        "/rerank",
        {"model": "bge", "query": "q", "documents": ["a", "b"]},
    )
    results = [{"index": 0, "relevance_score": -1.5}, {"index": 1, "relevance_score": 2.0}]
    body = json.dumps({"object": "list", "usage": {"prompt_tokens": 8, "total_tokens": 8}, "results": results}).encode()
    reply = wire.decode_reply(body, request)
    assert [ranked.index for ranked in reply.ranking] == [1, 0]
    assert reply.usage == Usage(input_tokens=8, output_tokens=0)


def test_hidden_thinking_of_others_is_left_out_and_told() -> None:
    body, encoded = sent(ask(Message(role="assistant", thoughts=(Thought(signature="s", redacted=True),), content="x")))
    assert encoded.dropped == ("thinking",)
    assert body["messages"][-1]["content"] == "x"
