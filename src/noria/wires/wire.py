"""The two sides of a dialect. A wire out is how Noria calls a provider; a wire in is how callers call Noria.

Each dialect implements one or both, sans-I/O: bytes and values in, values and bytes out. Targets see wires out alone,
the gateway wires in alone; between them are only requests and events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from noria.core.errors import CallFailed, NoriaError
from noria.core.events import Content, Event
from noria.core.replies import Reply
from noria.core.requests import Request
from noria.core.struct import Noun


class Encoded(Noun, kw_only=False):
    """A request as it leaves for a provider."""

    path: str
    """Below the base URL, beginning with a slash; with a query where the dialect wants one."""
    body: bytes
    """The body of the POST."""
    headers: dict[str, str]
    """Headers of this request, beside those with the key."""
    dropped: tuple[str, ...] = ()
    """What the caller allowed to be left out, and was."""
    emulated: tuple[str, ...] = ()
    """What the dialect lacks and Noria does in its place: ``response_schema`` is asked for in words, and checked."""


class Decoder(Protocol):
    """Turns the bytes of one streamed reply into events.

    It may offer ``more_text`` beside ``feed``, which tells of a chunk that is one event and differs in its text alone from one before it,
    as most do, what it means: a ``Delta``. Of any other it says None, and has taken nothing.
    """

    @property
    def done(self) -> bool:
        """True once the dialect's own end mark was read: nothing more will come."""
        ...

    def feed(self, chunk: bytes) -> Iterable[Content]:
        """Take more bytes, cut anywhere; yield the events they complete. Raises ``CallFailed`` where the stream says so."""
        ...

    def close(self) -> None:
        """The bytes have ended. Raises ``CallCut`` when the reply is not complete."""
        ...


class WireOut(Protocol):
    """One dialect, as seen from whoever calls a provider."""

    @property
    def name(self) -> str:
        """Name of the dialect, such as ``openai_chat``: where a request's ``wire`` is the same, bytes pass untouched."""
        ...

    def headers(self, api_key: str) -> dict[str, str]:
        """Headers of every request; without the key where ``api_key`` is empty."""
        ...

    def encode(self, request: Request, *, stream: bool, model: str) -> Encoded:
        """The request as it is sent.

        Arguments:
            request: what is asked.
            stream: whether the reply is to come as a stream.
            model: the provider's name of the model.

        Raises:
            InvalidInput: it asks for what the dialect can't carry, and does not allow it to be left out.
        """
        ...

    def decoder(self, request: Request) -> Decoder:
        """A fresh decoder for the streamed reply to a request."""
        ...

    def decode_reply(self, body: bytes, request: Request) -> Reply:
        """A reply that came in one piece. Raises ``CallFailed``."""
        ...

    def decode_error(self, status: int, headers: Mapping[str, str], body: bytes) -> CallFailed:
        """What a status other than 2xx means; the error is returned, for the caller to raise."""
        ...


class Answer(Protocol):
    """Writes the reply to one call in its caller's dialect: either ``whole``, or ``encode`` again and again."""

    @property
    def content_type(self) -> bytes:
        """``text/event-stream; charset=utf-8`` or another, for a streamed reply."""
        ...

    def whole(self, reply: Reply, raw: bytes = b"") -> bytes:
        """The reply in one piece.

        Arguments:
            reply: what was said.
            raw: the same as its provider wrote it, where that was in this dialect, else empty. It is sent as it is, unless
                it says what this caller did not ask for.

        Raises:
            CallCut: it is not complete. Half a reply never leaves as a whole one.
        """
        ...

    def encode(self, event: Event) -> bytes:
        """The bytes of one event of a streamed reply; empty where the dialect has nothing to say yet.

        ``Raw`` of the same wire is sent as it is, unless it says what this caller did not ask for; of any other wire it
        is read as its events.
        """
        ...

    def finish(self) -> bytes:
        """The end of a complete streamed reply."""
        ...

    def error(self, error: NoriaError) -> bytes:
        """The end of a streamed reply that failed: the dialect's error event, which no client takes for a clean end."""
        ...


class InOnePiece:
    """Of an :class:`Answer`, what those have in common that are never streamed: counts, vectors, rankings."""

    content_type = b"application/json"

    def encode(self, event: Event) -> bytes:
        """Nothing."""
        del event
        return b""

    def finish(self) -> bytes:
        """Nothing."""
        return b""


class Incoming(Noun, kw_only=False):
    """A call as it came to a server."""

    request: Request
    """What is asked. ``stream`` says whether the reply is streamed; ``wire`` and ``unread`` are set."""
    answer: Answer
    """Writes the reply."""


class WireIn(Protocol):
    """One dialect, as seen from a server: one of its endpoints that take calls."""

    @property
    def name(self) -> str:
        """Name of the dialect, as for :class:`WireOut`."""
        ...

    @property
    def passed_on(self) -> tuple[str, ...]:
        """Names, in lower case, of the caller's headers that go on to a provider of the same wire; never a key."""
        ...

    def decode(self, body: bytes, *, path: Mapping[str, str], id: str, created: int) -> Incoming:
        """Read a call.

        Arguments:
            body: of the POST.
            path: what the route's path says, such as the ``model`` in Google's dialect, and as ``query`` what follows it.
            id: hex digits that the reply's id is made of.
            created: seconds since 1970 UTC.

        Raises:
            InvalidInput: names the field, such as ``messages[2].role``, and says what is wrong with it.
        """
        ...

    def encode_error(self, error: NoriaError) -> bytes:
        """The body of an error response, whose status is ``error.status``."""
        ...
