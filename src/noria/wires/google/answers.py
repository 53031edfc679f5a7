"""Replies to callers: events as ``GenerateContentResponse`` objects."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from noria.core.errors import CallCut, CallGarbled, NoriaError
from noria.core.events import (
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
from noria.core.messages import Citation, ToolCall
from noria.core.replies import Ranked, Reply, Usage
from noria.core.unfolding import events_of
from noria.wires.google.citations import Texts, write_grounding
from noria.wires.google.errors import encode_error
from noria.wires.google.functions import arguments_of, write_call
from noria.wires.google.logprobs import write_logprobs
from noria.wires.google.parts import write_said
from noria.wires.google.reasons import MALFORMED, write_reason
from noria.wires.google.requests import NAME
from noria.wires.google.seals import Seal, seal_out
from noria.wires.google.usage import write_usage
from noria.wires.sse import encode_event

Framing = Literal["sse", "array"]
"""How a stream is written: server-sent events (``?alt=sse``), or one JSON array that grows."""


class _Answer:
    """One candidate while it is written."""

    def __init__(self) -> None:
        self.texts = Texts()
        self.calls: dict[int, ToolCallDelta] = {}
        """Those that were not told yet."""
        self.told: set[int] = set()
        self.thoughts: dict[int, bool] = {}
        self.citations: list[Citation] = []
        self.logprobs: list[Any] = []
        self.stopped: Stopped | None = None

    def parts(self, delta: Delta) -> list[dict[str, Any]]:
        """What a piece adds; calls wait until their arguments are whole, for the wire has no pieces of them."""
        parts: list[dict[str, Any]] = []
        text = delta.text + delta.refusal
        if text or delta.reasoning or delta.thought is not None or delta.parts:
            parts += self._whole_calls()
        if delta.thought is not None:
            parts += self._thinking(delta.reasoning, delta.thought)
        elif delta.reasoning:
            self.texts.passes("thinking")
            parts.append({"text": delta.reasoning, "thought": True})
        if text:
            self.texts.says(text)
            parts.append({"text": text})
        for one in delta.parts:
            if (said := write_said(one)) is not None:
                self.texts.passes()
                parts.append(said)
        for piece in delta.tool_calls:
            self._call(piece)
        self.citations += delta.citations
        self.logprobs += (delta.logprobs or {}).get("content") or ()
        return parts

    def _thinking(self, text: str, block: ThoughtDelta) -> list[dict[str, Any]]:
        thinks = self.thoughts[block.index] = bool(text) or self.thoughts.get(block.index, False)
        part: dict[str, Any] = {"text": text}
        if thinks or block.redacted:
            part["thought"] = True
        if block.signature or block.id or block.redacted:
            part["thoughtSignature"] = seal_out(Seal(block.signature, block.redacted, block.id, block.format))
        if len(part) == 1:
            return []
        self.texts.passes(f"thinking {block.index}")
        return [part]

    def _whole_calls(self) -> list[dict[str, Any]]:
        """The calls that are whole when more of the answer comes, so that they keep their place before it."""
        whole = [
            (number, args)
            for number, piece in self.calls.items()
            if piece.arguments.strip() and (args := arguments_of(piece.arguments)) is not None
        ]
        self.told.update(number for number, _ in whole)
        for _ in whole:
            self.texts.passes()
        return [_written(self.calls.pop(number), args) for number, args in whole]

    def last(self, stopped: Stopped) -> dict[str, Any]:
        """The end of the candidate: its calls, and what is known of the whole."""
        reason, message, calls = write_reason(stopped.reason), None, []
        for _, piece in sorted(self.calls.items()):
            args = arguments_of(piece.arguments)
            if args is None:
                reason = MALFORMED
                message = f"The model called {piece.name} with what is no JSON object: {piece.arguments}"
                continue
            calls.append(_written(piece, args))
        out: dict[str, Any] = {"content": {"parts": calls, "role": "model"}, "finishReason": reason}
        if message:
            out["finishMessage"] = message
        if self.citations:
            out["groundingMetadata"] = write_grounding(self.citations, self.texts)
        if result := write_logprobs({"content": self.logprobs}):
            out["logprobsResult"] = result
        return out

    def _call(self, piece: ToolCallDelta) -> None:
        if piece.index in self.told:
            if piece.arguments.strip():
                raise CallGarbled("The provider went on with a call whose arguments were whole.")
            return
        so_far = self.calls.get(piece.index) or ToolCallDelta(index=piece.index)
        self.calls[piece.index] = ToolCallDelta(
            index=piece.index,
            id=so_far.id or piece.id,
            name=so_far.name or piece.name,
            arguments=so_far.arguments + piece.arguments,
            signature=so_far.signature + piece.signature,
        )


def _written(piece: ToolCallDelta, args: dict[str, Any]) -> dict[str, Any]:
    seal = seal_out(Seal(piece.signature)) if piece.signature else ""
    return write_call(ToolCall(id=piece.id, name=piece.name, arguments=""), args, seal, made=True)


def _add(parts: list[dict[str, Any]], part: dict[str, Any]) -> None:
    """A text that follows another is one part with it, as it is of a stream."""
    if parts and parts[-1].keys() == part.keys() == {"text"}:
        parts[-1]["text"] += part["text"]
    else:
        parts.append(part)


class GoogleAnswer:
    """Writes the reply to one call.

    What ends a candidate is held back until the whole reply ends: Google writes it together with the token count, and a
    failure after it must not look like an end.

    Arguments:
        id: id of the reply.
        framing: how a stream is written.
    """

    def __init__(self, id: str, framing: Framing) -> None:
        self._id = id
        self._framing = framing
        self._model = ""
        self._usage: Usage | None = None
        self._untold: tuple[str, ...] = ()
        self._answers: dict[int, _Answer] = {}
        self._begun = False

    @property
    def content_type(self) -> bytes:
        """Of a streamed reply."""
        return b"text/event-stream" if self._framing == "sse" else b"application/json; charset=utf-8"

    def whole(self, reply: Reply, raw: bytes = b"") -> bytes:
        """A ``GenerateContentResponse``."""
        if raw:
            return raw
        if not reply.complete:
            raise CallCut("The reply ended before it was complete.")
        said: dict[int, list[dict[str, Any]]] = {}
        for event in events_of(reply):
            index, parts = self._take(event) or (0, [])
            for part in parts:
                _add(said.setdefault(index, []), part)
        candidates = self._ends()
        for candidate in candidates:
            content = candidate["content"]
            content["parts"] = said.get(candidate["index"], []) + content["parts"]
        return msgspec.json.encode(self._object(candidates, last=True))

    def encode(self, event: Event) -> bytes:
        """A piece of the reply, or nothing."""
        if isinstance(event, Raw):
            return self._raw(event)
        made = self._take(event)
        if made is None or not made[1]:
            return b""
        index, parts = made
        return self._framed(self._object([{"content": {"parts": parts, "role": "model"}, "index": index}]))

    def finish(self) -> bytes:
        """How each candidate ended, and the token count."""
        ends = self._ends()
        last = self._framed(self._object(ends, last=True)) if ends else b""
        return last if self._framing == "sse" else last + (b"]" if self._begun else b"[]")

    def error(self, error: NoriaError) -> bytes:
        """An error object, and no finish reason before it."""
        stated = encode_error(error)
        if self._framing == "sse":
            return encode_event(stated)
        return (b",\r\n" if self._begun else b"[") + stated + b"]"

    def _raw(self, event: Raw) -> bytes:
        """The provider's own bytes: they hold what ends the reply, too."""
        if event.wire == NAME and self._framing == "sse":
            return event.data
        return b"".join(self.encode(inner) for inner in event.events)

    def _take(self, event: Event) -> tuple[int, list[dict[str, Any]]] | None:
        """Which candidate an event belongs to, and the parts that it adds."""
        match event:
            case Delta():
                return event.index, self._answers.setdefault(event.index, _Answer()).parts(event)
            case Stopped():
                self._answers.setdefault(event.index, _Answer()).stopped = event
            case Started():
                self._id, self._model = event.id or self._id, event.model
            case Used():
                self._usage = event.usage
            case OnRecord() if self._framing == "array":
                self._untold = event.dropped
            case Sent() | OnRecord() | Embedded() | Ranked() | Raw():
                pass
        return None

    def _ends(self) -> list[dict[str, Any]]:
        return [
            {**answer.last(answer.stopped), "index": index}
            for index, answer in sorted(self._answers.items())
            if answer.stopped is not None
        ]

    def _object(self, candidates: list[dict[str, Any]], *, last: bool = False) -> dict[str, Any]:
        out: dict[str, Any] = {"candidates": candidates}
        if last and self._usage is not None:
            out["usageMetadata"] = write_usage(self._usage)
        if last and self._untold:
            out["noriaDropped"] = self._untold
        return out | {"modelVersion": self._model, "responseId": self._id}

    def _framed(self, fields: dict[str, Any]) -> bytes:
        data = msgspec.json.encode(fields)
        if self._framing == "sse":
            return encode_event(data)
        start, self._begun = (b",\r\n" if self._begun else b"["), True
        return start + data
