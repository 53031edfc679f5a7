"""Streamed replies: ``chat.completion.chunk`` objects as server-sent events, ended by ``data: [DONE]``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import msgspec

from noria.core.errors import CallCut, NoriaError
from noria.core.events import (
    Content,
    Delta,
    Embedded,
    Event,
    OnRecord,
    Raw,
    Sent,
    Started,
    Stopped,
    ThoughtDelta,
    ToolCallDelta,
    Used,
)
from noria.core.messages import AudioPart
from noria.core.replies import Ranked, Usage
from noria.wires.mould import Mould
from noria.wires.openai_chat.course import Course
from noria.wires.openai_chat.dialect import NAME
from noria.wires.openai_chat.errors import encode_error
from noria.wires.openai_chat.messages import called
from noria.wires.openai_chat.parts import citations_in, citations_out
from noria.wires.openai_chat.replies import (
    calls_of,
    decode_shape,
    images_in,
    joined_audio,
    logprobs_of,
    logprobs_out,
    parts_out,
    reason_in,
    reason_out,
    reasoning_of,
    sequence_of,
    text_of,
    usage_of,
    usage_out,
)
from noria.wires.openai_chat.shapes import AnswerShape, ChoiceShape, ReplyShape, ToolCallShape
from noria.wires.openai_chat.thinking import detail_out, seal_out, thought_delta, thoughts_in
from noria.wires.sse import EventParser, encode_event

_DONE = b"[DONE]"
_DATA = b"data: "
_NOTHING = AnswerShape()


class StreamDecoder:
    """The bytes of one streamed reply, cut anywhere, as events.

    A reply is complete when every choice that began has its finish reason; then a missing ``[DONE]`` is forgiven, as
    some servers never send it. A ``[DONE]`` after half a choice is not: some proxy closed a broken stream politely.
    A choice that begins again, or goes on after its end, is a failed call.

    Arguments:
        audio_format: what spoken audio was asked for; the reply does not say.
    """

    def __init__(self, audio_format: str = "pcm16") -> None:
        self._parser = EventParser()
        self._audio_format = audio_format
        self._started = False
        self._finished: dict[int, bool] = {}
        self._courses: dict[int, Course] = {}
        self._spoken: dict[int, list[str]] = {}
        self._mould = Mould()
        self.more_text = self._mould.more_text
        """See :class:`noria.wires.wire.Decoder`."""
        self.done = False
        """True once ``[DONE]`` was read."""

    def feed(self, chunk: bytes) -> Iterable[Content]:
        """Take more bytes; yield the events that they complete.

        Raises:
            CallFailed: at its place in the stream, an error object (``CallRefused`` where the provider refuses) or
                something that is no chunk.
            CallCut: ``[DONE]`` came before the reply was complete.
        """
        event = None if self.done else self._parser.lone(chunk)
        if event is None or not event.data or event.data.strip() == _DONE:
            return self._events(chunk)
        shape = decode_shape(event.data)
        text = self._only_text(chunk, shape)
        return self._chunk(shape) if text is None else text

    def _only_text(self, event: bytes, chunk: ReplyShape) -> tuple[Delta, ...] | None:
        """What a chunk means that is a piece of a text and nothing else, as most are; None for any other."""
        if not self._started or chunk.usage is not None or not chunk.choices or len(chunk.choices) > 1:
            return None
        choice = chunk.choices[0]
        answer = choice.delta
        if answer is None or choice.finish_reason is not None or choice.logprobs or answer.role is not None:
            return None
        content, course = answer.content, self._courses.get(choice.index)
        if course is None or type(content) is not str or answer != AnswerShape(content=content):
            return None
        course.take(choice, answer)
        if not content:
            return ()
        if course.goes_on:
            self._mould.make(event, choice.index, content, partial(_means, chunk, content))
        return (Delta(index=choice.index, text=content),)

    def _events(self, chunk: bytes) -> Iterator[Content]:
        self._mould.forget()
        for event in self._parser.feed(chunk):
            if self.done:
                return
            if event.data.strip() == _DONE:
                self.close()
                self.done = True
            elif event.data:
                yield from self._chunk(decode_shape(event.data))

    def close(self) -> None:
        """The bytes have ended. Raises ``CallCut`` when the reply is not complete."""
        if not self._finished:
            raise CallCut("The provider's stream ended before the reply began.")
        if not all(self._finished.values()):
            raise CallCut("The provider's stream ended before the reply was complete.")

    def _chunk(self, chunk: ReplyShape) -> Iterator[Content]:
        self._mould.forget()
        if not self._started and (chunk.id or chunk.model or chunk.choices):
            self._started = True
            yield Started(id=chunk.id or "", model=chunk.model or "")
        for choice in chunk.choices or ():
            answer = choice.delta or choice.message or _NOTHING
            if (course := self._courses.get(choice.index)) is None:
                course = self._courses[choice.index] = Course()
                self._finished[choice.index] = False
            course.take(choice, answer)
            yield from _deltas(choice, answer)
            if answer.audio is not None and answer.audio.data:
                self._spoken.setdefault(choice.index, []).append(answer.audio.data)
            if choice.finish_reason is not None:
                self._finished[choice.index] = True
                if spoken := self._spoken.pop(choice.index, None):
                    sound = AudioPart(data=joined_audio(spoken), format=self._audio_format)
                    yield Delta(index=choice.index, parts=(sound,))
                reason = reason_in(choice.finish_reason)
                yield Stopped(index=choice.index, reason=reason, sequence=sequence_of(choice))
        if usage := usage_of(chunk.usage):
            yield Used(usage=usage)


def _means(chunk: ReplyShape, content: str, event: bytes, words: str) -> bool:
    """Whether an event is a chunk with other words than its content."""
    try:
        found = decode_shape(event.partition(_DATA)[2])
    except NoriaError:
        return False
    match found.choices:
        case [ChoiceShape(delta=AnswerShape() as answer)] if answer.content == words:
            answer.content = content
            return found == chunk
    return False


def _deltas(choice: ChoiceShape, answer: AnswerShape) -> Iterator[Delta]:
    """What a chunk adds to a choice; nothing for one that only opens or closes it."""
    content = answer.content
    if type(content) is str and not choice.logprobs and answer == AnswerShape(role=answer.role, content=content):
        if content:  # a piece of text and nothing else, as most are
            yield Delta(index=choice.index, text=content)
        return
    index, details = choice.index, answer.reasoning_details
    if details or answer.thinking_blocks:
        yield from _thoughts(index, answer)
    delta = Delta(
        index=index,
        text=text_of(answer),
        reasoning="" if details or answer.thinking_blocks else reasoning_of(answer),
        refusal=answer.refusal or "",
        tool_calls=tuple(map(_piece, calls_of(answer))),
        citations=citations_in(answer.annotations, answer.document_citations),
        parts=tuple(images_in(answer.images)) if answer.images else (),
        logprobs=logprobs_of(choice) if choice.logprobs else None,
    )
    if delta != Delta(index=index):
        yield delta


def _thoughts(index: int, answer: AnswerShape) -> Iterator[Delta]:
    """Blocks of thinking, and thinking text that came without any place in them."""
    pieces = [thought_delta(detail, i) for i, detail in enumerate(answer.reasoning_details or ())]
    if not pieces:
        blocks = thoughts_in(None, answer.thinking_blocks)
        pieces = [(ThoughtDelta(signature=b.signature, redacted=b.redacted), b.text) for b in blocks]
    if not any(text for _, text in pieces) and (loose := reasoning_of(answer)):
        yield Delta(index=index, reasoning=loose)
    for thought, text in pieces:
        yield Delta(index=index, reasoning=text, thought=thought)


def _piece(call: ToolCallShape) -> ToolCallDelta:
    whole = called(call)
    return ToolCallDelta(
        index=call.index,
        id=whole.id,
        name=whole.name,
        arguments=whole.arguments,
        signature=whole.signature,
        custom=whole.custom,
    )


class StreamEncoder:
    """Events as the bytes of one streamed reply.

    Arguments:
        id: id of the reply, in every chunk.
        created: seconds since 1970 UTC.
        include_usage: the caller asked for the token count; it comes last, in a chunk without choices.
        functions: the caller speaks of functions, as one did before there were tools.
    """

    def __init__(self, id: str, created: int, include_usage: bool, *, functions: bool = False) -> None:
        self._id = id
        self._created = created
        self._include_usage = include_usage
        self._functions = functions
        self._model = ""
        self._usage: Usage | None = None
        self._opened: set[int] = set()
        self._done = False

    def encode(self, event: Event) -> bytes:
        """The bytes of one event; empty where the wire has nothing to say yet.

        Of the provider's own chunks they are as they came, save a token count that nobody asked for: clients read the first choice of each.
        """
        if type(event) is not Raw:
            return self._written(event)
        counted = False
        for inner in event.events:
            if type(inner) is Started:
                self._id, self._model = inner.id or self._id, inner.model or self._model
            counted = counted or type(inner) is Used
        if event.wire != NAME or self._functions or (counted and not self._include_usage):
            return b"".join(map(self._written, event.events))
        self._done = event.data.rstrip().endswith(_DONE)
        for inner in event.events:
            if type(inner) is Delta:
                self._opened.add(inner.index)
        return event.data

    def _written(self, event: Event) -> bytes:
        match event:
            case Delta():
                return self._choice(event.index, self._delta(event), logprobs=logprobs_out(event.logprobs))
            case Stopped():
                return self._stopped(event)
            case Started():
                self._model = event.model
            case Used():
                self._usage = event.usage
            case Sent() | OnRecord() | Embedded() | Ranked():
                pass
        return b""

    def finish(self) -> bytes:
        """The end of a complete reply: the token count, where asked for and known, and ``[DONE]``."""
        if self._done:
            return b""
        counted = self._include_usage and self._usage is not None
        last = self._chunk([], usage=usage_out(self._usage)) if counted and self._usage else b""
        return last + encode_event(_DONE)

    def error(self, error: NoriaError) -> bytes:
        """The end of a reply that failed: an error object, and no ``[DONE]``, so that no client takes it for whole."""
        return encode_event(encode_error(error))

    def _choice(
        self,
        index: int,
        delta: dict[str, Any],
        *,
        logprobs: dict[str, Any] | None = None,
        ended: dict[str, str | None] | None = None,
    ) -> bytes:
        if index not in self._opened:
            self._opened.add(index)
            delta = {"role": "assistant", **delta}
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": None}
        return self._chunk([choice | (ended or {})])

    def _chunk(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None = None) -> bytes:
        chunk: dict[str, Any] = {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }
        if self._include_usage:
            chunk["usage"] = usage
        return encode_event(msgspec.json.encode(chunk))

    def _stopped(self, event: Stopped) -> bytes:
        ended = reason_out(event.reason, functions=self._functions)
        return self._choice(
            event.index, {}, ended=ended if event.sequence is None else ended | {"stop_reason": event.sequence}
        )

    def _delta(self, delta: Delta) -> dict[str, Any]:
        out: dict[str, Any] = {}
        if delta.text:
            out["content"] = delta.text
        if delta.reasoning:
            out["reasoning_content"] = delta.reasoning
        if delta.thought is not None:
            out["reasoning_details"] = [detail_out(delta.thought, delta.reasoning)]
        if delta.refusal:
            out["refusal"] = delta.refusal
        if delta.tool_calls and self._functions:
            [piece, *_] = delta.tool_calls
            if piece.index == 0:
                said = (("name", piece.name), ("arguments", piece.arguments))
                out["function_call"] = {key: text for key, text in said if text}
        elif delta.tool_calls:
            out["tool_calls"] = [_piece_out(piece) for piece in delta.tool_calls]
        if delta.citations:
            out |= citations_out(delta.citations)
        if delta.parts:
            out |= parts_out(delta.parts, "", id=self._id, created=self._created)
        return out


def _piece_out(piece: ToolCallDelta) -> dict[str, Any]:
    kind, words = ("custom", "input") if piece.custom else ("function", "arguments")
    said = {key: text for key, text in (("name", piece.name), (words, piece.arguments)) if text}
    opening = {"id": piece.id, "type": kind} if piece.id else {}
    return {"index": piece.index, **opening, kind: said, **seal_out(piece.signature)}
