"""OpenInference's attributes become columns."""

import json

from noria.core.messages import ImagePart, Message, TextPart, ToolCall
from noria.core.spans import Document

from .reading import span


def test_a_call_of_a_model() -> None:
    found = span(
        {
            "openinference.span.kind": "LLM",
            "llm.system": "openai",
            "llm.provider": "openai",
            "llm.model_name": "gpt-4o",
            "llm.invocation_parameters": json.dumps({"model": "gpt-4o", "temperature": 0.1, "tools": [{"a": 1}]}),
            "llm.input_messages.0.message.role": "system",
            "llm.input_messages.0.message.content": "Be brief.",
            "llm.input_messages.1.message.role": "user",
            "llm.input_messages.1.message.contents.0.message_content.type": "text",
            "llm.input_messages.1.message.contents.0.message_content.text": "What is it?",
            "llm.input_messages.1.message.contents.1.message_content.type": "image",
            "llm.input_messages.1.message.contents.1.message_content.image.image.url": "https://x.example/a.png",
            "llm.input_messages.2.message.role": "tool",
            "llm.input_messages.2.message.tool_call_id": "c0",
            "llm.input_messages.2.message.content": "42",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.tool_calls.0.tool_call.id": "c1",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "look",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"at": 1}',
            "llm.output_messages.0.message.tool_calls.0.tool_call.reasoning_signature": "sig",
            "llm.token_count.prompt": 20,
            "llm.token_count.completion": 4,
            "llm.token_count.total": 24,
            "llm.token_count.prompt_details.cache_read": 16,
            "llm.token_count.completion_details.reasoning": 2,
            "llm.cost.total": 0.01,
            "llm.prompt_template.template": "Look at {x}",
            "llm.prompt_template.version": "v3",
            "llm.prompt_template.variables": json.dumps({"x": "it"}),
            "session.id": "s1",
            "user.id": "u1",
            "metadata": '{"team": "a"}',
            "input.value": "raw",
            "input.mime_type": "text/plain",
        }
    )
    assert (found.operation, found.provider, found.request_model) == ("chat", "openai", "gpt-4o")
    assert found.input == (
        Message(role="system", content="Be brief."),
        Message(role="user", content=(TextPart(text="What is it?"), ImagePart(url="https://x.example/a.png"))),
        Message(role="tool", content="42", tool_call_id="c0"),
    )
    call = ToolCall(id="c1", name="look", arguments='{"at": 1}')
    assert found.output == (Message(role="assistant", tool_calls=(call,)),)
    assert found.params == {"temperature": 0.1, "tools": [{"a": 1}]}
    assert (found.input_tokens, found.output_tokens, found.cached_tokens, found.reasoning_tokens) == (20, 4, 16, 2)
    assert found.cost_usd == 0.01
    assert (found.lineage.session_id, found.lineage.user_id, found.lineage.prompt_id) == ("s1", "u1", "v3")
    assert found.variables == {"x": "it"}
    assert found.attributes == {
        "llm.output_messages.0.message.tool_calls.0.tool_call.reasoning_signature": "sig",
        "llm.prompt_template.template": "Look at {x}",
        "metadata": '{"team": "a"}',
        "input.value": "raw",
        "input.mime_type": "text/plain",
    }


def test_a_retriever() -> None:
    found = span(
        {
            "openinference.span.kind": "RETRIEVER",
            "input.value": "rain?",
            "input.mime_type": "text/plain",
            "retrieval.documents.0.document.id": "d1",
            "retrieval.documents.0.document.content": "Rain.",
            "retrieval.documents.0.document.score": 0.9,
            "retrieval.documents.0.document.metadata": '{"page": 3}',
            "retrieval.documents.1.document.content": "Sun.",
        }
    )
    assert found.operation == "retrieval"
    assert found.input == (Message(role="user", content="rain?"),)
    assert found.documents == (
        Document(id="d1", text="Rain.", score=0.9, metadata={"page": 3}),
        Document(text="Sun."),
    )
    assert found.attributes == {}


def test_a_number_that_json_has_no_form_for_costs_no_span() -> None:
    [document] = span({"retrieval.documents.0.document.metadata": float("-inf")}).documents
    assert document.metadata == {"metadata": "-inf"}


def test_a_tool() -> None:
    found = span(
        {
            "openinference.span.kind": "TOOL",
            "tool.name": "weather",
            "tool.parameters": '{"city": "Paris"}',
            "input.value": '{"city": "Paris"}',
            "output.value": "rain",
        }
    )
    assert (found.operation, found.tool_name) == ("execute_tool", "weather")
    assert found.input[0].tool_calls[0].arguments == '{"city": "Paris"}'
    assert found.output == (Message(role="tool", content="rain", name="weather"),)


def test_a_chain_an_embedding_and_a_completion() -> None:
    chain = span({"openinference.span.kind": "CHAIN", "input.value": '{"question": "q"}', "output.value": "a"})
    assert (chain.operation, chain.input[0].text, chain.output[0].text) == ("chain", '{"question": "q"}', "a")
    embedding = span(
        {
            "openinference.span.kind": "EMBEDDING",
            "embedding.model_name": "e",
            "embedding.embeddings.0.embedding.text": "one",
            "embedding.embeddings.0.embedding.vector": [0.5, 1.0],
        }
    )
    assert (embedding.operation, embedding.request_model, embedding.input[0].text) == ("embeddings", "e", "one")
    assert embedding.attributes == {"embedding.embeddings.0.embedding.vector": [0.5, 1.0]}
    completion = span({"llm.prompts.0.prompt.text": "p", "llm.choices.0.completion.text": "c"})
    assert (completion.input[0].text, completion.output[0].text) == ("p", "c")


def test_raw_requests_and_replies_keep_only_what_no_column_holds() -> None:
    asked = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}], "temperature": 0.1, "stream": True}
    reply = {
        "id": "chatcmpl-1",
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yo"}}],
        "system_fingerprint": "fp",
    }
    attributes = {
        "openinference.span.kind": "LLM",
        "llm.model_name": "gpt-4o-2024-08-06",
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "hi",
        "llm.output_messages.0.message.role": "assistant",
        "llm.output_messages.0.message.content": "yo",
        "input.value": json.dumps(asked),
        "input.mime_type": "application/json",
        "output.value": json.dumps(reply),
        "output.mime_type": "application/json",
    }
    found = span(attributes)
    assert (found.request_model, found.response_model) == ("gpt-4o", "gpt-4o-2024-08-06")
    assert found.params == {"temperature": 0.1, "stream": True}
    assert found.attributes == {
        "output.value": '{"id":"chatcmpl-1","system_fingerprint":"fp"}',
        "output.mime_type": "application/json",
    }
    other = span(attributes | {"llm.input_messages.0.message.content": "something else"})
    assert other.attributes["input.value"] == json.dumps(asked)


def test_langchains_parameters_name_the_model_that_was_asked_for() -> None:
    found = span({"llm.model_name": "m-1", "llm.invocation_parameters": '{"model_name": "m", "stop": null}'})
    assert (found.request_model, found.response_model, found.params) == ("m", "m-1", {"stop": None})
