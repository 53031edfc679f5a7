"""The wire as targets see it: :class:`noria.wires.wire.WireOut` for Anthropic and whoever is compatible with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from noria.core.errors import CallFailed
from noria.core.replies import Reply
from noria.core.requests import Request
from noria.core.struct import Noun
from noria.wires.anthropic.errors import decode_error
from noria.wires.anthropic.incoming import NAME
from noria.wires.anthropic.outgoing import Outgoing
from noria.wires.anthropic.replies import decode_count, decode_reply
from noria.wires.anthropic.stream import StreamDecoder
from noria.wires.anthropic.thinking import is_adaptive
from noria.wires.wire import Encoded

VERSION = "2023-06-01"
"""The API's version, which a caller of the same wire may name otherwise."""


class Anthropic(Noun):
    """The Messages dialect of one provider."""

    most_tokens: int = 8_192
    """The limit on generated tokens, thinking excluded, where a request has none: Anthropic does not answer without."""
    thinking: Literal["by_name", "adaptive", "budget"] = "by_name"
    """How its models are asked to think: the newer ones by themselves, the older ones, and other makers', by a budget.
    ``by_name`` goes by the version in a Claude model's name."""

    @property
    def name(self) -> str:
        """The dialect."""
        return NAME

    def headers(self, api_key: str) -> dict[str, str]:
        """Headers of a request."""
        headers = {"content-type": "application/json", "anthropic-version": VERSION}
        return headers | ({"x-api-key": api_key} if api_key else {})

    def encode(self, request: Request, *, stream: bool, model: str) -> Encoded:
        """The request as it is sent."""
        adaptive = self.thinking == "adaptive" or (self.thinking == "by_name" and is_adaptive(model))
        outgoing = Outgoing(request, model=model, most_tokens=self.most_tokens, adaptive=adaptive)
        return outgoing.count() if request.count else outgoing.call(stream=stream)

    def decoder(self, request: Request) -> StreamDecoder:
        """A decoder for one streamed reply."""
        del request
        return StreamDecoder()

    def decode_reply(self, body: bytes, request: Request) -> Reply:
        """A reply that came in one piece, or the count that was asked for."""
        return Reply(counted=decode_count(body)) if request.count else decode_reply(body)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CallFailed:
        """What a status other than 2xx means."""
        return decode_error(status, headers, body)
