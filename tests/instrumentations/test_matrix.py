"""Real instrumentations from PyPI and npm around real calls of a local model, set up by environment variables alone."""

from __future__ import annotations

import re
from typing import Any

import pytest

from .libraries import LIBRARIES, ROOT
from .matrix import Spans, row, table

pytestmark = [pytest.mark.model, pytest.mark.timeout(400)]

PAGE = ROOT / "docs" / "instrumentations.md"
SAID = [("system", "You are brief."), ("user", "What is the capital of France?")]


@pytest.fixture
def spans(request: pytest.FixtureRequest, seen: dict[str, Spans]) -> Spans:
    """The spans of the library that the test is about."""
    name: str = request.param
    if name not in seen:
        pytest.skip(LIBRARIES[name].missing)
    return seen[name]


def of(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("spans", names, indirect=True)


def messages(span: dict[str, Any]) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in span["input"]]


def chats(spans: Spans) -> Spans:
    """Calls of the local model that succeeded."""
    return [span for span in spans if span["operation"] == "chat" and span["status"] == "ok" and _local(span)]


def _local(span: dict[str, Any]) -> bool:
    return "smollm2-135m" in {span["response_model"], str(span["request_model"]).removeprefix("local/")}


ON_OPENAIS_CLIENT = ("openinference", "openai_v2", "traceloop")


@of(*ON_OPENAIS_CLIENT)
def test_a_call_and_its_stream_are_told_alike(spans: Spans) -> None:
    whole, streamed, _ = chats(spans)
    for span in (whole, streamed):
        assert messages(span) == SAID
        assert span["provider"] == "openai"
        assert span["input_tokens"] == 25
        assert 1 <= span["output_tokens"] <= 8
        assert span["finish_reasons"] in (["length"], ["stop"])
        assert span["output"][0]["content"]
        assert span["params"]["max_tokens"] == 8
        assert span["params"]["temperature"] == 0
        assert span["lineage"]["app"]
        assert span["end_ns"] > span["start_ns"]


@of("openinference", "traceloop")
def test_time_to_the_first_token_of_a_stream(spans: Spans) -> None:
    whole, streamed, _ = chats(spans)
    assert whole["ttft_s"] is None
    assert 0 < streamed["ttft_s"] < (streamed["end_ns"] - streamed["start_ns"]) / 1e9
    assert streamed["tpot_s"] > 0


@of(*ON_OPENAIS_CLIENT)
def test_a_conversation_with_a_tool(spans: Spans) -> None:
    told = chats(spans)[2]
    _, asked, called, answered = told["input"]
    assert asked["content"] == "How is the weather in Paris?"
    [call] = called["tool_calls"]
    assert (call["id"], call["name"]) == ("call_1", "get_weather")
    assert re.sub(r"\s", "", call["arguments"]) == '{"city":"Paris"}'
    assert (answered["role"], answered["tool_call_id"], answered["content"]) == ("tool", "call_1", "Sunny, 20 degrees.")


@of("openinference", "traceloop")
def test_the_tools_on_offer_stay_attributes(spans: Spans) -> None:
    assert "get_weather" in str(chats(spans)[2]["attributes"])


@of(*ON_OPENAIS_CLIENT)
def test_a_call_that_failed(spans: Spans) -> None:
    [failed] = [span for span in spans if span["status"] == "error"]
    assert failed["error_type"].endswith("NotFoundError")
    assert "There is no model 'nobody'" in failed["error_message"]
    assert failed["request_model"] == "local/nobody"
    assert messages(failed) == SAID


@of("openinference", "langchain", "vercel_ai")
def test_session_and_user(spans: Spans) -> None:
    assert {(span["lineage"]["session_id"], span["lineage"]["user_id"]) for span in spans} == {("session-1", "user-1")}


@of("openai_v2_events")
def test_messages_that_come_as_events(spans: Spans) -> None:
    """As log records beside the spans: each becomes a span of its own below the call."""
    calls = {span["span_id"]: span for span in spans if span["operation"] == "chat"}
    told = [span for span in spans if span["operation"] == "log"]
    assert {span["parent_id"] for span in told} == set(calls)
    first = next(span for span in told if span["status"] == "ok")
    assert messages(first) == SAID
    assert first["output"][0]["content"]
    assert all(span["input"] == [] for span in calls.values())


