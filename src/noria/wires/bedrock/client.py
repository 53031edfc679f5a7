"""The wire as targets see it: :class:`noria.wires.wire.WireOut` for Bedrock."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from noria.core.errors import CallFailed, InvalidInput
from noria.core.replies import Reply
from noria.core.requests import Request
from noria.core.struct import Noun
from noria.wires.bedrock.replies import StreamDecoder, decode_reply
from noria.wires.bedrock.requests import NAME, encode_request
from noria.wires.statuses import failed_with_status
from noria.wires.wire import Encoded


class Bedrock(Noun):
    """The dialect of Bedrock's Converse."""

    sign: Callable[[str, bytes], dict[str, str]] | None = None
    """Makes the headers that prove who calls, from a call's path and body; None where the key does."""

    @property
    def name(self) -> str:
        """The dialect."""
        return NAME

    def headers(self, api_key: str) -> dict[str, str]:
        """Headers of a request."""
        headers = {"Content-Type": "application/json"}
        return headers | ({"Authorization": f"Bearer {api_key}"} if api_key else {})

    def encode(self, request: Request, *, stream: bool, model: str) -> Encoded:
        """The request as it is sent."""
        if request.embed is not None or request.rank is not None:
            raise InvalidInput("Bedrock's Converse carries conversations alone, no embeddings and no rankings.")
        encoded = encode_request(request, stream=stream, model=model)
        if self.sign is None:
            return encoded
        return msgspec.structs.replace(encoded, headers=encoded.headers | self.sign(encoded.path, encoded.body))

    def decoder(self, request: Request) -> StreamDecoder:
        """A decoder for one streamed reply."""
        del request
        return StreamDecoder()

    def decode_reply(self, body: bytes, request: Request) -> Reply:
        """A reply that came in one piece."""
        del request
        return decode_reply(body)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CallFailed:
        """What a status other than 2xx means."""
        return failed_with_status(status, headers, body)
