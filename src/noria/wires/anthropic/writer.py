"""Streamed replies, written: the events that ``stream.py`` reads."""

from __future__ import annotations

from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallGarbled, NoriaError
from noria.core.events import Delta, Event, Raw, Started, Stopped, ThoughtDelta, ToolCallDelta, Used
from noria.core.messages import Part, Thought
from noria.core.replies import Usage
from noria.wires.anthropic.blocks import id_out, said_out
from noria.wires.anthropic.citations import citation_out
from noria.wires.anthropic.counts import usage_out
from noria.wires.anthropic.errors import encode_error
from noria.wires.anthropic.incoming import NAME
from noria.wires.anthropic.reasons import reason_out
from noria.wires.anthropic.seals import call_seal_out, thought_out
from noria.wires.sse import encode_named_event

_OPENS, _CLOSES = b'"content_block_start"', b'"content_block_stop"'
"""Quoted, so that no text of an answer holds them: there the quotes are escaped."""


class StreamEncoder:
    """Events as the bytes of one streamed reply.

    Blocks come one after the other, as Anthropic sends them. Pieces of a tool call that begins before the one before it
    is whole are kept until it is, so that no client mixes up the arguments.

    Arguments:
        id: id of the reply.
    """

    def __init__(self, id: str) -> None:
        self._id = id
        self._model = ""
        self._began = False
        self._done = False
        self._told_why = False
        self._next = 0
        self._open = ""
        self._thought = Thought()
        self._call = -1
        self._arguments: list[str] = []
        self._waiting: dict[int, list[ToolCallDelta]] = {}
        self._called: set[int] = set()
        self._cited = False
        self._stopped = Stopped()
        self._usage: Usage | None = None

    def encode(self, event: Event) -> bytes:
        """The bytes of one event; empty where the wire has nothing to say yet, or no block for it."""
        match event:
            case Delta():
                return self._delta(event) if event.index == 0 else b""
            case Raw():
                return self._raw(event)
            case Started():
                self._model = event.model
                return self._begin()
            case Stopped() if event.index == 0:
                self._stopped = event
            case Used():
                self._usage = event.usage
        return b""

    def finish(self) -> bytes:
        """The end of a complete reply: why it stopped, its tokens, and ``message_stop``."""
        if self._done:
            return b""
        if self._told_why:
            return _event("message_stop", {})
        begin = self._begin() + self._flush()
        reason = reason_out(self._stopped.reason, self._stopped.sequence, called=bool(self._called))
        delta = {"stop_reason": reason, "stop_sequence": self._stopped.sequence}
        end = _event("message_delta", {"delta": delta, "usage": usage_out(self._usage)})
        return begin + end + _event("message_stop", {})

    def error(self, error: NoriaError) -> bytes:
        """The end of a reply that failed: an ``error`` event, which every client raises."""
        return encode_named_event(b"error", encode_error(error))

    def _raw(self, event: Raw) -> bytes:
        """The provider's own events."""
        if event.wire != NAME:
            return b"".join(self.encode(inner) for inner in event.events)
        data = event.data
        self._began = self._began or bool(event.events)
        self._told_why = self._told_why or any(isinstance(inner, Stopped) for inner in event.events)
        self._done = self._done or b'"message_stop"' in data
        opened = data.count(_OPENS)
        self._next += opened
        if opened or self._open:  # for whoever goes on in other words
            self._open = "raw" if data.rfind(_OPENS) > data.rfind(_CLOSES) or _CLOSES not in data else ""
        return data

    def _delta(self, delta: Delta) -> bytes:
        out = [self._begin()]
        if delta.thought is not None or delta.reasoning:
            out.append(self._think(delta.reasoning, delta.thought))
        if delta.text:
            out.append(self._text(delta.text))
        if delta.citations:
            out.append(self._switch("text") if self._open != "text" else b"")
            out += [self._more({"type": "citations_delta", "citation": citation_out(c)}) for c in delta.citations]
            self._cited = True
        out += [self._part(part) for part in delta.parts]
        out += [self._piece(piece) for piece in delta.tool_calls]
        if delta.refusal:
            out.append(self._text(delta.refusal))
        return b"".join(out)

    def _begin(self) -> bytes:
        if self._began:
            return b""
        self._began = True
        message: dict[str, Any] = {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_out(None),
        }
        return _event("message_start", {"message": message})

    def _text(self, text: str) -> bytes:
        switch = b"" if self._open == "text" and not self._cited else self._switch("text")
        return switch + self._more({"type": "text_delta", "text": text})

    def _think(self, text: str, piece: ThoughtDelta | None) -> bytes:
        """A block of thinking; its seal is sent when it is whole, and a hidden one all at once."""
        name = f"thinking {piece.index}" if piece else "thinking"
        piece = piece or ThoughtDelta()
        out = b""
        if self._open != name:
            out = self._close()
            self._open, self._thought = name, Thought(redacted=piece.redacted)
            if not piece.redacted:
                out += self._start({"type": "thinking", "thinking": "", "signature": ""})
        known = self._thought
        self._thought = Thought(
            signature=known.signature + piece.signature,
            redacted=known.redacted,
            id=known.id or piece.id,
            format=known.format or piece.format,
        )
        if text and not known.redacted:
            out += self._more({"type": "thinking_delta", "thinking": text})
        return out

    def _part(self, part: Part) -> bytes:
        out = [self._close()]
        for block in said_out(part):
            out += [self._start(block), self._stop()]
        return b"".join(out)

    def _piece(self, piece: ToolCallDelta) -> bytes:
        if self._open == "tool" and self._call == piece.index:
            return self._argue(piece)
        if self._open == "tool" and not _is_whole("".join(self._arguments)):
            self._waiting.setdefault(piece.index, []).append(piece)
            return b""
        out = self._close()
        pieces = [*self._waiting.pop(piece.index, []), piece]
        first = pieces[0]
        if piece.index in self._called:
            raise CallGarbled("The provider went on with a tool call after it had gone on to something else.")
        self._called.add(piece.index)
        if first.signature:
            out += self._start(call_seal_out(first.signature)) + self._stop()
        id = id_out(first.id or f"{self._id}-{first.index}")
        self._open, self._call, self._arguments = "tool", first.index, []
        out += self._start({"type": "tool_use", "id": id, "name": first.name, "input": {}})
        return out + b"".join(self._argue(known) for known in pieces)

    def _argue(self, piece: ToolCallDelta) -> bytes:
        if not piece.arguments:
            return b""
        self._arguments.append(piece.arguments)
        return self._more({"type": "input_json_delta", "partial_json": piece.arguments})

    def _flush(self) -> bytes:
        """What is still open is closed, and the calls that had to wait are told."""
        out = [self._close()]
        for index in sorted(self._waiting):
            *known, last = self._waiting.pop(index)
            if known:
                self._waiting[index] = known
            out += [self._piece(last), self._close()]
        return b"".join(out)

    def _switch(self, kind: str) -> bytes:
        out = self._close()
        self._open, self._cited = kind, False
        return out + self._start({"type": kind, kind: ""})

    def _close(self) -> bytes:
        """End the block that is open, with the seal of a block of thinking."""
        kind, self._open = self._open, ""
        if not kind:
            return b""
        if not kind.startswith("thinking"):
            return self._stop()
        if self._thought.redacted:
            return self._start(thought_out(self._thought)) + self._stop()
        signature = thought_out(self._thought)["signature"]
        return (self._more({"type": "signature_delta", "signature": signature}) if signature else b"") + self._stop()

    def _start(self, block: dict[str, Any]) -> bytes:
        self._next += 1
        return _event("content_block_start", {"index": self._next - 1, "content_block": block})

    def _more(self, delta: dict[str, Any]) -> bytes:
        return _event("content_block_delta", {"index": self._next - 1, "delta": delta})

    def _stop(self) -> bytes:
        return _event("content_block_stop", {"index": self._next - 1})


def _event(kind: str, body: dict[str, Any]) -> bytes:
    return encode_named_event(kind.encode(), msgspec.json.encode({"type": kind} | body))


def _is_whole(arguments: str) -> bool:
    try:
        msgspec.json.decode(arguments)
    except UNREADABLE:
        return False
    return True
