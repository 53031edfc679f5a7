"""Chat replies that come in one piece, and what a stream's events share with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import Any, TypeVar

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallCut, CallFailed, CallGarbled
from noria.core.messages import Citation, Message, TextPart, ToolCall
from noria.core.replies import Choice, Reply
from noria.wires.cohere.chat import document_number
from noria.wires.cohere.shapes import AnswerShape, CitationShape, LogprobShape, ReplyShape, Source, usage_of

REASONS = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR_TOXIC": "content_filter",
}
"""Finish reasons that have a name in the nouns. Any other is kept in Cohere's own word, in small letters."""
_FAILED = frozenset({"ERROR", "TIMEOUT"})
"""Finish reasons of a reply that is not complete."""
_reply_decoder = msgspec.json.Decoder(ReplyShape)
_T = TypeVar("_T")


def decode_chat(body: bytes) -> Reply:
    """A chat reply.

    Raises:
        CallCut: it has no message or no finish reason.
        CallFailed: the body is no chat reply, or says that the generation failed.
    """
    try:
        shape = _reply_decoder.decode(body)
    except UNREADABLE as error:
        raise CallGarbled(f"Cohere sent something that is no chat reply: {error}.") from error
    if shape.message is None or shape.finish_reason is None:
        raise CallCut("Cohere's reply is not complete: it has no message, or no finish reason.")
    answer = shape.message
    text = "".join(block.text or "" for block in each(answer.content))
    begins = dict(enumerate(accumulate((len(block.text or "") for block in each(answer.content)), initial=0)))
    cited = tuple(found for citation in each(answer.citations) for found in citations_of(citation, begins))
    message = Message(
        role="assistant",
        content=(TextPart(text=text, citations=cited),) if cited else text,
        reasoning=thinking_of(answer),
        tool_calls=tuple(
            ToolCall(
                id=call.id or "",
                name=(call.function.name if call.function else None) or "",
                arguments=(call.function.arguments if call.function else None) or "",
            )
            for call in each(answer.tool_calls)
        ),
    )
    choice = Choice(
        message=message, finish_reason=reason_of(shape.finish_reason), logprobs=logprobs_of(shape.logprobs or ())
    )
    return Reply(id=shape.id or "", choices=(choice,), usage=usage_of(shape.usage))


def each(found: _T | list[_T] | None) -> Iterable[_T]:
    """The items of what is a list in a whole reply, and one item in an event of a stream."""
    if found is None:
        return ()
    return found if isinstance(found, list) else (found,)


def thinking_of(answer: AnswerShape) -> str:
    """The model's thinking: its plan for the tools it calls, and blocks of their own."""
    return (answer.tool_plan or "") + "".join(block.thinking or "" for block in each(answer.content))


def reason_of(stated: str, error: str | None = None) -> str:
    """Why a reply ended. Raises ``CallFailed`` where that is a failure."""
    if stated in _FAILED:
        raise CallFailed(
            f"Cohere's generation ended with {stated}{': ' + error if error else ''}.",
            status=504 if stated == "TIMEOUT" else 502,
            retryable=True,
        )
    return REASONS.get(stated, stated.lower())


def citations_of(shape: CitationShape, begins: Mapping[int, int]) -> Iterable[Citation]:
    """A claim and its sources: one citation for each. What is cited in the model's thinking has no place in its answer.

    Arguments:
        begins: how many characters of the answer come before each of its blocks, in which the wire counts.
    """
    data: dict[str, Any] = msgspec.to_builtins(shape)
    data = {name: value for name, value in data.items() if value is not None}
    placed = shape.type in {None, "TEXT_CONTENT"}
    before = begins.get(shape.content_index or 0, 0)
    for source in shape.sources or (Source(),):
        document = source.document or source.tool_output or {}
        yield Citation(
            url=_text(document.get("url")),
            title=_text(document.get("title")),
            cited=_text(document.get("text")) or _text(document.get("snippet")),
            document=document_number(source.id or ""),
            start=shape.start + before if placed and shape.start is not None else None,
            end=shape.end + before if placed and shape.end is not None else None,
            data=data,
        )


def logprobs_of(shapes: Iterable[LogprobShape]) -> dict[str, Any] | None:
    """Log-probabilities in OpenAI's shape.

    Cohere gives them for pieces of text, mostly of one token each. A piece of several keeps its text whole, with the sum,
    which is the logarithm of the piece's probability.
    """
    tokens = [
        {"token": shape.text, "logprob": sum(shape.logprobs), "bytes": list(shape.text.encode()), "top_logprobs": []}
        for shape in shapes
        if shape.text is not None and shape.logprobs
    ]
    return {"content": tokens} if tokens else None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
