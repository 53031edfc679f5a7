"""What a wire offers to whoever calls a model over HTTP. Each dialect implements it; targets see only this."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from noria.core.errors import CallFailed
from noria.core.events import Event, Reply
from noria.core.requests import Request


class Decoder(Protocol):
    """Turns the bytes of one streamed reply into events."""

    @property
    def done(self) -> bool:
        """True once the dialect's own end mark was read: nothing more will come."""
        ...

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Take more bytes, cut anywhere; yield the events they complete. Raises ``CallFailed`` where the stream says so."""
        ...

    def close(self) -> None:
        """The bytes have ended. Raises ``CallCut`` when the reply is not complete."""
        ...


class Wire(Protocol):
    """One dialect, as seen from a client."""

    @property
    def path(self) -> str:
        """Path below the base URL, such as ``/chat/completions``."""
        ...

    def headers(self, api_key: str) -> dict[str, str]:
        """Headers of a request; without the key where ``api_key`` is empty."""
        ...

    def encode_request(self, request: Request, *, stream: bool, model: str | None = None) -> bytes:
        """The request's body. ``model`` is the name sent, by default the request's own."""
        ...

    def decoder(self) -> Decoder:
        """A fresh decoder for one streamed reply."""
        ...

    def decode_reply(self, body: bytes) -> Reply:
        """A reply that came in one piece. Raises ``CallFailed``."""
        ...

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CallFailed:
        """What a status other than 2xx means; the error is returned, for the caller to raise."""
        ...
