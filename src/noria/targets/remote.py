"""A model behind HTTP: a wire, a base URL and a key."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Mapping
from http import HTTPStatus
from urllib.parse import quote

import msgspec

from noria.core.answering import NOTHING, Answered, Tell, from_events, tell_all, told
from noria.core.errors import CallFailed, CallRefused, InvalidInput
from noria.core.events import Event, Raw, Sent
from noria.core.replies import Reply
from noria.core.requests import Request, ToEmbed, request_id
from noria.core.unfolding import events_of
from noria.targets.base_url import PORTS, fixed_headers, header_lines, joined, place, shown_url
from noria.targets.egress import Callee, Egress, Origin, Response, Timeouts
from noria.targets.pieces import Pieces, check_text
from noria.targets.redacting import Secrets
from noria.targets.whereabouts import Whereabouts
from noria.wires.wire import Encoded, WireOut

_GOOD = range(HTTPStatus.OK.value, HTTPStatus.MULTIPLE_CHOICES.value)
_LARGEST_ERROR_BODY = 64 * 1024
_LARGEST_LIST = 4 * 1024 * 1024
_LAST_BYTES_S = 0.1
"""How long to wait, after the reply's end mark, for the end of the body, so that the connection can be kept."""
_IN_A_PATH = "/:?#[]@!$&'()*+,;=%~-._"


