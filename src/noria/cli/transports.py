"""The two ways a request goes to the REST API: over HTTP to a server, or to the application in this process.

Both do what one caller with one request at a time needs. A richer HTTP client would cost a third of a second of CPU at
every command; these cost a few hundredths.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, NamedTuple, Protocol
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from noria.core.errors import InvalidInput, Unavailable

TIMEOUT_S = 300.0
"""Longest wait for one answer; work that takes longer is a job that is asked about."""
CONNECT_S = 10.0
"""Longest wait for a connection."""

Query = Mapping[str, str | Sequence[str]]
"""Parameters; a list gives one several times."""
Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


class Answer(NamedTuple):
    """What came back."""

    status: int
    """HTTP status."""
    body: bytes
    """All of it."""
    headers: Mapping[str, str] = {}
    """Headers by lower-case name."""


class Refused(Exception):
    """A stream was asked for, and an error came back."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"status {answer.status}")
        self.answer = answer
        """The error."""


class Transport(Protocol):
    """Takes a request to the API and brings its answer."""

    async def __call__(self, method: str, path: str, query: Query, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Ask once. ``path`` is not encoded yet. Raises ``Unavailable`` where no answer comes back."""
        ...


class InProcess:
    """Calls an ASGI application (specification 3.0) as a server would.

    Arguments:
        application: the REST API.
        key: the key that it takes.
    """

    def __init__(self, application: Application, key: str) -> None:
        self._application = application
        self._key = key

    async def __call__(self, method: str, path: str, query: Query, body: bytes, headers: Mapping[str, str]) -> Answer:
        """See :class:`Transport`."""
        fields = {
            "host": "127.0.0.1",
            "authorization": f"Bearer {self._key}",
            "content-length": str(len(body)),
            **headers,
        }
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": quote(path).encode(),
            "root_path": "",
            "query_string": urlencode(query, doseq=True).encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields.items()],
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        requests = [{"type": "http.request", "body": body, "more_body": False}]
        status, pieces, got = 500, bytearray(), dict[str, str]()

        async def receive() -> Message:
            if requests:
                return requests.pop()
            await asyncio.Event().wait()  # this caller never hangs up
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                got.update((name.decode().lower(), value.decode("latin-1")) for name, value in message["headers"])
            else:
                pieces.extend(message.get("body", b""))

        await self._application(scope, receive, send)
        return Answer(status, bytes(pieces), got)


class OnFirstUse:
    """Opens the way when the first request is made."""

    def __init__(self, open: Callable[[], Awaitable[Transport]]) -> None:
        self._open = open
        self._way: Transport | None = None

    async def __call__(self, method: str, path: str, query: Query, body: bytes, headers: Mapping[str, str]) -> Answer:
        """See :class:`Transport`."""
        if self._way is None:
            self._way = await self._open()
        return await self._way(method, path, query, body, headers)


class OverHTTP:
    """Calls a server, one connection a request, plain or over TLS.

    ``http.client`` works in a thread, so that the command can still be interrupted.

    Arguments:
        url: base URL of the server.
        key: the key that it takes.

    Raises:
        InvalidInput: it is no URL, or the key can't be sent.
    """

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._parts = _parts(url)
        self._key = key
        if not (key.isascii() and key.isprintable()):
            raise InvalidInput("The key has characters that can't be sent.", hint="Check NORIA_API_KEY.")

    async def __call__(self, method: str, path: str, query: Query, body: bytes, headers: Mapping[str, str]) -> Answer:
        """See :class:`Transport`."""
        async with self._connection() as connection:
            target = self._target(path, query)
            return await asyncio.to_thread(self._ask, connection, method, target, body, headers)

    async def lines(self, path: str, query: Query, headers: Mapping[str, str]) -> AsyncIterator[str]:
        """The lines of an answer that has no end, as they come; it ends when the server ends it.

        Raises:
            Refused: the server answered with an error instead.
            Unavailable: there is no server, or it went away.
        """
        async with self._connection() as connection:
            response = await asyncio.to_thread(self._begin, connection, self._target(path, query), headers)
            while line := await asyncio.to_thread(self._line, response):
                yield line.decode(errors="replace").rstrip("\r\n")

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[http.client.HTTPConnection]:
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._parts.hostname or "", self._parts.port, timeout=CONNECT_S)
        try:
            yield connection
        finally:
            if connection.sock is not None:  # still waiting: the command was interrupted
                with contextlib.suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)

    def _target(self, path: str, query: Query) -> str:
        return quote(self._parts.path.rstrip("/") + path) + (f"?{urlencode(query, doseq=True)}" if query else "")

    def _ask(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        body: bytes,
        headers: Mapping[str, str],
    ) -> Answer:
        try:
            closing = {"connection": "close", **headers}
            with self._failures(), self._send(connection, method, target, body, closing) as response:
                return _whole(response)
        finally:
            connection.close()

    def _begin(
        self, connection: http.client.HTTPConnection, target: str, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        with self._failures():
            response = self._send(connection, "GET", target, b"", headers)
            if response.status >= 300:
                raise Refused(_whole(response))
            return response

    def _line(self, response: http.client.HTTPResponse) -> bytes:
        with self._failures():
            return response.readline()

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        body: bytes,
        headers: Mapping[str, str],
    ) -> http.client.HTTPResponse:
        fields = {"authorization": f"Bearer {self._key}", **headers}
        try:
            connection.connect()
        except OSError as error:
            reason = "it did not answer in time" if isinstance(error, TimeoutError) else _reason(error)
            raise Unavailable(
                f"There is no server at {self._url}: {reason}.", hint="Start it with `noria up`, or check NORIA_URL."
            ) from error
        connection.sock.settimeout(TIMEOUT_S)
        connection.request(method, target, body, fields)
        return connection.getresponse()

    @contextlib.contextmanager
    def _failures(self) -> Iterator[None]:
        """What goes wrong with a connection, as sentences."""
        try:
            yield
        except TimeoutError as error:
            raise Unavailable(f"The server at {self._url} did not answer in {TIMEOUT_S:.0f} s.") from error
        except (http.client.RemoteDisconnected, http.client.IncompleteRead) as error:
            raise Unavailable(f"The server at {self._url} went away before it had answered.") from error
        except OSError as error:
            raise Unavailable(f"The server at {self._url} went away: {_reason(error)}.") from error
        except http.client.HTTPException as error:
            raise Unavailable(
                f"What answers at {self._url} does not speak HTTP: {type(error).__name__}.",
                hint="Check NORIA_URL or --url.",
            ) from error


def _whole(response: http.client.HTTPResponse) -> Answer:
    """The answer. Raises ``IncompleteRead`` when it was cut, in its head too: Noria always says how long an answer is."""
    if response.length is None and not response.chunked:
        raise http.client.IncompleteRead(b"")
    return Answer(response.status, response.read(), {name.lower(): value for name, value in response.getheaders()})


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        right = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        right = False
    if not right:
        raise InvalidInput(
            f"{url!r} is no server's URL.", hint="Give one such as http://127.0.0.1:7700 (NORIA_URL or --url)."
        )
    return parts


def _reason(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return (error.strerror or str(error) or type(error).__name__).removesuffix(".")
