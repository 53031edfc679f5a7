"""OpenLLMetry, Vercel AI SDK, Langfuse and MLflow: their attributes become the same columns."""

import json

from noria.core.messages import Message, ToolCall
from noria.core.spans import Document

from .payloads import NOW_NS
from .reading import span


def test_openllmetrys_workflows_and_tools() -> None:
    workflow = span(
        {
            "traceloop.span.kind": "workflow",
            "traceloop.entity.name": "answer",
            "traceloop.entity.path": "",
            "traceloop.entity.input": '{"args": [], "kwargs": {"q": "rain?"}}',
            "traceloop.entity.output": '"Rain."',
            "traceloop.association.properties.session_id": "s1",
            "traceloop.association.properties.user_id": "u1",
            "traceloop.association.properties.tenant": "t",
            "traceloop.prompt.key": "weather",
            "traceloop.prompt.version": 3,
            "traceloop.prompt.template_variables": '{"city": "Paris"}',
        }
    )
    assert (workflow.operation, workflow.lineage.session_id, workflow.lineage.user_id) == (
        "invoke_workflow",
        "s1",
        "u1",
    )
    assert (workflow.lineage.prompt_id, workflow.variables) == ("weather@3", {"city": "Paris"})
    assert (workflow.input[0].text, workflow.output[0].text) == ('{"args": [], "kwargs": {"q": "rain?"}}', '"Rain."')
    assert workflow.attributes == {
        "traceloop.entity.name": "answer",
        "traceloop.entity.path": "",
        "traceloop.association.properties.tenant": "t",
    }
    tool = span(
        {
            "traceloop.span.kind": "tool",
            "traceloop.entity.name": "weather",
            "traceloop.entity.input": '{"city": "Paris"}',
            "traceloop.entity.output": "rain",
        }
    )
    assert (tool.operation, tool.tool_name, tool.output[0].text) == ("execute_tool", "weather", "rain")
    assert tool.input[0].tool_calls[0].arguments == '{"city": "Paris"}'


