"""Payloads of real instrumentations that were once read wrongly, as they came (tests/instrumentations makes them)."""

import json

from noria.core.messages import Message, ToolCall

from .payloads import NOW_NS
from .reading import span

START_NS = NOW_NS + 1 - 250_000_000  # events happen at NOW_NS + 1
TIMES = {"start_ns": START_NS, "end_ns": START_NS + 1_000_000_000}


def test_pydantic_ais_agent_says_its_whole_conversation_in_one() -> None:
    said = [
        {"role": "user", "parts": [{"type": "text", "content": "How is the weather?"}]},
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "get_weather", "arguments": {"city": "a"}}],
        },
        {
            "role": "user",
            "parts": [{"type": "tool_call_response", "id": "c1", "name": "get_weather", "result": "Sunny in a."}],
        },
        {"role": "assistant", "parts": [{"type": "text", "content": "Sunny."}], "finish_reason": "stop"},
    ]
    found = span(
        {
            "gen_ai.operation.name": "invoke_agent",
            "pydantic_ai.all_messages": json.dumps(said),
            "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "You are brief."}]),
        },
        **TIMES,
    )
    assert [message.role for message in found.input] == ["system", "user", "assistant", "tool"]
    assert found.input[0].text == "You are brief."
    assert found.input[2].tool_calls == (ToolCall(id="c1", name="get_weather", arguments='{"city":"a"}'),)
    assert (found.input[3].tool_call_id, found.input[3].text) == ("c1", "Sunny in a.")
    assert found.output == (Message(role="assistant", content="Sunny."),)
    assert "pydantic_ai.all_messages" not in found.attributes
    odd = span({"pydantic_ai.all_messages": "no JSON"}, **TIMES)
    assert odd.attributes["pydantic_ai.all_messages"] == "no JSON"


def test_the_first_chunk_is_marked_by_an_event() -> None:
    for name in ("First Token Stream Event", "gen_ai.content.completion.chunk"):
        marks = [(name, {})] * 3
        other = ("exception", {"exception.type": "E"})
        found = span({"gen_ai.usage.output_tokens": 4}, events=[*marks, other], **TIMES)
        assert found.ttft_s == 0.25
        assert found.tpot_s == 0.25
        assert [event.name for event in found.events] == ["exception"]
    told = span({"gen_ai.response.time_to_first_chunk": 0.5}, events=[(name, {})], **TIMES)
    assert told.ttft_s == 0.5


def test_pythons_class_as_the_type_of_an_error() -> None:
    found = span({"error.type": "<class 'openai.NotFoundError'>"}, status=2, **TIMES)
    assert found.error_type == "openai.NotFoundError"