@of("pydantic_ai")
def test_an_agent_its_calls_and_its_tool(spans: Spans) -> None:
    agents = [span for span in spans if span["operation"] == "invoke_agent"]
    assert len(agents) == 3
    plain, streamed = chats(spans)
    for agent, chat in zip(agents, (plain, streamed), strict=False):
        assert chat["parent_id"] == agent["span_id"]
        assert messages(agent) == messages(chat) == SAID
        assert agent["output"][0]["content"] == chat["output"][0]["content"] != ""
        assert chat["input_tokens"] == 25
        assert 1 <= chat["output_tokens"] <= 8
        assert chat["lineage"]["session_id"]
    assert streamed["ttft_s"] > 0
    assert "get_weather" in chat["attributes"]["gen_ai.tool.definitions"]
    [tool] = [span for span in spans if span["operation"] == "execute_tool"]
    assert tool["tool_name"] == "get_weather"
    assert tool["input"][0]["tool_calls"][0]["arguments"] == '{"city":"a"}'
    assert tool["output"][0]["content"] == "Sunny in a."
    assert [message["role"] for message in agents[2]["input"]] == ["system", "user", "assistant", "tool"]


@of("langchain")
def test_a_chain_with_a_retriever_and_a_tool(spans: Spans) -> None:
    by_name = {span["name"]: span for span in reversed(spans)}
    found = by_name["Shelf"]
    assert found["operation"] == "retrieval"
    assert messages(found) == [("user", "What is the capital of France?")]
    assert [document["text"] for document in found["documents"]] == [
        "Paris is the capital of France.",
        "Berlin is the capital of Germany.",
    ]
    assert found["documents"][0]["metadata"] == {"title": "France"}
    tool = by_name["get_weather"]
    assert (tool["operation"], tool["tool_name"], tool["output"][0]["content"]) == (
        "execute_tool",
        "get_weather",
        "Sunny in Paris.",
    )
    whole, streamed = chats(spans)
    for chat in (whole, streamed):
        assert messages(chat) == [("system", "Use: Paris is the capital of France."), SAID[1]]
        assert chat["output"][0]["content"]
    assert whole["input_tokens"] == 30
    assert "get_weather" in str(whole["params"]["tools"])
    sequence = by_name["RunnableSequence"]
    assert sequence["span_id"] == whole["parent_id"]
    assert sequence["output"][0]["content"] == whole["output"][0]["content"]


@of("vercel_ai")
def test_the_vercel_ai_sdk(spans: Spans) -> None:
    calls = chats(spans)
    assert [span["name"] for span in calls] == [
        "ai.generateText.doGenerate",
        "ai.streamText.doStream",
        "ai.generateText.doGenerate",
    ]
    for span in calls:
        assert messages(span) == SAID
        assert (span["provider"], span["input_tokens"]) == ("noria", 25)
        assert 1 <= span["output_tokens"] <= 8
        assert span["output"][0]["content"]
    assert calls[1]["ttft_s"] > 0
    assert "get_weather" in calls[2]["attributes"]["ai.prompt.tools"][0]
    outer = {span["span_id"]: span for span in spans if span["operation"] == "invoke_agent"}
    assert all(messages(outer[span["parent_id"]]) == SAID for span in calls)
    [tool] = [span for span in spans if span["operation"] == "execute_tool"]
    assert tool["tool_name"] == "get_weather"
    assert tool["input"][0]["tool_calls"][0]["arguments"] == '{"city":"Paris"}'
    assert "Sunny in Paris." in tool["output"][0]["content"]


@pytest.mark.parametrize("name", LIBRARIES)
def test_the_page_says_what_was_seen(seen: dict[str, Spans], name: str) -> None:
    if name not in seen:
        pytest.skip(LIBRARIES[name].missing)
    found = row(LIBRARIES[name], seen[name])
    assert found in PAGE.read_text(), f"{PAGE.name} should have the row\n{found}"


def test_the_page_has_no_other_rows(seen: dict[str, Spans]) -> None:
    rows = re.findall(r"^\| (?!library|---)(.*?) \|", PAGE.read_text(), re.MULTILINE)
    assert rows == [library.title for library in LIBRARIES.values()], table(seen)
