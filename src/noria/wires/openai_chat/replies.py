"""Replies on the wire: ``chat.completion`` objects, and what they have in common with chunks of streams."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any

import msgspec

from noria.core.citing import together
from noria.core.decoding import UNREADABLE
from noria.core.errors import CallCut, CallGarbled
from noria.core.messages import AudioPart, ImagePart, Message, OtherPart, Part, TextPart
from noria.core.replies import Choice, Reply, Usage
from noria.wires.images import image_of
from noria.wires.openai_chat.errors import decode_error_object
from noria.wires.openai_chat.messages import call_out, called
from noria.wires.openai_chat.parts import citations_in, citations_out
from noria.wires.openai_chat.shapes import AnswerShape, ChoiceShape, ReplyShape, ToolCallShape, UsageShape
from noria.wires.openai_chat.thinking import details_out, thoughts_in

_reply_decoder = msgspec.json.Decoder(ReplyShape)
_REASONS = {"function_call": "tool_calls", **dict.fromkeys(("eos", "eos_token", "end_turn", "stop_sequence"), "stop")}
"""Reasons to stop that only this wire knows, or servers of it, in the nouns' words."""
_REASONS_OUT = {
    "refusal": "content_filter",
    **{word: word for word in ("stop", "length", "tool_calls", "content_filter")},
}
"""The other way round: a provider that stops a model from going on calls it a filter here."""


def decode_reply(body: bytes, *, audio_format: str = "wav") -> Reply:
    """A reply that came in one piece.

    Arguments:
        body: of the response.
        audio_format: what spoken audio was asked for; the reply does not say.

    Raises:
        CallCut: no choice, or one without a finish reason.
        CallFailed: the body is no chat completion, or is an error object in spite of its status.
    """
    shape = decode_shape(body)
    choices = shape.choices or []
    if len(choices) > 1:
        choices.sort(key=lambda choice: choice.index)
    reply = Reply(
        id=shape.id or "",
        model=shape.model or "",
        choices=tuple([_choice(choice, audio_format) for choice in choices]),
        usage=usage_of(shape.usage),
    )
    if not reply.complete:
        raise CallCut("The provider's reply is not complete: it has no choice, or one without a finish reason.")
    return reply


def encode_reply(reply: Reply, *, id: str, created: int, functions: bool = False) -> bytes:
    """``reply`` as a ``chat.completion`` object; ``created`` is in seconds since 1970 UTC.

    With ``functions``, a tool call is said as the deprecated ``function_call``.

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
        "choices": [
            _choice_out(i, choice, id=id, created=created, functions=functions)
            for i, choice in enumerate(reply.choices)
        ],
    }
    if reply.usage is not None:
        body["usage"] = usage_out(reply.usage)
    return msgspec.json.encode(body)


def decode_shape(data: bytes) -> ReplyShape:
    """A reply or a chunk. Raises ``CallFailed`` for what is neither, and for an error object."""
    try:
        shape = _reply_decoder.decode(data)
    except UNREADABLE as error:
        raise CallGarbled(f"The provider sent something that is no chat completion: {error}.") from error
    if shape.error:
        raise decode_error_object(shape.error)
    return shape


def text_of(answer: AnswerShape) -> str:
    """The answer's text; some servers (Mistral) send it in parts. Of spoken audio, what is said."""
    if isinstance(answer.content, list):
        return "".join(part["text"] for part in answer.content if isinstance(part.get("text"), str))
    return answer.content or (answer.audio.transcript if answer.audio else None) or ""


def reasoning_of(answer: AnswerShape) -> str:
    """Thinking text.

    In ``reasoning_content`` (llama.cpp, DeepSeek, SGLang), ``reasoning`` (OpenRouter, vLLM) or a part of the content
    (Mistral).
    """
    said = answer.reasoning_content or answer.reasoning or ""
    if not said and isinstance(answer.content, list):
        blocks = (part.get("thinking") for part in answer.content if part.get("type") == "thinking")
        pieces = (
            piece.get("text")
            for block in blocks
            if isinstance(block, list)
            for piece in block
            if isinstance(piece, dict)
        )
        said = "".join(piece for piece in pieces if isinstance(piece, str))
    return said


def calls_of(answer: AnswerShape) -> list[ToolCallShape]:
    """Tool calls, or the one call of a server that still speaks of functions."""
    calls = list(answer.tool_calls or ())
    if answer.function_call is not None:
        calls.append(ToolCallShape(id="call_0" if answer.function_call.name else None, function=answer.function_call))
    return calls


def reason_in(reason: str) -> str:
    """A finish reason in the nouns' words."""
    return _REASONS.get(reason, reason)


def reason_out(reason: str | None, *, functions: bool = False) -> dict[str, str | None]:
    """A finish reason in this wire's words, which clients read as one of a list.

    Any other (``pause_turn``, ``MALFORMED_FUNCTION_CALL``) is told as ``length``, since no answer ends well that way, and
    beside it as it is, as OpenRouter does.
    """
    if functions and reason == "tool_calls":
        return {"finish_reason": "function_call"}
    if reason is None or (known := _REASONS_OUT.get(reason)):
        return {"finish_reason": None if reason is None else known}
    return {"finish_reason": "length", "native_finish_reason": reason}


def sequence_of(choice: ChoiceShape) -> str | None:
    """The stop sequence that ended a choice, which vLLM and SGLang tell."""
    return choice.stop_reason if isinstance(choice.stop_reason, str) else None