def test_openllmetrys_call() -> None:
    found = span(
        {
            "gen_ai.system": "openai",
            "llm.request.type": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.prompt_tokens": 3,
            "gen_ai.usage.completion_tokens": 4,
            "llm.usage.total_tokens": 7,
            "llm.frequency_penalty": 0.5,
            "llm.user": "u1",
            "gen_ai.prompt.0.role": "user",
            "gen_ai.prompt.0.content": json.dumps([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
            "gen_ai.prompt.1.role": "tool",
            "gen_ai.prompt.1.content": "r",
            "gen_ai.prompt.1.tool_call_id": "c1",
        }
    )
    assert (found.operation, found.lineage.user_id, found.params) == ("chat", "u1", {"frequency_penalty": 0.5})
    assert found.input[0].text == "ab"
    assert found.input[1].tool_call_id == "c1"
    assert found.attributes == {}


def test_vercels_call_and_its_wrapper() -> None:
    prompt = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
        {
            "role": "assistant",
            "content": [{"type": "tool-call", "toolCallId": "c1", "toolName": "weather", "input": {"city": "Paris"}}],
        },
        {
            "role": "tool",
            "content": [
                {
                    "type": "tool-result",
                    "toolCallId": "c1",
                    "toolName": "weather",
                    "output": {"type": "text", "value": "rain"},
                }
            ],
        },
    ]
    inner = span(
        {
            "operation.name": "ai.generateText.doGenerate f",
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.model.id": "gpt-4o",
            "ai.model.provider": "openai.chat",
            "gen_ai.system": "openai.chat",
            "ai.prompt.messages": json.dumps(prompt),
            "ai.response.text": "Rain.",
            "ai.response.toolCalls": json.dumps(
                [{"type": "tool-call", "toolCallId": "c2", "toolName": "look", "input": '{"a":1}'}]
            ),
            "ai.response.finishReason": "tool-calls",
            "ai.response.model": "gpt-4o-1",
            "ai.response.msToFirstChunk": 250.0,
            "ai.usage.promptTokens": 10,
            "ai.usage.completionTokens": 2,
            "gen_ai.usage.input_tokens": 10,
            "ai.settings.maxOutputTokens": 20,
            "ai.telemetry.metadata.sessionId": "s1",
            "ai.telemetry.metadata.userId": "u1",
            "ai.telemetry.metadata.plan": "pro",
        }
    )
    assert (inner.operation, inner.provider, inner.request_model) == ("chat", "openai", "gpt-4o")
    assert inner.response_model == "gpt-4o-1"
    assert [message.role for message in inner.input] == ["system", "user", "assistant", "tool"]
    assert inner.input[2].tool_calls == (ToolCall(id="c1", name="weather", arguments='{"city":"Paris"}'),)
    assert inner.input[3] == Message(role="tool", content="rain", name="weather", tool_call_id="c1")
    call = ToolCall(id="c2", name="look", arguments='{"a":1}')
    assert inner.output == (Message(role="assistant", content="Rain.", tool_calls=(call,)),)
    assert (inner.input_tokens, inner.output_tokens, inner.ttft_s) == (10, 2, 0.25)
    assert (inner.finish_reasons, inner.params) == (("tool-calls",), {"max_tokens": 20})
    assert (inner.lineage.session_id, inner.lineage.user_id) == ("s1", "u1")
    assert inner.attributes == {
        "operation.name": "ai.generateText.doGenerate f",
        "ai.telemetry.metadata.plan": "pro",
    }
    outer = span(
        {"ai.operationId": "ai.generateText", "ai.prompt": json.dumps({"system": "Be brief.", "prompt": "Weather?"})}
    )
    assert outer.operation == "invoke_agent"
    assert [(m.role, m.text) for m in outer.input] == [("system", "Be brief."), ("user", "Weather?")]
    tool = span(
        {
            "ai.operationId": "ai.toolCall",
            "ai.toolCall.name": "weather",
            "ai.toolCall.id": "c1",
            "ai.toolCall.args": '{"city":"Paris"}',
            "ai.toolCall.result": '"rain"',
        }
    )
    assert (tool.operation, tool.tool_name) == ("execute_tool", "weather")
    assert tool.input[0].tool_calls[0].id == "c1"
    embedding = span({"ai.operationId": "ai.embedMany.doEmbed", "ai.values": ['"one"', '"two"'], "ai.usage.tokens": 2})
    assert [message.text for message in embedding.input] == ["one", "two"]
    assert embedding.input_tokens == 2


def test_langfuse() -> None:
    found = span(
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.model.name": "gpt-4o",
            "langfuse.observation.model.parameters": '{"temperature": 0.1}',
            "langfuse.observation.input": json.dumps([{"role": "user", "content": "hi"}]),
            "langfuse.observation.output": json.dumps({"role": "assistant", "content": "yo"}),
            "langfuse.observation.usage_details": json.dumps({"input": 5, "output": 2, "total": 7}),
            "langfuse.observation.cost_details": json.dumps({"input": 0.1, "output": 0.2}),
            "langfuse.observation.prompt.name": "greet",
            "langfuse.observation.prompt.version": 4,
            "langfuse.observation.completion_start_time": "2026-11-25T09:06:40.500Z",
            "langfuse.observation.level": "ERROR",
            "langfuse.observation.status_message": "broken",
            "langfuse.observation.metadata.team": "a",
            "langfuse.trace.name": "t",
            "langfuse.trace.tags": ["x"],
            "session.id": "s1",
            "user.id": "u1",
        },
        start_ns=1_795_597_600_000_000_000,
        end_ns=1_795_597_602_000_000_000,
    )
    assert (found.operation, found.request_model, found.params) == ("chat", "gpt-4o", {"temperature": 0.1})
    assert (found.input[0].text, found.output[0].text) == ("hi", "yo")
    assert (found.input_tokens, found.output_tokens) == (5, 2)
    assert found.cost_usd is not None
    assert abs(found.cost_usd - 0.3) < 1e-9
    assert (found.lineage.prompt_id, found.lineage.session_id, found.lineage.user_id) == ("greet@4", "s1", "u1")
    assert found.ttft_s == 0.5
    assert (found.status, found.error_message) == ("error", "broken")
    assert found.attributes == {
        "langfuse.observation.cost_details": json.dumps({"input": 0.1, "output": 0.2}),
        "langfuse.observation.level": "ERROR",
        "langfuse.observation.metadata.team": "a",
        "langfuse.trace.name": "t",
        "langfuse.trace.tags": ["x"],
    }
    tool = span(
        {
            "langfuse.observation.type": "tool",
            "langfuse.observation.input": '{"city": "Paris"}',
            "langfuse.observation.output": '"rain"',
        },
        name="weather",
    )
    assert tool.input[0].tool_calls == (ToolCall(id="", name="weather", arguments='{"city": "Paris"}'),)
    assert tool.output == (Message(role="tool", content="rain"),)


