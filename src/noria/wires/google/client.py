"""The wire as targets see it: :class:`noria.wires.wire.WireOut` for Gemini's API and Vertex AI."""

from __future__ import annotations

from collections.abc import Mapping

from noria.core.errors import CallFailed
from noria.core.replies import Reply
from noria.core.requests import Request
from noria.core.struct import Noun
from noria.wires.google.embeddings import decode_vectors, encode_embed
from noria.wires.google.errors import decode_error
from noria.wires.google.replies import decode_count, decode_reply
from noria.wires.google.requests import NAME, encode_count, encode_request
from noria.wires.google.stream import StreamDecoder
from noria.wires.wire import Encoded


class Google(Noun):
    """Google's dialect.

    Gemini's API is below ``https://generativelanguage.googleapis.com/v1beta``, Vertex AI's below
    ``https://REGION-aiplatform.googleapis.com/v1/projects/PROJECT/locations/REGION/publishers/google``.
    """

    vertex: bool = False
    """The key is an access token, as ``gcloud auth print-access-token`` prints one, and goes as a bearer; embeddings are
    predictions. Noria does not renew a token: it lives for an hour."""

    @property
    def name(self) -> str:
        """The dialect."""
        return NAME

    def headers(self, api_key: str) -> dict[str, str]:
        """Headers of a request."""
        headers = {"Content-Type": "application/json", "Accept": "text/event-stream, application/json"}
        if not api_key:
            return headers
        return headers | ({"Authorization": f"Bearer {api_key}"} if self.vertex else {"x-goog-api-key": api_key})

    def encode(self, request: Request, *, stream: bool, model: str) -> Encoded:
        """The request as it is sent."""
        if request.embed is not None:
            return encode_embed(request, request.embed, model=model, vertex=self.vertex)
        if request.count:
            return encode_count(request, model=model, vertex=self.vertex)
        return encode_request(request, stream=stream, model=model, vertex=self.vertex)

    def decoder(self, request: Request) -> StreamDecoder:
        """A decoder for one streamed reply."""
        return StreamDecoder(request)

    def decode_reply(self, body: bytes, request: Request) -> Reply:
        """A reply that came in one piece."""
        if request.embed is not None:
            return decode_vectors(body, request.embed)
        if request.count:
            return Reply(counted=decode_count(body))
        return decode_reply(body, request)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CallFailed:
        """What a status other than 2xx means."""
        return decode_error(status, headers, body)
