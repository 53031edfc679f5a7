"""The wire as targets see it: :class:`noria.wires.wire.WireOut` for providers with a Responses API."""

from __future__ import annotations

from collections.abc import Mapping

from noria.core.errors import CallFailed
from noria.core.replies import Reply
from noria.core.requests import Request
from noria.core.struct import Noun
from noria.wires.openai_chat.client import OpenAIChat
from noria.wires.openai_chat.errors import decode_error
from noria.wires.openai_responses.replies import decode_reply
from noria.wires.openai_responses.requests import NAME, encode_request
from noria.wires.openai_responses.stream import StreamDecoder
from noria.wires.wire import Encoded


class OpenAIResponses(Noun):
    """The Responses dialect of one provider."""

    @property
    def name(self) -> str:
        """The dialect."""
        return NAME

    def headers(self, api_key: str) -> dict[str, str]:
        """Headers of a request."""
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
        return headers | ({"Authorization": f"Bearer {api_key}"} if api_key else {})

    def encode(self, request: Request, *, stream: bool, model: str) -> Encoded:
        """The request as it is sent. Vectors and rankings are no responses: they are asked for as with Chat Completions."""
        if request.embed is not None or request.rank is not None:
            return OpenAIChat().encode(request, stream=stream, model=model)
        return encode_request(request, stream=stream, model=model)

    def decoder(self, request: Request) -> StreamDecoder:
        """A decoder for one streamed response."""
        del request
        return StreamDecoder()

    def decode_reply(self, body: bytes, request: Request) -> Reply:
        """A response that came in one piece."""
        if request.embed is not None or request.rank is not None:
            return OpenAIChat().decode_reply(body, request)
        return decode_reply(body)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CallFailed:
        """What a status other than 2xx means."""
        return decode_error(status, headers, body)