def logprobs_of(choice: ChoiceShape) -> dict[str, Any] | None:
    """Log-probabilities, without the lists that are null or empty."""
    return {name: tokens for name, tokens in (choice.logprobs or {}).items() if tokens} or None


def logprobs_out(logprobs: dict[str, Any] | None) -> dict[str, Any] | None:
    """Log-probabilities with both lists that the wire asks for."""
    return None if logprobs is None else {"content": None, "refusal": None} | logprobs


def images_in(images: Iterable[dict[str, Any]]) -> Iterable[Part]:
    """Generated images, as OpenRouter and Google's compatible endpoint send them."""
    for image in images:
        match image:
            case {"image_url": {"url": str(url)}}:
                yield ImagePart(url=url)
            case _:
                yield OtherPart(data=image)


def joined_audio(pieces: Iterable[str]) -> str:
    """Pieces of base64, each whole by itself, as one. Raises ``CallFailed`` for what is no base64."""
    try:
        return base64.b64encode(b"".join(base64.b64decode(piece, validate=True) for piece in pieces)).decode()
    except binascii.Error as error:
        raise CallGarbled(f"The provider sent audio that is no base64: {error}.") from error


def parts_out(parts: Iterable[Part], text: str, *, id: str, created: int) -> dict[str, Any]:
    """What is neither text nor thinking, as fields of an answer.

    ``audio``; ``images``, as OpenRouter has them; and ``other_parts`` for what no dialect of this wire has a place for.
    """
    out: dict[str, Any] = {}
    for part in parts:
        if isinstance(part, AudioPart):
            out["audio"] = {"id": f"audio_{id}", "data": part.data, "transcript": text, "expires_at": created}
        elif (image := image_of(part)) is not None:
            out.setdefault("images", []).append({"type": "image_url", "image_url": {"url": image.url}})
        elif not isinstance(part, TextPart):
            out.setdefault("other_parts", []).append(msgspec.to_builtins(part))
    return out


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
    cached = _count(prompt.cached_tokens) if prompt else None
    return Usage(
        input_tokens=sent,
        output_tokens=generated,
        cached_tokens=_count(shape.prompt_cache_hit_tokens) if cached is None else cached,
        cache_write_tokens=_count(prompt.cache_write_tokens) if prompt else None,
        reasoning_tokens=_count(completion.reasoning_tokens) if completion else None,
    )


def usage_out(usage: Usage) -> dict[str, Any]:
    """Token counts; details only where they are known."""
    out: dict[str, Any] = {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
    }
    prompt = {"cached_tokens": usage.cached_tokens, "cache_write_tokens": usage.cache_write_tokens}
    if known := {name: tokens for name, tokens in prompt.items() if tokens is not None}:
        out["prompt_tokens_details"] = known
    if usage.reasoning_tokens is not None:
        out["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return out


def _count(tokens: int | None) -> int | None:
    """``tokens`` where it can be a number of tokens: from 0, and small enough for every store."""
    return tokens if tokens is not None and 0 <= tokens < 2**63 else None


def _choice(choice: ChoiceShape, audio_format: str) -> Choice:
    return Choice(
        message=_message(choice.message or AnswerShape(), audio_format),
        finish_reason=None if choice.finish_reason is None else reason_in(choice.finish_reason),
        sequence=sequence_of(choice),
        logprobs=None if choice.logprobs is None else logprobs_of(choice),
    )


def _message(answer: AnswerShape, audio_format: str) -> Message:
    content = answer.content
    if type(content) is str and answer == AnswerShape(role=answer.role, content=content):  # as most are
        return Message(role="assistant", content=content)
    text = text_of(answer)
    parts = list(images_in(answer.images or ()))
    if answer.audio is not None and answer.audio.data:
        parts.append(AudioPart(data=answer.audio.data, format=audio_format))
    cited = citations_in(answer.annotations, answer.document_citations)
    said = (TextPart(text=text, citations=cited),) if text else ()
    thoughts = tuple(thoughts_in(answer.reasoning_details, answer.thinking_blocks))
    return Message(
        role="assistant",
        content=(*said, *parts) if cited or parts else text,
        tool_calls=tuple(map(called, calls_of(answer))),
        reasoning=reasoning_of(answer) or "".join(thought.text for thought in thoughts),
        thoughts=thoughts,
        refusal=answer.refusal or "",
    )


def _choice_out(index: int, choice: Choice, *, id: str, created: int, functions: bool) -> dict[str, Any]:
    said = choice.message
    parts: tuple[Part, ...] = () if isinstance(said.content, str) else said.content
    extra = parts_out(parts, said.text, id=id, created=created)
    silent = "audio" in extra or (not said.text and (said.tool_calls or said.refusal))
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if silent else said.text,
        "refusal": said.refusal or None,
        **extra,
    }
    if said.reasoning:
        message["reasoning_content"] = said.reasoning
    if said.thoughts:
        message["reasoning_details"] = details_out(said.thoughts)
    if said.tool_calls and functions:
        call = said.tool_calls[0]
        message["function_call"] = {"name": call.name, "arguments": call.arguments}
    elif said.tool_calls:
        message["tool_calls"] = [call_out(call) for call in said.tool_calls]
    message |= citations_out(together(said))
    out = {
        "index": index,
        "message": message,
        "logprobs": logprobs_out(choice.logprobs),
        **reason_out(choice.finish_reason, functions=functions),
    }
    return out | ({} if choice.sequence is None else {"stop_reason": choice.sequence})
