"""Replies of Google: ``GenerateContentResponse`` objects, whole or piece by piece, as events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallCut, CallGarbled
from noria.core.events import Content, Delta, Started, Stopped, ThoughtDelta, ToolCallDelta, Used
from noria.core.folding import fold
from noria.core.messages import Citation
from noria.core.replies import Reply
from noria.core.requests import Request
from noria.wires import makers
from noria.wires.google.citations import Texts, read_grounding, read_recited
from noria.wires.google.errors import decode_error_object
from noria.wires.google.functions import read_call
from noria.wires.google.logprobs import read_logprobs
from noria.wires.google.parts import read_part
from noria.wires.google.reasons import read_reason
from noria.wires.google.seals import seal_in
from noria.wires.google.shapes import CandidateShape, CountShape, FeedbackShape, ReplyShape
from noria.wires.google.usage import read_usage

_decoder = msgspec.json.Decoder(ReplyShape)
_count_decoder = msgspec.json.Decoder(CountShape)


def decode_reply(body: bytes, request: Request) -> Reply:
    """A reply that came in one piece.

    Raises:
        CallCut: no candidate, or one without a finish reason.
        CallFailed: the body is no reply of Google's, or is an error object in spite of its status.
    """
    reading = Reading(request)
    reply = fold(reading.take(decode_shape(body)))
    if not reading.complete:
        raise CallCut("The provider's reply is not complete: it has no candidate, or one without a finish reason.")
    return reply


def decode_count(body: bytes) -> int:
    """How many tokens a prompt has. Raises ``CallFailed`` for what is no count."""
    try:
        shape = _count_decoder.decode(body)
    except UNREADABLE as error:
        raise CallGarbled(f"The provider sent something that is no count of tokens: {error}.") from error
    return shape.total_tokens


def decode_shape(data: bytes) -> ReplyShape:
    """A reply or a piece of one. Raises ``CallFailed`` for what is neither, and for an error object."""
    try:
        shape = _decoder.decode(data)
    except UNREADABLE as error:
        raise CallGarbled(f"The provider sent something that is no reply of Gemini's: {error}.") from error
    if shape.error:
        raise decode_error_object(shape.error)
    return shape


class _Candidate:
    """How far one answer has come."""

    def __init__(self) -> None:
        self.calls = 0
        self.thoughts = 0
        self.thinking = False
        self.texts = Texts()
        self.stopped = False


class Reading:
    """Reads the pieces of one reply, in order.

    Arguments:
        request: whose calls decide the ids of those that Google names none for.
    """

    def __init__(self, request: Request) -> None:
        self._calls = sum(len(message.tool_calls) for message in request.messages)
        self._candidates: dict[int, _Candidate] = {}
        self._started = False

    @property
    def complete(self) -> bool:
        """Whether every answer that began has ended."""
        return bool(self._candidates) and all(candidate.stopped for candidate in self._candidates.values())

    def take(self, shape: ReplyShape) -> Iterator[Content]:
        """The events that a piece means. Raises ``CallFailed`` for a part that is none."""
        if not self._started:
            self._started = True
            yield Started(id=shape.response_id or "", model=shape.model_version or "")
        for candidate in shape.candidates or ():
            yield from self._candidate(candidate)
        if shape.prompt_feedback is not None and shape.prompt_feedback.block_reason and not self._candidates:
            yield from self._blocked(shape.prompt_feedback)
        # Until then every piece has a count, of what has come so far.
        if self.complete and (usage := read_usage(shape.usage_metadata)):
            yield Used(usage=usage)

    def _candidate(self, shape: CandidateShape) -> Iterator[Content]:
        index = shape.index
        draft = self._candidates.setdefault(index, _Candidate())
        for i, part in enumerate((shape.content and shape.content.parts) or ()):
            if draft.stopped and _says(part):
                raise CallGarbled("The provider went on with an answer after it had said why that had ended.")
            yield from self._part(part, index, draft, new=i > 0)
        citations: list[Citation] = []
        if shape.grounding_metadata:
            citations += read_grounding(shape.grounding_metadata, draft.texts)
        if shape.citation_metadata:
            citations += read_recited(shape.citation_metadata, draft.texts)
        logprobs = read_logprobs(shape.logprobs_result) if shape.logprobs_result else None
        if citations or logprobs:
            yield Delta(index=index, citations=tuple(citations), logprobs=logprobs)
        if shape.finish_reason:
            draft.stopped = True
            yield Stopped(index=index, reason=read_reason(shape.finish_reason, called=draft.calls > 0))

    def _part(self, part: dict[str, Any], index: int, draft: _Candidate, *, new: bool) -> Iterator[Content]:
        """``new``: it does not go on with the piece before."""
        signature = part.pop("thoughtSignature", None)
        text = part.get("text")
        if part.pop("thought", None) is True and isinstance(text, str):
            draft.texts.passes("thinking", new=new or not draft.thinking)
            yield self._thought(text, signature, index, draft)
            return
        draft.thinking = False
        if isinstance(call := part.get("functionCall"), dict):
            draft.texts.passes()
            yield self._call(call, signature, index, draft)
            return
        if isinstance(text, str) and len(part) == 1:
            if text or signature:
                draft.texts.says(text, new=new or not text)
            if text:
                yield Delta(index=index, text=text)
        elif part:
            draft.texts.passes()
            yield Delta(index=index, parts=(read_part(part),))
        if isinstance(signature, str) and signature:
            yield self._thought("", signature, index, draft)

    def _call(self, call: dict[str, Any], signature: Any, index: int, draft: _Candidate) -> Delta:
        try:
            read = read_call(call, signature, self._calls)
        except ValueError as error:
            raise CallGarbled(f"The provider sent a function call that is none: {error}.") from error
        piece = ToolCallDelta(
            index=draft.calls, id=read.id, name=read.name, arguments=read.arguments, signature=read.signature
        )
        self._calls += 1
        draft.calls += 1
        return Delta(index=index, tool_calls=(piece,))

    def _thought(self, text: str, signature: Any, index: int, draft: _Candidate) -> Delta:
        """More of a block of thinking, which ends with its seal, or a new one."""
        seal = seal_in(signature) if isinstance(signature, str) and signature else None
        if not draft.thinking:
            draft.thoughts += 1
        draft.thinking = seal is None
        block = ThoughtDelta(
            index=draft.thoughts - 1,
            signature=seal.signature if seal else "",
            redacted=bool(seal and seal.redacted),
            id=seal.id if seal else "",
            format=(seal.format or makers.GOOGLE) if seal else "",
        )
        return Delta(index=index, reasoning=text, thought=block)

    def _blocked(self, feedback: FeedbackShape) -> Iterator[Content]:
        """The prompt was refused: an answer that says so."""
        self._candidates[0] = _Candidate()
        self._candidates[0].stopped = True
        words = feedback.block_reason_message or f"The prompt was blocked: {feedback.block_reason}."
        yield Delta(refusal=words)
        yield Stopped(reason="content_filter")


def _says(part: dict[str, Any]) -> bool:
    """Whether a part is more than a seal, and an empty text to hold it: those come with a finish reason or after it."""
    return any(value for name, value in part.items() if name != "thoughtSignature")
