"""OpenTelemetry's GenAI names, those of now and those of last year, become columns."""

import json

from noria.core.messages import ImagePart, Message, OtherPart, TextPart, ToolCall
from noria.core.spans import Document

from .reading import span

INPUT = [
    {"role": "user", "parts": [{"type": "text", "content": "Weather in Paris?"}]},
    {
        "role": "assistant",
        "parts": [{"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Paris"}}],
    },
    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "rainy, 57°F"}]},
]
OUTPUT = [{"role": "assistant", "parts": [{"type": "text", "content": "Rain."}], "finish_reason": "stop"}]
NAMES = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.request.temperature": 0.5,
    "gen_ai.request.max_tokens": 100,
    "gen_ai.request.stop_sequences": ["END"],
    "gen_ai.usage.input_tokens": 10,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.usage.cache_read.input_tokens": 4,
    "gen_ai.usage.reasoning.output_tokens": 2,
    "gen_ai.conversation.id": "s1",
    "gen_ai.response.time_to_first_chunk": 0.4,
    "user.id": "u1",
    "server.address": "api.openai.com",
}
SAID = (
    Message(role="user", content="Weather in Paris?"),
    Message(role="assistant", tool_calls=(ToolCall(id="c1", name="weather", arguments='{"city":"Paris"}'),)),
    Message(role="tool", content="rainy, 57°F", tool_call_id="c1"),
)


def test_current_names_with_messages_as_attributes() -> None:
    found = span(
        NAMES
        | {
            "gen_ai.input.messages": json.dumps(INPUT),
            "gen_ai.output.messages": json.dumps(OUTPUT),
            "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be brief."}]),
        },
        kind=3,
        resource={"service.name": "shop", "host.name": "h"},
    )
    assert (found.operation, found.provider) == ("chat", "openai")
    assert (found.request_model, found.response_model) == ("gpt-4o", "gpt-4o-2024-08-06")
    assert found.params == {"temperature": 0.5, "max_tokens": 100, "stop": ("END",)}
    assert found.input == (Message(role="system", content="Be brief."), *SAID)
    assert found.output == (Message(role="assistant", content="Rain."),)
    assert found.finish_reasons == ("stop",)
    assert (found.input_tokens, found.output_tokens, found.cached_tokens, found.reasoning_tokens) == (10, 5, 4, 2)
    assert (found.lineage.session_id, found.lineage.user_id, found.lineage.app) == ("s1", "u1", "shop")
    assert found.ttft_s == 0.4
    assert found.tpot_s == (2.0 - 0.4) / 4
    assert found.attributes == {
        "resource.host.name": "h",
        "otel.span.kind": "client",
        "gen_ai.response.id": "chatcmpl-1",
        "server.address": "api.openai.com",
    }


def test_messages_in_the_details_event() -> None:
    details = {"gen_ai.input.messages": json.dumps(INPUT), "gen_ai.output.messages": json.dumps(OUTPUT), "x": 1}
    found = span(NAMES, events=[("gen_ai.client.inference.operation.details", details)])
    assert found.input == SAID
    assert found.output[0].text == "Rain."
    assert found.events == ()
    assert found.attributes["x"] == 1


def test_messages_that_are_structures_not_text() -> None:
    found = span({"gen_ai.input.messages": INPUT, "gen_ai.output.messages": OUTPUT})
    assert found.input == SAID


def test_every_kind_of_part_is_kept() -> None:
    parts = [
        {"type": "text", "content": "Look:"},
        {"type": "uri", "modality": "image", "uri": "https://x.example/a.png"},
        {"type": "blob", "modality": "image", "mime_type": "image/gif", "content": "R0lG"},
        {"type": "file", "modality": "document", "file_id": "f1"},
        {"type": "reasoning", "content": "hm"},
    ]
    [message] = span({"gen_ai.input.messages": json.dumps([{"role": "user", "parts": parts}])}).input
    assert message.content == (
        TextPart(text="Look:"),
        ImagePart(url="https://x.example/a.png"),
        ImagePart(url="data:image/gif;base64,R0lG"),
        OtherPart(data=parts[3]),
    )
    assert message.reasoning == "hm"


def test_what_is_no_message_stays_an_attribute() -> None:
    for odd in ("not json", "[1, 2]", "{", "[]", '"text"', json.dumps([{"x": 1}])):
        found = span({"gen_ai.input.messages": odd})
        assert found.input == ()
        assert found.attributes == {"gen_ai.input.messages": odd}


def test_a_tool_and_its_result() -> None:
    found = span(
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "weather",
            "gen_ai.tool.call.id": "c1",
            "gen_ai.tool.call.arguments": '{"city": "Paris"}',
            "gen_ai.tool.call.result": {"sky": "rain"},
            "gen_ai.tool.type": "function",
        }
    )
    assert found.tool_name == "weather"
    call = ToolCall(id="c1", name="weather", arguments='{"city": "Paris"}')
    assert found.input == (Message(role="assistant", tool_calls=(call,)),)
    assert found.output == (Message(role="tool", content='{"sky":"rain"}', tool_call_id="c1", name="weather"),)
    assert found.attributes == {"gen_ai.tool.type": "function"}


