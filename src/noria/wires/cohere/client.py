"""The wire as targets see it: :class:`noria.wires.wire.WireOut` for Cohere."""

from __future__ import annotations

from collections.abc import Mapping

from noria.core.errors import CallFailed
from noria.core.replies import Reply
from noria.core.requests import Request
from noria.core.struct import Noun
from noria.wires.cohere.chat import encode_chat
from noria.wires.cohere.embed import decode_embed, encode_embed
from noria.wires.cohere.replies import decode_chat
from noria.wires.cohere.rerank import NAME, decode_rank, encode_rank
from noria.wires.cohere.stream import StreamDecoder
from noria.wires.statuses import failed_with_status
from noria.wires.wire import Encoded


class Cohere(Noun):
    """The dialect of Cohere, version 2."""

    @property
    def name(self) -> str:
        """The dialect."""
        return NAME

    def headers(self, api_key: str) -> dict[str, str]:
        """Headers of a request."""
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
        return headers | ({"Authorization": f"Bearer {api_key}"} if api_key else {})

    def encode(self, request: Request, *, stream: bool, model: str) -> Encoded:
        """The request as it is sent."""
        if request.rank is not None:
            return encode_rank(request, request.rank, model=model)
        if request.embed is not None:
            return encode_embed(request, request.embed, model=model)
        return encode_chat(request, stream=stream, model=model)

    def decoder(self, request: Request) -> StreamDecoder:
        """A decoder for one streamed chat reply."""
        del request
        return StreamDecoder()

    def decode_reply(self, body: bytes, request: Request) -> Reply:
        """A reply that came in one piece."""
        if request.rank is not None:
            return decode_rank(body, request.rank)
        if request.embed is not None:
            return decode_embed(body, request.embed)
        return decode_chat(body)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CallFailed:
        """What a status other than 2xx means."""
        return failed_with_status(status, headers, body)
