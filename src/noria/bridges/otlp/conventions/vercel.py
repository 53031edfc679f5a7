"""The Vercel AI SDK's telemetry (``experimental_telemetry``), versions 4 to 6.

An outer span (``ai.generateText``) goes round the calls of the model (``ai.generateText.doGenerate``) and its tools;
both say the usage. The outer one becomes ``invoke_agent``, so that tokens are summed over ``chat`` alone.

Source: https://ai-sdk.dev/docs/ai-sdk-core/telemetry
"""

from __future__ import annotations

from typing import Any

from noria.bridges.otlp.conventions.draft import (
    Column,
    Convention,
    Draft,
    claim,
    count,
    derived_total,
    milliseconds,
    number,
    text,
    texts,
)
from noria.bridges.otlp.conventions.genai import tool
from noria.bridges.otlp.conventions.genai_before import provider
from noria.bridges.otlp.messages import as_text, message_of, parsed, said, text_message
from noria.bridges.otlp.raw import Attributes
from noria.core.messages import Message

_METADATA = "ai.telemetry.metadata."
_NAMES = {
    "sessionId": "session_id",
    "session_id": "session_id",
    "userId": "user_id",
    "user_id": "user_id",
    "promptId": "prompt_id",
    "app": "app",
}
_ANSWER = {
    "ai.response.text": "content",
    "ai.response.object": "content",
    "ai.response.reasoning": "reasoning_content",
    "ai.response.toolCalls": "tool_calls",
}


def read(draft: Draft, taken: Attributes) -> None:
    """Messages, tools, and who asked."""
    for key in [key for key in taken if key.startswith(_METADATA)]:
        if column := _NAMES.get(key.removeprefix(_METADATA)):
            claim(draft, taken, key, column, text(taken[key]))
    if "ai.toolCall.args" in taken or "ai.toolCall.result" in taken:
        tool(draft, taken, arguments="ai.toolCall.args", result="ai.toolCall.result", call_id="ai.toolCall.id")
    _input(draft, taken)
    _output(draft, taken)
    _embedded(draft, taken)
    derived_total(draft, taken, "ai.usage.totalTokens")


def _input(draft: Draft, taken: Attributes) -> None:
    if "ai.prompt.messages" in taken and (spoken := said(taken["ai.prompt.messages"])):
        claim(draft, taken, "ai.prompt.messages", "input", spoken.messages)
    given = parsed(taken.get("ai.prompt"))
    if not isinstance(given, dict):
        return
    messages: list[Message] = []
    if isinstance(system := given.get("system"), str):
        messages.append(Message(role="system", content=system))
    spoken = said(given.get("messages"))
    if spoken:
        messages += spoken.messages
    elif isinstance(prompt := given.get("prompt"), str):
        messages.append(Message(role="user", content=prompt))
    elif spoken := said(given.get("prompt")):
        messages += spoken.messages
    claim(draft, taken, "ai.prompt", "input", tuple(messages))


def _output(draft: Draft, taken: Attributes) -> None:
    written: dict[str, Any] = {}
    for key, name in _ANSWER.items():
        if key in taken:
            written.setdefault(name, parsed(taken[key]) if name == "tool_calls" else as_text(taken[key]))
    if written and draft.offer("output", tuple(message_of({"role": "assistant"} | written))):
        for key in _ANSWER:
            taken.pop(key, None)


def _embedded(draft: Draft, taken: Attributes) -> None:
    if "ai.value" in taken:
        claim(
            draft,
            taken,
            "ai.value",
            "input",
            text_message("user", as_text(parsed(taken["ai.value"]) or taken["ai.value"])),
        )
    values = taken.get("ai.values")
    if isinstance(values, list):
        messages = tuple(Message(role="user", content=as_text(parsed(one) or one)) for one in values)
        claim(draft, taken, "ai.values", "input", messages)


def _operation(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    if value.endswith((".doGenerate", ".doStream")):
        return "chat"
    if value.endswith(".doEmbed"):
        return "embeddings"
    return {"ai.toolCall": "execute_tool", "ai.embed": "embed", "ai.embedMany": "embed"}.get(value, "invoke_agent")


VERCEL = Convention(
    "Vercel AI SDK",
    read,
    {
        "ai.operationId": Column("operation", _operation),
        "ai.model.id": Column("request_model", text),
        "ai.model.provider": Column("provider", provider),
        "ai.response.model": Column("response_model", text),
        "ai.response.finishReason": Column("finish_reasons", texts),
        "ai.response.msToFirstChunk": Column("ttft_s", milliseconds),
        "ai.stream.msToFirstChunk": Column("ttft_s", milliseconds),
        "ai.usage.promptTokens": Column("input_tokens", count),
        "ai.usage.inputTokens": Column("input_tokens", count),
        "ai.usage.tokens": Column("input_tokens", count),
        "ai.usage.completionTokens": Column("output_tokens", count),
        "ai.usage.outputTokens": Column("output_tokens", count),
        "ai.usage.cachedInputTokens": Column("cached_tokens", count),
        "ai.usage.inputTokenDetails.cacheReadTokens": Column("cached_tokens", count),
        "ai.usage.reasoningTokens": Column("reasoning_tokens", count),
        "ai.usage.outputTokenDetails.reasoningTokens": Column("reasoning_tokens", count),
        "ai.toolCall.name": Column("tool_name", text),
        "ai.settings.temperature": Column("temperature", number, param=True),
        "ai.settings.topP": Column("top_p", number, param=True),
        "ai.settings.topK": Column("top_k", number, param=True),
        "ai.settings.maxTokens": Column("max_tokens", count, param=True),
        "ai.settings.maxOutputTokens": Column("max_tokens", count, param=True),
        "ai.settings.presencePenalty": Column("presence_penalty", number, param=True),
        "ai.settings.frequencyPenalty": Column("frequency_penalty", number, param=True),
        "ai.settings.seed": Column("seed", number, param=True),
    },
    keys=frozenset(
        {
            *_ANSWER,
            "ai.prompt",
            "ai.prompt.messages",
            "ai.toolCall.id",
            "ai.toolCall.args",
            "ai.toolCall.result",
            "ai.value",
            "ai.values",
            "ai.usage.totalTokens",
        }
    ),
    trees=frozenset({"ai.telemetry"}),
)
