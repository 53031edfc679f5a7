"""Replies on the wire: ``chat.completion`` objects, and the list of models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from noria.core.errors import CallCut, CallFailed
from noria.core.events import Choice, Reply, Usage
from noria.core.messages import Message, ToolCall
from noria.wires.openai_chat.errors import decode_error_object
from noria.wires.openai_chat.requests import tool_call_out
from noria.wires.openai_chat.shapes import AnswerShape, ChoiceShape, ReplyShape, ToolCallShape, UsageShape

_reply_decoder = msgspec.json.Decoder(ReplyShape)


def decode_reply(body: bytes) -> Reply:
    """A reply that came in one piece.

    Raises:
        CallCut: no choice, or one without a finish reason.
        CallFailed: the body is no chat completion, or is an error object in spite of its status.
    """
    shape = decode_shape(body)
    choices = tuple(_choice(choice) for choice in sorted(shape.choices or (), key=lambda choice: choice.index))
    reply = Reply(id=shape.id or "", model=shape.model or "", choices=choices, usage=usage_of(shape.usage))
    if not reply.complete:
        raise CallCut("The provider's reply is not complete: it has no choice, or one without a finish reason.")
    return reply


def encode_reply(reply: Reply, *, id: str, created: int) -> bytes:
    """``reply`` as a ``chat.completion`` object; ``created`` is in seconds since 1970 UTC.

    Raises:
        CallCut: a choice has no finish reason. Half a reply never leaves as a whole one.
    """
    if not reply.complete:
        raise CallCut("The reply ended before it was complete.")
    body: dict[str, Any] = {
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": reply.model,
        "choices": [_choice_out(index, choice) for index, choice in enumerate(reply.choices)],
    }
    if reply.usage is not None:
        body["usage"] = usage_out(reply.usage)
    return msgspec.json.encode(body)


def encode_models(names: Iterable[str], created: int) -> bytes:
    """The reply to ``GET /models``; ``created`` is in seconds since 1970 UTC."""
    data = [{"id": name, "object": "model", "created": created, "owned_by": "noria"} for name in names]
    return msgspec.json.encode({"object": "list", "data": data})


def decode_shape(data: bytes) -> ReplyShape:
    """A reply or a chunk. Raises ``CallFailed`` for what is neither, and for an error object."""
    try:
        shape = _reply_decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CallFailed(f"The provider sent something that is no chat completion: {error}.") from error
    if shape.error:
        raise decode_error_object(shape.error)
    return shape


def text_of(answer: AnswerShape) -> str:
    """The answer's text; some servers (Mistral) send it in parts."""
    if isinstance(answer.content, list):
        return "".join(part["text"] for part in answer.content if isinstance(part.get("text"), str))
    return answer.content or ""


def reasoning_of(answer: AnswerShape) -> str:
    """Thinking text: ``reasoning_content`` (llama.cpp, DeepSeek, SGLang) or ``reasoning`` (OpenRouter, vLLM)."""
    return answer.reasoning_content or answer.reasoning or ""


def logprobs_of(choice: ChoiceShape) -> dict[str, Any] | None:
    """Log-probabilities, without the lists that are null or empty."""
    return {name: tokens for name, tokens in (choice.logprobs or {}).items() if tokens} or None


def logprobs_out(logprobs: dict[str, Any] | None) -> dict[str, Any] | None:
    """Log-probabilities with both lists that the wire asks for."""
    return None if logprobs is None else {"content": None, "refusal": None} | logprobs


def usage_of(shape: UsageShape | None) -> Usage | None:
    """Token counts; None where nobody counted. Some servers leave out the completion where nothing was generated.

    A number that no tokens can have is no count: a provider's slip must not cost the caller the answer.
    """
    if shape is None:
        return None
    prompt, completion = shape.prompt_tokens_details, shape.completion_tokens_details
    sent, generated = _count(shape.prompt_tokens), _count(shape.completion_tokens or 0)
    if sent is None or generated is None:
        return None
    return Usage(
        input_tokens=sent,
        output_tokens=generated,
        cached_tokens=_count(prompt.cached_tokens) if prompt else None,
        reasoning_tokens=_count(completion.reasoning_tokens) if completion else None,
    )


def usage_out(usage: Usage) -> dict[str, Any]:
    """Token counts; details only where they are known."""
    out: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
    if usage.cached_tokens is not None:
        out["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    if usage.reasoning_tokens is not None:
        out["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return out


def _count(tokens: int | None) -> int | None:
    """``tokens`` where it can be a number of tokens: from 0, and small enough for every store."""
    return tokens if tokens is not None and 0 <= tokens < 2**63 else None


def _choice(choice: ChoiceShape) -> Choice:
    answer = choice.message or AnswerShape()
    message = Message(
        role="assistant",
        content=text_of(answer),
        tool_calls=tuple(_tool_call(call) for call in answer.tool_calls or ()),
        reasoning=reasoning_of(answer),
        refusal=answer.refusal or "",
    )
    return Choice(message=message, finish_reason=choice.finish_reason, logprobs=logprobs_of(choice))


def _tool_call(call: ToolCallShape) -> ToolCall:
    function = call.function
    return ToolCall(id=call.id or "", name=function.name or "", arguments=function.arguments or "")


def _choice_out(index: int, choice: Choice) -> dict[str, Any]:
    said = choice.message
    silent = not said.text and (said.tool_calls or said.refusal)
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if silent else said.text,
        "refusal": said.refusal or None,
    }
    if said.reasoning:
        message["reasoning_content"] = said.reasoning
    if said.tool_calls:
        message["tool_calls"] = [tool_call_out(call) for call in said.tool_calls]
    return {
        "index": index,
        "message": message,
        "logprobs": logprobs_out(choice.logprobs),
        "finish_reason": choice.finish_reason,
    }
