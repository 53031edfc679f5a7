"""Replies on the wire: response objects, read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallCut, CallGarbled, InvalidInput
from noria.core.messages import Message, parted
from noria.core.replies import Choice, Reply, Usage
from noria.wires.openai_chat.errors import decode_error_object
from noria.wires.openai_responses.items import messages_in
from noria.wires.openai_responses.shapes import ResponseShape, UsageShape

_response_decoder = msgspec.json.Decoder(ResponseShape)
_INCOMPLETE = {"max_output_tokens": "length", "content_filter": "content_filter"}


def decode_reply(body: bytes) -> Reply:
    """A response that came in one piece.

    Raises:
        CallCut: it is neither complete nor stopped for a reason.
        CallFailed: the body is no response, or one that failed.
    """
    try:
        shape = _response_decoder.decode(body)
    except UNREADABLE as error:
        raise CallGarbled(f"The provider sent something that is no response: {error}.") from error
    reason = reason_of(shape)
    message = said(shape.output or ())
    logprobs = [token for item in shape.output or () for token in _logprobs(item)]
    choice = Choice(message=message, finish_reason=reason, logprobs={"content": logprobs} if logprobs else None)
    return Reply(id=shape.id or "", model=shape.model or "", choices=(choice,), usage=usage_of(shape.usage))


def said(items: Iterable[dict[str, Any]]) -> Message:
    """What the model said, as one message. Raises ``CallFailed`` for items that are none."""
    try:
        turns = list(messages_in(list(items), "output"))
    except InvalidInput as error:
        raise CallGarbled(f"The provider sent a response with an item that is none: {error.message}") from error
    if not turns:
        return Message(role="assistant")
    first, *rest = turns
    for turn in rest:  # what somebody else said between, such as the output of a tool that ran there
        at = len(first.pieces)
        moved = tuple(msgspec.structs.replace(thought, at=thought.at + at) for thought in turn.thoughts)
        content, calls = parted((*first.pieces, *turn.pieces))
        first = msgspec.structs.replace(
            first,
            content=content,
            tool_calls=calls,
            thoughts=(*first.thoughts, *moved),
            reasoning=first.reasoning + turn.reasoning,
            refusal=first.refusal + turn.refusal,
        )
    return first


def reason_of(shape: ResponseShape) -> str:
    """Why it stopped. Raises ``CallFailed`` where it failed, ``CallCut`` where it has not ended."""
    if shape.error or shape.status == "failed":
        raise decode_error_object(shape.error or {"message": "The response failed."})
    if shape.status == "completed":
        calls = any(item.get("type") in ("function_call", "custom_tool_call") for item in shape.output or ())
        return "tool_calls" if calls else "stop"
    if shape.status == "incomplete":
        reason = (shape.incomplete_details.reason if shape.incomplete_details else None) or "length"
        return _INCOMPLETE.get(reason, reason)
    raise CallCut(f"The provider's response is not complete: its status is {str(shape.status)[:40]!r}.")


def _logprobs(item: dict[str, Any]) -> Iterator[Any]:
    content = item.get("content")
    for part in content if isinstance(content, list) else ():
        tokens = part.get("logprobs") if isinstance(part, dict) else None
        yield from tokens if isinstance(tokens, list) else ()


def usage_of(shape: UsageShape | None) -> Usage | None:
    """Token counts; None where nobody counted, or where a number can be no count."""
    if shape is None:
        return None
    sent, generated = _count(shape.input_tokens), _count(shape.output_tokens)
    if sent is None or generated is None:
        return None
    read, made = shape.input_tokens_details, shape.output_tokens_details
    return Usage(
        input_tokens=sent,
        output_tokens=generated,
        cached_tokens=_count(read.cached_tokens) if read else None,
        cache_write_tokens=_count(read.cache_write_tokens) if read else None,
        reasoning_tokens=_count(made.reasoning_tokens) if made else None,
    )


def _count(tokens: int | None) -> int | None:
    return tokens if tokens is not None and 0 <= tokens < 2**63 else None