class Remote:
    """A target over HTTP.

    Arguments:
        egress: sends the calls; shared between targets, and closed by whoever made it.
        wire: the dialect.
        base_url: such as ``https://api.openai.com/v1``.
        api_key: sent with every call and shown in no error; empty for none.
        headers: sent with every call, beside the wire's own.
        provider: the name that records and ``provider/model`` carry.
        model: name sent as the model; by default the request's, without ``provider/``.
        stream: ask for a stream where the request leaves it open, which is how time to first token can be seen.
        timeouts: how long to wait.
        most_bytes: of one reply's body, after decompression; a longer one fails the call.
        private: the base URL's name may stand for an address that is not public.
        kept: connections are kept for further calls, which saves TLS handshakes. A local engine is called without:
            llama.cpp closes the connection after every stream without saying so.
        secrets: what no error may show, beside the key.

    Redirects are not followed: the key goes to the configured host alone.
    """

    def __init__(
        self,
        egress: Egress,
        wire: WireOut,
        *,
        base_url: str,
        api_key: str = "",
        headers: Mapping[str, str] | None = None,
        provider: str,
        model: str | None = None,
        stream: bool = True,
        timeouts: Timeouts = Timeouts(),  # noqa: B008  # immutable
        most_bytes: int = 64 * 1024 * 1024,
        private: bool = False,
        kept: bool = True,
        secrets: Secrets | None = None,
    ) -> None:
        there = place(base_url, provider)
        self._root, self._query, self._shown = there.path, there.query, shown_url(base_url, provider)
        self._whereabouts = Whereabouts(base_url, provider)
        self._callee = Callee(f"provider `{provider}`", self._shown)
        if not (api_key.isascii() and api_key.isprintable()):
            raise InvalidInput(f"The API key of provider `{provider}` holds a character that no HTTP header can carry.")
        if api_key and "@" in there.netloc:
            raise InvalidInput(f"Provider `{provider}` has both an API key and a user in its base URL; keep one.")
        host = (there.hostname or "").encode("idna").decode()
        port = there.port or PORTS[there.scheme]
        self._origin = Origin(there.scheme == "https", host, port, private=private, kept=kept)
        self._egress = egress
        self._wire = wire
        self._wire_name = wire.name
        self._headers = (fixed_headers(there, host, kept=kept), headers or {}, wire.headers(api_key))
        self._head = header_lines(*self._headers)
        self._begin: tuple[tuple[str, dict[str, str]], bytes] = ("", {}), b""
        """How the last request began, and for which path and headers: mostly all begin alike."""
        self._secrets = secrets or Secrets([api_key])
        self._provider = provider
        self._model = model
        self._stream = stream
        self._timeouts = timeouts
        self._most_bytes = most_bytes

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        """Call the model.

        Raises:
            CallFailed: and its kinds, from the iterator. All are retryable that may pass by themselves.
        """
        stream = self._stream if request.stream is None else request.stream
        encoded = self._encoded(request, stream)
        yield (sent := self._sent(request, encoded, stream))
        raw = request.wire if request.wire == self._wire_name else ""
        response: Response | None = None
        try:
            response = await self._answered(encoded)
            if stream and response.content_type != "application/json":
                pieces = Pieces(self._wire.decoder(request), raw)
                while not pieces.done() and (chunk := await response.read()):
                    self._check_size(pieces.read + len(chunk))
                    more = pieces.more_text(chunk)
                    for event in pieces.take(chunk) if more is None else (more,):
                        yield event
                await self._ended(pieces, response)
                return
            if stream:  # the provider does not stream, so there is no time to first token
                yield msgspec.structs.replace(sent, streamed=False)
            reply, body = await self._read(response, request)
            if raw and not stream:
                check_text(body)
                yield Raw(wire=raw, data=body, events=tuple(events_of(reply)), whole=reply)
                return
            for event in events_of(reply):
                yield event
        except CallFailed as error:
            self._conceal(error)
            raise
        finally:
            if response is not None:
                response.close()  # keeps the connection when the body was read to its end, else ends the call

    async def answer(self, request: Request, tell: Tell) -> Answered:
        """The same, told."""
        if request.stream is None:
            return await from_events(self.call(request), request, tell)
        encoded = self._encoded(request, request.stream)
        sent = self._sent(request, encoded, request.stream)
        waiting = tell(sent)
        if waiting is not None:
            await waiting
        response: Response | None = None
        try:
            response = await self._answered(encoded)
            if request.stream:
                await self._tell_stream(sent, response, tell)
                return Answered(None)
            reply, body = await self._read(response, request)
            if request.wire != self._wire_name:
                return Answered(reply)
            check_text(body)
            return Answered(reply, request.wire, body)
        except CallFailed as error:
            self._conceal(error)
            raise
        finally:
            if response is not None:
                response.close()

    async def _tell_stream(self, sent: Sent, response: Response, tell: Tell) -> None:
        """Tell a streamed reply as it comes; one in one piece, of a provider that does not stream, when it has come."""
        request = sent.request
        if response.content_type == "application/json":
            reply, _ = await self._read(response, request)
            await told([msgspec.structs.replace(sent, streamed=False), *events_of(reply)], tell)
            return
        pieces = Pieces(self._wire.decoder(request), request.wire if request.wire == self._wire_name else "")

        def take(chunk: bytes) -> Awaitable[None] | None:
            if pieces.read + len(chunk) > self._most_bytes:
                raise self._too_long()
            more = pieces.more_text(chunk)
            if more is not None:
                return tell(more)
            waiting = tell_all(pieces.take(chunk), tell)
            return NOTHING if waiting is None and pieces.done() else waiting

        await response.hand_on(take, pieces.done)
        await self._ended(pieces, response)

    async def look(self, path: str) -> tuple[int, Mapping[str, str], bytes]:
        """Read something below the base URL, with the key, as calls are made: status, headers, and a body of 4 MB at most.

        Raises:
            CallFailed: there was no answer.
        """
        request = self._line("GET", path) + self._head + b"\r\n"
        response = await self._egress.post(self._origin, request, waits=self._timeouts, callee=self._callee)
        try:
            return response.status, response.headers, await self._body(response, most=_LARGEST_LIST)
        finally:
            response.close()

    def _conceal(self, error: CallFailed) -> None:
        """Take out of it what no caller is told: the provider may have repeated it."""
        self._whereabouts.hide(error)
        self._secrets.redact(error)

    def _sent(self, request: Request, encoded: Encoded, stream: bool) -> Sent:
        return Sent(
            request=request,
            provider=self._provider,
            request_id=request_id(request, server=self._shown),
            streamed=stream,
            dropped=encoded.dropped,
            emulated=encoded.emulated,
        )

    def _encoded(self, request: Request, stream: bool) -> Encoded:
        model = self._model or request.model.removeprefix(f"{self._provider}/")
        return self._wire.encode(request, stream=stream, model=model)

    def _written(self, encoded: Encoded) -> bytes:
        """The request as it goes over the wire."""
        to, begin = self._begin
        if to != (encoded.path, encoded.headers):
            begin = self._line("POST", encoded.path) + header_lines(*self._headers, encoded.headers)
            self._begin = (encoded.path, encoded.headers), begin
        return b"%bContent-Length: %d\r\n\r\n%b" % (begin, len(encoded.body), encoded.body)

    def _line(self, method: str, path: str) -> bytes:
        """The first line of a request."""
        target = joined(self._root, path, self._query)
        if not (target.isascii() and target.isprintable() and " " not in target):
            target = quote(target, safe=_IN_A_PATH)
        return f"{method} {target} HTTP/1.1\r\n".encode()

    async def _answered(self, encoded: Encoded) -> Response:
        """The response, its status known to be good."""
        response = await self._egress.post(
            self._origin, self._written(encoded), waits=self._timeouts, callee=self._callee
        )
        if response.status in _GOOD:
            return response
        try:
            said = await self._body(response, most=_LARGEST_ERROR_BODY)
        finally:
            response.close()
        raise self._wire.decode_error(response.status, response.headers, said)

    async def _read(self, response: Response, request: Request) -> tuple[Reply, bytes]:
        """A reply that comes in one piece, and its bytes."""
        body = await self._body(response)
        reply = self._wire.decode_reply(body, request)
        if request.embed is not None:
            _check_dimensions(reply, request.embed)
        return reply, body

    async def _body(self, response: Response, most: int | None = None) -> bytes:
        """The body; with ``most``, no more than about so many bytes of it."""
        pieces = [await response.read()]
        size = len(pieces[0])
        while (most is None or size < most) and not response.over and (more := await response.read()):
            pieces.append(more)
            size += len(more)
            self._check_size(size)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _check_size(self, read: int) -> None:
        if read > self._most_bytes:
            raise self._too_long()

    def _too_long(self) -> CallFailed:
        return CallFailed(f"{self._callee.Name} sent more than {self._most_bytes} bytes for one reply.")

    @staticmethod
    async def _ended(pieces: Pieces, response: Response) -> None:
        """The stream has ended, by its own mark or by its bytes. Raises ``CallCut`` where it is not complete."""
        if not pieces.done():
            pieces.close()
            return
        with contextlib.suppress(CallFailed):  # the reply is complete; only the connection may be lost
            await response.read(_LAST_BYTES_S)


def _check_dimensions(reply: Reply, embed: ToEmbed) -> None:
    """Refuse vectors of another length than was asked for: llama.cpp, for one, reads over the wish and says nothing."""
    wanted = embed.dimensions
    if wanted is not None and reply.vectors and len(reply.vectors[0]) != wanted:
        raise CallRefused(
            f"The provider gave vectors of {len(reply.vectors[0])} numbers where {wanted} were asked for.",
            status=HTTPStatus.BAD_REQUEST.value,
            hint="Leave `dimensions` out, or call a model that can shorten its vectors.",
        )
