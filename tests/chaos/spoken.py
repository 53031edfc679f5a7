"""What a provider of each kind says when all is well, in the pieces that faults are made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from noria.core.events import Delta, Event
from noria.core.folding import fold
from noria.core.requests import Request
from noria.targets.scripted import answer
from noria.wires.anthropic import Anthropic
from noria.wires.cohere import Cohere
from noria.wires.google import Google
from noria.wires.openai_chat import OpenAIChat, StreamEncoder, encode_reply
from noria.wires.openai_responses import OpenAIResponses, Responses
from noria.wires.tgi import Tgi
from noria.wires.wire import WireOut
from wires.recordings import recorded

ALIKE = {"azure": "openai", "litellm": "openai", "vertex": "google"}
"""Kinds that speak like another one."""
UNTRIED = {"bedrock": "its streams are frames of bytes, and no events of text", "tei": "it only embeds and ranks"}
"""Kinds that are left out, and why."""


@dataclass(frozen=True)
class Said:
    """A reply in four pieces. A fault in the middle comes after ``before``."""

    content_type: str
    before: bytes
    """Whole events up to the first piece of text; of a reply in one piece, its first half."""
    next: bytes
    """The next event; the second half."""
    rest: bytes
    """All other events but the last."""
    last: bytes
    """The last event: the end mark, where the kind has one."""
    error: bytes
    """An error in the kind's own shape: an event, or a body."""

    @property
    def streamed(self) -> bool:
        """Whether it is a stream."""
        return self.content_type == "text/event-stream"

    @property
    def whole(self) -> bytes:
        """All of it."""
        return self.before + self.next + self.rest + self.last


@dataclass(frozen=True)
class Spoken:
    """One kind of provider."""

    wire: WireOut
    stream: bytes
    body: bytes
    error_event: bytes
    error_body: bytes

    def text(self, *, streamed: bool) -> str:
        """The answer's text."""
        ask = Request(model="m")
        return fold(self._events(self.stream)).text if streamed else self.wire.decode_reply(self.body, ask).text

    def streamed(self) -> Said:
        """The reply as a stream."""
        events = [event for event in re.split(rb"(?<=\n\n)|(?<=\r\n\r\n)", self.stream) if event]
        first = next(i for i in range(len(events)) if self._speaks(b"".join(events[: i + 1])))
        before, following, *rest = b"".join(events[: first + 1]), *events[first + 1 :]
        *rest, last = rest
        return Said("text/event-stream", before, following, b"".join(rest), last, self.error_event)

    def unstreamed(self) -> Said:
        """The reply in one piece."""
        half = len(self.body) // 2
        return Said("application/json", self.body[:half], self.body[half:], b"", b"", self.error_body)

    def _events(self, data: bytes) -> list[Event]:
        return list(self.wire.decoder(Request(model="m")).feed(data))

    def _speaks(self, data: bytes) -> bool:
        return any(isinstance(event, Delta) and event.text for event in self._events(data))


def _recorded(wire: WireOut, name: str) -> Spoken:
    error = recorded(f"{name}/error.sse")
    last = re.split(rb"(?<=\n\n)|(?<=\r\n\r\n)", error.rstrip() + b"\n\n")[-2]
    return Spoken(
        wire, recorded(f"{name}/text.sse"), recorded(f"{name}/text.json"), last, recorded(f"{name}/error.json")
    )


def _openai() -> Spoken:
    encoder, events = StreamEncoder("reply-1", 1, include_usage=True), answer("Grüße", " aus", " Tōkyō")
    error = b'{"error":{"message":"The server had an error.","type":"server_error","param":null,"code":null}}'
    stream = b"".join(map(encoder.encode, events)) + encoder.finish()
    body = encode_reply(fold(events), id="reply-1", created=1)
    return Spoken(OpenAIChat(), stream, body, b"data: " + error + b"\n\n", error)


def _responses() -> Spoken:
    events, body = answer("Grüße", " aus", " Tōkyō"), b'{"model":"m","input":"hi","stream":true}'
    said = Responses().decode(body, path={}, id="1", created=1).answer
    stream = b"".join(map(said.encode, events)) + said.finish()
    error = (
        b'{"type":"error","code":"server_error","message":"The server had an error.","param":null,"sequence_number":9}'
    )
    whole = Responses().decode(body, path={}, id="1", created=1).answer.whole(fold(events))
    failed = b'{"error":{"message":"The server had an error.","type":"server_error","param":null,"code":null}}'
    return Spoken(OpenAIResponses(), stream, whole, b"event: error\ndata: " + error + b"\n\n", failed)


SPOKEN: Mapping[str, Callable[[], Spoken]] = {
    "openai": _openai,
    "openai_responses": _responses,
    "anthropic": lambda: _recorded(Anthropic(), "anthropic"),
    "cohere": lambda: _recorded(Cohere(), "cohere"),
    "google": lambda: _recorded(Google(), "google"),
    "tgi": lambda: _recorded(Tgi(), "tgi"),
}
"""A provider of each kind."""