def test_mlflow() -> None:
    asked = [{"role": "user", "content": "hi"}]
    answer = {
        "model": "gpt-4o-1",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yo"}}],
    }
    found = span(
        {
            "mlflow.spanType": '"CHAT_MODEL"',
            "mlflow.spanInputs": json.dumps({"messages": asked, "model": "gpt-4o", "temperature": 0.1}),
            "mlflow.spanOutputs": json.dumps(answer),
            "mlflow.chat.messages": json.dumps([*asked, {"role": "assistant", "content": "yo"}]),
            "mlflow.chat.tokenUsage": json.dumps({"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}),
            "mlflow.trace.session": '"s1"',
            "mlflow.trace.user": "u1",
            "mlflow.traceRequestId": '"tr-1"',
        }
    )
    assert (found.operation, found.request_model, found.response_model) == ("chat", "gpt-4o", "gpt-4o-1")
    assert (found.input[0].text, found.output[0].text, found.finish_reasons) == ("hi", "yo", ("stop",))
    assert (found.input_tokens, found.output_tokens, found.params) == (5, 2, {"temperature": 0.1})
    assert (found.lineage.session_id, found.lineage.user_id) == ("s1", "u1")
    assert found.attributes == {"mlflow.spanOutputs": json.dumps(answer), "mlflow.traceRequestId": '"tr-1"'}
    retriever = span(
        {
            "mlflow.spanType": "RETRIEVER",
            "mlflow.spanInputs": '"rain?"',
            "mlflow.spanOutputs": json.dumps([{"page_content": "Rain.", "id": "d1", "metadata": {"page": 3}}]),
        }
    )
    assert retriever.documents == (Document(id="d1", text="Rain.", metadata={"page": 3}),)
    assert retriever.input[0].text == "rain?"
    tool = span({"mlflow.spanType": "TOOL", "mlflow.spanInputs": '{"c": 1}', "mlflow.spanOutputs": '"r"'}, name="look")
    assert (tool.tool_name, tool.output[0].text) == ("look", "r")


def test_errors_status_and_exceptions() -> None:
    failed = span(
        {"gen_ai.request.model": "m"},
        status=2,
        status_message="boom",
        events=[
            ("exception", {"exception.type": "ValueError", "exception.message": "bad", "exception.stacktrace": "s"})
        ],
    )
    assert (failed.status, failed.error_type, failed.error_message) == ("error", "ValueError", "boom")
    assert failed.events[0].attributes["exception.stacktrace"] == "s"
    survived = span({}, events=[("exception", {"exception.type": "ValueError"})])
    assert (survived.status, survived.error_type) == ("ok", None)
    typed = span({"error.type": "timeout"})
    assert (typed.status, typed.error_type) == ("error", "timeout")


def test_whose_app_it_is() -> None:
    assert span({}, resource={"service.name": "shop"}).lineage.app == "shop"
    unknown = span({}, resource={"service.name": "unknown_service:python"})
    assert unknown.lineage.app is None
    assert unknown.attributes == {"resource.service.name": "unknown_service:python"}
    both = span({"noria.app": "mine"}, resource={"service.name": "shop"})
    assert both.lineage.app == "mine"


def test_a_span_that_is_no_model_call() -> None:
    found = span({"http.request.method": "GET"}, name="GET /", kind=2, trace_state="a=b")
    assert (found.operation, found.name) == ("span", "GET /")
    assert found.attributes == {
        "http.request.method": "GET",
        "otel.span.kind": "server",
        "otel.trace_state": "a=b",
    }
    assert found.start_ns == NOW_NS
