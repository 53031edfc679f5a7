"""Replies: one object, or a server-sent event for each token."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallCut, CallGarbled
from noria.core.events import Content, Delta, Started, Stopped, Used
from noria.core.messages import Message
from noria.core.replies import Choice, Reply, Usage
from noria.core.requests import Request
from noria.wires.sse import EventParser
from noria.wires.statuses import failed

_REASONS = {"eos_token": "stop", "stop_sequence": "stop", "length": "length"}
_STATUSES = {"overloaded": 429, "validation": 422, "generation": 500, "incomplete_generation": 500}
"""Status that an error in a stream would have had as a reply."""


class TokenShape(msgspec.Struct):
    """A generated token, or one that might have been."""

    text: str
    logprob: float | None = None
    special: bool = False


class DetailsShape(msgspec.Struct):
    """How a reply came about. The number of prompt tokens comes with streams alone."""

    finish_reason: str
    generated_tokens: int | None = None
    input_length: int | None = None
    tokens: list[TokenShape] | None = None
    top_tokens: list[list[TokenShape]] | None = None


class ReplyShape(msgspec.Struct):
    """A whole reply, or one event of a stream."""

    generated_text: str | None = None
    details: DetailsShape | None = None
    token: TokenShape | None = None
    top_tokens: list[TokenShape] | None = None
    index: int | None = None
    """Which token of the stream it is, counted up."""
    error: str | None = None
    error_type: str | None = None


_reply_decoder = msgspec.json.Decoder(ReplyShape | list[ReplyShape])
_event_decoder = msgspec.json.Decoder(ReplyShape)


def decode_reply(body: bytes, request: Request) -> Reply:
    """A reply that came in one piece; TGI's root sends it as a list of one.

    Raises:
        CallCut: it has no finish reason.
        CallFailed: it is no reply, or an error.
    """
    shape = _decoded(_reply_decoder, body)
    if isinstance(shape, list):
        if len(shape) != 1:
            raise CallGarbled(f"TGI sent {len(shape)} replies for one prompt.")
        [shape] = shape
    details = shape.details
    if shape.generated_text is None or details is None:
        raise CallCut("TGI's reply is not complete: it has no text, or no details.")
    text, sequence = _without_stop(shape.generated_text, details.finish_reason, request.params.stop)
    logprobs = None
    if request.params.logprobs is not None:
        tokens, others = details.tokens or [], details.top_tokens or []
        pairs = ((token, others[i] if i < len(others) else []) for i, token in enumerate(tokens) if not token.special)
        logprobs = {"content": [_logprob(token, among) for token, among in pairs]}
    choice = Choice(
        message=Message(role="assistant", content=text),
        finish_reason=_REASONS.get(details.finish_reason, details.finish_reason),
        sequence=sequence,
        logprobs=logprobs if logprobs and logprobs["content"] else None,
    )
    return Reply(choices=(choice,), usage=_usage(details))


class StreamDecoder:
    """The bytes of one streamed reply, cut anywhere, as events.

    TGI sends the stop sequence too. It is no part of an answer, so text that may be the beginning of one waits until it
    is known not to be. Tokens are counted up: one that comes again is a failed call.

    Arguments:
        request: what was asked, for its stop sequences and whether log-probabilities are wanted.
    """

    def __init__(self, request: Request) -> None:
        self._parser = EventParser()
        self._stop = request.params.stop
        self._logprobs = request.params.logprobs is not None
        self._waiting = ""
        self._index = -1
        self._started = False
        self._done = False

    @property
    def done(self) -> bool:
        """True once the last token came, with the whole text and its details."""
        return self._done

    def feed(self, chunk: bytes) -> Iterator[Content]:
        """Take more bytes; yield the events that they complete. Raises ``CallFailed`` where the stream says so."""
        for event in self._parser.feed(chunk):
            if self._done:
                return
            if event.data and event.data.strip() != b"[DONE]":
                yield from self._event(_decoded(_event_decoder, event.data))

    def close(self) -> None:
        """The bytes have ended. Raises ``CallCut`` when the reply is not complete."""
        if not self._done:
            raise CallCut(f"TGI's stream ended before the reply {'was complete' if self._started else 'began'}.")

    def _event(self, event: ReplyShape) -> Iterator[Content]:
        if not self._started:
            self._started = True
            yield Started()
        self._count_up(event.index)
        token, details = event.token, event.details
        text, logprobs = "", None
        if token is not None and not token.special:
            self._waiting += token.text
            if self._logprobs:
                logprobs = {"content": [_logprob(token, event.top_tokens or [])]}
        sequence = None
        if details is not None:
            text, sequence = _without_stop(self._waiting, details.finish_reason, self._stop)
            self._waiting = ""
        elif self._waiting:
            text = self._waiting[: len(self._waiting) - _may_begin_stop(self._waiting, self._stop)]
            self._waiting = self._waiting[len(text) :]
        if text or logprobs:
            yield Delta(text=text, logprobs=logprobs)
        if details is not None:
            self._done = True
            yield Stopped(reason=_REASONS.get(details.finish_reason, details.finish_reason), sequence=sequence)
            if usage := _usage(details):
                yield Used(usage=usage)

    def _count_up(self, index: int | None) -> None:
        if index is None:
            return
        if index <= self._index:
            raise CallGarbled("TGI's stream began again before the reply was complete.")
        self._index = index


def _decoded(decoder: msgspec.json.Decoder[Any], data: bytes) -> Any:
    try:
        shape = decoder.decode(data)
    except UNREADABLE as error:
        raise CallGarbled(f"TGI sent something that is no reply: {error}.") from error
    if isinstance(shape, ReplyShape) and shape.error is not None:
        raise failed(_STATUSES.get(shape.error_type or "", 500), shape.error)
    return shape


def _without_stop(text: str, reason: str, stop: Sequence[str]) -> tuple[str, str | None]:
    """The answer without the sequence that ended it, and that sequence."""
    if reason == "stop_sequence":
        for sequence in sorted(stop, key=len, reverse=True):
            if sequence and text.endswith(sequence):
                return text.removesuffix(sequence), sequence
    return text, None


def _may_begin_stop(text: str, stop: Sequence[str]) -> int:
    """Length of the longest end of ``text`` with which a stop sequence begins."""
    longest = min(len(text), max(map(len, stop), default=0))
    return next((n for n in range(longest, 0, -1) if any(sequence.startswith(text[-n:]) for sequence in stop)), 0)


def _logprob(token: TokenShape, among: list[TokenShape]) -> dict[str, Any]:
    return _scored(token) | {"top_logprobs": [_scored(other) for other in among]}


def _scored(token: TokenShape) -> dict[str, Any]:
    logprob = token.logprob if token.logprob is not None else -9999.0  # OpenAI's word for: too unlikely to be counted
    return {"token": token.text, "logprob": logprob, "bytes": list(token.text.encode())}


def _usage(details: DetailsShape) -> Usage | None:
    sent, generated = details.input_length, details.generated_tokens
    if sent is None or generated is None or not (0 <= sent < 2**63 and 0 <= generated < 2**63):
        return None
    return Usage(input_tokens=sent, output_tokens=generated)
