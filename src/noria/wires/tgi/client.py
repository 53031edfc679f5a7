"""The wire as targets see it: :class:`noria.wires.wire.WireOut` for TGI's text endpoints."""

from __future__ import annotations

from collections.abc import Mapping

from noria.core.errors import CallFailed, InvalidInput
from noria.core.replies import Reply
from noria.core.requests import Request
from noria.core.struct import Noun
from noria.wires.statuses import failed_with_status
from noria.wires.tgi.prompt import check_template
from noria.wires.tgi.replies import StreamDecoder, decode_reply
from noria.wires.tgi.requests import NAME, encode_request
from noria.wires.wire import Encoded


class Tgi(Noun):
    """The text dialect of one TGI server."""

    template: str = ""
    """Chat template of its model, in Jinja; empty: only a single user message can be sent, as it is."""

    def __post_init__(self) -> None:
        """Raises ``InvalidInput`` where the template is none."""
        check_template(self.template)

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
        del model
        if request.embed is not None or request.rank is not None:
            raise InvalidInput(
                "TGI generates text; it makes no embeddings and no rankings.",
                hint="Call a Text Embeddings Inference server: kind tei.",
            )
        return encode_request(request, stream=stream, template=self.template)

    def decoder(self, request: Request) -> StreamDecoder:
        """A decoder for one streamed reply."""
        return StreamDecoder(request)

    def decode_reply(self, body: bytes, request: Request) -> Reply:
        """A reply that came in one piece."""
        return decode_reply(body, request)

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CallFailed:
        """What a status other than 2xx means."""
        return failed_with_status(status, headers, body)