def test_retrieved_documents() -> None:
    documents = [{"id": "d1", "score": 0.9, "content": "Rain."}, {"id": "d2", "score": "0.1", "title": "t"}]
    found = span({"gen_ai.retrieval.documents": json.dumps(documents), "gen_ai.retrieval.query.text": "rain?"})
    assert found.documents == (
        Document(id="d1", score=0.9, text="Rain."),
        Document(id="d2", score=0.1, metadata={"title": "t"}),
    )
    assert found.input == (Message(role="user", content="rain?"),)


def test_last_years_names_and_flattened_messages() -> None:
    found = span(
        {
            "gen_ai.system": "openai.chat",
            "gen_ai.usage.prompt_tokens": 7,
            "gen_ai.usage.completion_tokens": 3,
            "gen_ai.usage.cache_read_input_tokens": 1,
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "Be brief.",
            "gen_ai.prompt.1.role": "user",
            "gen_ai.prompt.1.content": "Weather?",
            "gen_ai.prompt.10.role": "user",
            "gen_ai.prompt.10.content": "Now!",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "",
            "gen_ai.completion.0.finish_reason": "tool_calls",
            "gen_ai.completion.0.tool_calls.0.id": "c1",
            "gen_ai.completion.0.tool_calls.0.name": "weather",
            "gen_ai.completion.0.tool_calls.0.arguments": "{}",
            "gen_ai.completion.0.unheard_of": 1,
        }
    )
    assert found.provider == "openai"
    assert (found.input_tokens, found.output_tokens, found.cached_tokens) == (7, 3, 1)
    assert [(m.role, m.text) for m in found.input] == [("system", "Be brief."), ("user", "Weather?"), ("user", "Now!")]
    assert found.output == (Message(role="assistant", tool_calls=(ToolCall(id="c1", name="weather", arguments="{}"),)),)
    assert found.finish_reasons == ("tool_calls",)
    assert found.attributes == {"gen_ai.completion.0.unheard_of": 1}


def test_one_event_a_message() -> None:
    calls = json.dumps([{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}])
    found = span(
        {"gen_ai.system": "openai", "gen_ai.request.model": "m"},
        events=[
            ("gen_ai.system.message", {"content": "Be brief.", "gen_ai.system": "openai"}),
            ("gen_ai.user.message", {"content": "Weather?"}),
            ("gen_ai.assistant.message", {"tool_calls": calls}),
            ("gen_ai.tool.message", {"content": "rain", "id": "c1"}),
            ("gen_ai.choice", {"index": 1, "finish_reason": "length", "message": json.dumps({"content": "Rai"})}),
            ("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": json.dumps({"content": "Rain."})}),
            ("cache.miss", {"key": "k"}),
        ],
    )
    assert [m.role for m in found.input] == ["system", "user", "assistant", "tool"]
    assert found.input[2].tool_calls[0].name == "weather"
    assert found.input[3] == Message(role="tool", content="rain", tool_call_id="c1")
    assert [m.text for m in found.output] == ["Rain.", "Rai"]
    assert [event.name for event in found.events] == ["cache.miss"]
    assert found.operation == "chat"


def test_content_events_of_2024() -> None:
    found = span(
        {},
        events=[
            ("gen_ai.content.prompt", {"gen_ai.prompt": json.dumps([{"role": "user", "content": "hi"}])}),
            ("gen_ai.content.completion", {"gen_ai.completion": json.dumps([{"role": "assistant", "content": "yo"}])}),
        ],
    )
    assert (found.input[0].text, found.output[0].text) == ("hi", "yo")


def test_an_agents_whole_conversation() -> None:
    told = [*INPUT, OUTPUT[0]]
    found = span({"gen_ai.operation.name": "invoke_agent", "pydantic_ai.all_messages": json.dumps(told)})
    assert found.input == SAID
    assert found.output[0].text == "Rain."
    assert found.attributes == {}


def test_of_two_that_contradict_each_other_the_newer_name_wins_and_the_other_stays() -> None:
    found = span({"gen_ai.usage.prompt_tokens": 9, "gen_ai.usage.input_tokens": 10, "llm.token_count.prompt": 10})
    assert found.input_tokens == 10
    assert found.attributes == {"gen_ai.usage.prompt_tokens": 9}
    found = span({"gen_ai.usage.input_tokens": 10, "gen_ai.usage.prompt_tokens": 9})
    assert found.input_tokens == 10
    assert found.attributes == {"gen_ai.usage.prompt_tokens": 9}


def test_values_of_the_wrong_type_stay_attributes() -> None:
    odd = {"gen_ai.usage.input_tokens": "many", "gen_ai.request.model": [1], "gen_ai.request.temperature": True}
    found = span(odd)
    assert (found.input_tokens, found.request_model, found.params) == (None, None, {})
    assert found.attributes == odd
    assert found.operation == "span"


def test_the_prompt_version() -> None:
    named = span({"gen_ai.prompt.name": "greet"})
    assert (named.lineage.prompt_id, named.attributes) == ("greet", {})
    versioned = span({"gen_ai.prompt.name": "greet", "gen_ai.prompt.version": 3, "noria.prompt_id": "prompt_ab"})
    assert versioned.lineage.prompt_id == "prompt_ab"
    assert versioned.attributes == {"gen_ai.prompt.name": "greet", "gen_ai.prompt.version": 3}
