"""A model behind HTTP: a wire, a base URL and a key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import msgspec

from noria.core.errors import CallFailed, CallTimeout, InvalidInput
from noria.core.events import Content, Event, Raw, Sent, events_of
from noria.core.requests import Request, request_id
from noria.core.struct import Noun
from noria.targets.foreign import broken, unanswered
from noria.wires.sse import Whole
from noria.wires.wire import Encoded, WireOut

_LARGEST_ERROR_BODY = 64 * 1024
_LAST_BYTES_S = 0.1
"""How long to wait, after the reply's end mark, for the end of the body, so that the connection can be kept."""


class Timeouts(Noun):
    """How long to wait, seconds. Running out of any raises ``CallTimeout``."""

    connect_s: float = 10.0
    """For the connection."""
    first_byte_s: float = 120.0
    """For the head of the reply, and again for the first byte of its body: the provider's queue and the prompt."""
    idle_s: float = 60.0
    """Between two pieces of the body."""
    total_s: float = 600.0
    """For the whole call, pauses of whoever reads the events included."""


def open_session(*, keep_alive: bool) -> aiohttp.ClientSession:
    """A session for remotes: as many connections as there are calls, no cookies. Close it at shutdown.

    With ``keep_alive`` a connection serves many calls, which saves TLS handshakes. A local engine needs one without:
    llama.cpp closes the connection after every stream without saying so, and a call that is already under way on it
    would be lost.
    """
    connector = aiohttp.TCPConnector(limit=0, force_close=not keep_alive)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


