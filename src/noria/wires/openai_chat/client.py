"""The wire as targets see it: :class:`noria.wires.wire.WireOut` for OpenAI-compatible providers."""

from __future__ import annotations

from collections.abc import Mapping

from noria.core.errors import CallFailed
from noria.core.replies import Reply
from noria.core.requests import Request
from noria.wires.cohere.rerank import decode_rank, encode_rank
from noria.wires.openai_chat.dialect import NAME, Dialect
from noria.wires.openai_chat.embeddings import decode_embed, encode_embed
from noria.wires.openai_chat.errors import decode_error
from noria.wires.openai_chat.replies import decode_reply
from noria.wires.openai_chat.requests import encode_request
from noria.wires.openai_chat.stream import StreamDecoder
from noria.wires.wire import Encoded


class OpenAIChat(Dialect):
    """The Chat Completions dialect of one provider."""

    @property
    def name(self) -> str:
        """The dialect."""
        return NAME

    def headers(self, api_key: str) -> dict[str, str]:
        """Headers of a request."""
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
        return headers | ({"Authorization": f"Bearer {api_key}"} if api_key else {})

    def encode(self, request: Request, *, stream: bool, model: str) -> Encoded:
        """The request as it is sent. A ranking is asked for as vLLM and llama.cpp took it over from Cohere."""
        if request.embed is not None:
            return encode_embed(request, request.embed, model=model)
        if request.rank is not None:
            return encode_rank(request, request.rank, model=model, wire=NAME, to="an OpenAI-compatible server")
        return encode_request(request, stream=stream, model=model, dialect=self)

    def decoder(self, request: Request) -> StreamDecoder:
        """A decoder for one streamed reply."""
        return StreamDecoder(_audio_format(request))

    def decode_reply(self, body: bytes, request: Request) -> Reply:
        """A reply that came in one piece."""
        if request.embed is not None:
            return decode_embed(body, request.embed)
        if request.rank is not None:
            return decode_rank(body, request.rank)
        return decode_reply(body, audio_format=_audio_format(request))

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CallFailed:
        """What a status other than 2xx means."""
        return decode_error(status, headers, body)


def _audio_format(request: Request) -> str:
    """What spoken audio was asked for."""
    match request.unread.get("audio"):
        case {"format": str(form)}:
            return form
    return "wav"