class Remote:
    """A target over HTTP.

    Arguments:
        session: whose connections are used, such as :func:`open_session` makes; shared between targets, and closed by
            whoever made it.
        wire: the dialect.
        base_url: such as ``https://api.openai.com/v1``.
        api_key: sent with every call and shown in no error; empty for none.
        headers: sent with every call, beside the wire's own.
        provider: the name that records and ``provider/model`` carry.
        model: name sent as the model; by default the request's, without ``provider/``.
        stream: ask for a stream where the request leaves it open, which is how time to first token can be seen.
        timeouts: how long to wait.
        most_bytes: of one reply's body, after decompression; a longer one fails the call.

    Redirects are not followed: the key goes to the configured host alone.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
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
    ) -> None:
        self._root, self._query, self._shown = _urls(base_url, provider)
        if not (api_key.isascii() and api_key.isprintable()):
            raise InvalidInput(f"The API key of provider `{provider}` holds a character that no HTTP header can carry.")
        if api_key and "@" in urlsplit(base_url).netloc:
            raise InvalidInput(f"Provider `{provider}` has both an API key and a user in its base URL; keep one.")
        self._session = session
        self._wire = wire
        self._headers = {**(headers or {}), **wire.headers(api_key)}
        self._api_key = api_key
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
        id = request_id(request, server=self._shown)
        stream = self._stream if request.stream is None else request.stream
        sent = Sent(request=request, provider=self._provider, request_id=id, streamed=stream)
        encoded = self._encoded(request, stream)
        if encoded.dropped or encoded.emulated:
            sent = msgspec.structs.replace(sent, dropped=encoded.dropped, emulated=encoded.emulated)
        yield sent
        same_wire = request.wire == self._wire.name
        try:
            async with self._answered(encoded) as (response, deadline):
                if stream and response.content_type != "application/json":
                    async for event in self._streamed(request, response, deadline, raw=same_wire):
                        yield event
                    return
                if stream:  # the provider does not stream, so there is no time to first token
                    yield msgspec.structs.replace(sent, streamed=False)
                body = await self._whole(response, deadline)
                events = tuple(events_of(self._wire.decode_reply(body, request)))
                if same_wire and not stream:
                    yield Raw(wire=request.wire, data=body, events=events)
                    return
                for event in events:
                    yield event
        except CallFailed as error:
            self._redact(error)
            raise

    def _encoded(self, request: Request, stream: bool) -> Encoded:
        model = self._model or request.model.removeprefix(f"{self._provider}/")
        return self._wire.encode(request, stream=stream, model=model)

    @asynccontextmanager
    async def _answered(self, encoded: Encoded) -> AsyncIterator[tuple[aiohttp.ClientResponse, float]]:
        """The response, once its status is known to be good, and the loop's time by which the call must end."""
        waits = self._timeouts
        loop = asyncio.get_running_loop()
        end = loop.time() + waits.total_s
        try:
            async with asyncio.timeout(min(waits.connect_s + waits.first_byte_s, waits.total_s)):
                response = await self._session.post(
                    _joined(self._root, encoded.path, self._query),
                    data=encoded.body,
                    headers=self._headers | encoded.headers,
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=waits.connect_s),
                    allow_redirects=False,
                )
        except TimeoutError as error:
            if isinstance(error, aiohttp.ServerTimeoutError):
                raise unanswered(error, provider=self._provider, base_url=self._shown) from error
            raise CallTimeout(f"{self._shown} did not begin to answer in time.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise unanswered(error, provider=self._provider, base_url=self._shown) from error
        try:
            if not HTTPStatus.OK <= response.status < HTTPStatus.MULTIPLE_CHOICES:
                said = await self._whole(response, end, most=_LARGEST_ERROR_BODY)
                raise self._wire.decode_error(response.status, response.headers, said)
            yield response, end
        finally:
            response.close()  # keeps the connection when the body was read to its end, and ends the call when it was not

    async def _streamed(
        self, request: Request, response: aiohttp.ClientResponse, end: float, *, raw: bool
    ) -> AsyncIterator[Event]:
        decoder, whole = self._wire.decoder(request), Whole()
        async for chunk in self._pieces(response, end):
            if raw:
                data = whole.feed(chunk)
                events: list[Content] = []
                try:
                    events.extend(decoder.feed(data))
                except CallFailed:
                    for event in events:  # what the stream said before it said that it failed
                        yield event
                    raise
                if data:
                    yield Raw(wire=request.wire, data=data, events=tuple(events))
            else:
                for event in decoder.feed(chunk):
                    yield event
            if decoder.done:
                await self._last_bytes(response)
                return
        decoder.close()

    async def _whole(self, response: aiohttp.ClientResponse, end: float, most: int | None = None) -> bytes:
        """The body; with ``most``, no more than about so many bytes of it."""
        body = bytearray()
        async for chunk in self._pieces(response, end):
            body += chunk
            if most is not None and len(body) >= most:
                break
        return bytes(body)

    async def _pieces(self, response: aiohttp.ClientResponse, end: float) -> AsyncIterator[bytes]:
        """The body's bytes as they come, within all limits."""
        clock = asyncio.get_running_loop().time
        wait, read = self._timeouts.first_byte_s, 0
        while True:
            try:
                async with asyncio.timeout(min(wait, end - clock())):
                    chunk = await response.content.readany()
            except TimeoutError as error:
                where = "in the middle of its reply" if read else "before its reply began"
                raise CallTimeout(f"{self._shown} sent nothing more in time, {where}.") from error
            except (aiohttp.ClientError, OSError) as error:
                raise broken(error, base_url=self._shown) from error
            if not chunk:
                return
            wait, read = self._timeouts.idle_s, read + len(chunk)
            if read > self._most_bytes:
                raise CallFailed(f"{self._shown} sent more than {self._most_bytes} bytes for one reply.")
            yield chunk

    async def _last_bytes(self, response: aiohttp.ClientResponse) -> None:
        try:
            async with asyncio.timeout(_LAST_BYTES_S):
                await response.content.readany()
        except (TimeoutError, aiohttp.ClientError, OSError):
            return  # the reply is complete; only the connection is lost

    def _redact(self, error: CallFailed) -> None:
        """Some providers repeat the key in their error sentence."""
        if self._api_key and self._api_key in error.message:
            error.message = error.message.replace(self._api_key, "[key]")
            error.args = (error.message,)


def shown_url(base_url: str, provider: str) -> str:
    """The base URL without user, password and query: fit to be shown, and part of the request's id.

    Raises:
        InvalidInput: it is no http or https URL.
    """
    return _urls(base_url, provider)[2]


def _urls(base_url: str, provider: str) -> tuple[str, str, str]:
    """The base URL, its query, and the base URL to show, without user, password and query."""
    try:
        parts = urlsplit(base_url)
        valid = bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.scheme not in {"http", "https"}:
        raise InvalidInput(
            f"The base URL of provider `{provider}` is not an http or https URL.",
            hint="Write it as https://host/v1.",
        )
    root = parts.path.rstrip("/")
    shown = parts.netloc.rpartition("@")[2]
    return (
        urlunsplit((parts.scheme, parts.netloc, root, "", "")),
        parts.query,
        urlunsplit((parts.scheme, shown, root, "", "")),
    )


def _joined(root: str, path: str, query: str) -> str:
    """Where a call goes: the wire's path below the root, with both queries."""
    if not query:
        return root + path
    return f"{root}{path}{'&' if '?' in path else '?'}{query}"
