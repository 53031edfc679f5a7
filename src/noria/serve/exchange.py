"""One request and its response, as ASGI has them, by as few writes as can be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, Protocol

import structlog
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from noria.core.answering import Later
from noria.serve.asgi import ASGIApp, Headers, Lines, Message, lines_of

if TYPE_CHECKING:
    from uvicorn.server import ServerState

_WITHOUT_BODY = frozenset({204, 304})
_FAILED = b"Internal Server Error"
_FAILED_HEADERS = (
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"content-length", b"%d" % len(_FAILED)),
    (b"connection", b"close"),
)

_log = structlog.get_logger(__name__)


class Connection(Protocol):
    """Where an exchange happens."""

    transport: asyncio.Transport
    """Takes what is written."""
    server_state: ServerState
    """What all connections of the server share, uvicorn's: headers of every response, and the tasks under way."""
    write_paused: bool
    """The client reads more slowly than its answer comes."""

    async def drain(self) -> None:
        """Wait until the client has read."""
        ...

    def resume_reading(self) -> None:
        """More of the body is wanted."""
        ...

    def answered(self) -> None:
        """The response is sent."""
        ...

    def end(self) -> None:
        """No other follows."""
        ...

    def close(self) -> None:
        """Not even its end follows."""
        ...


class Exchange:
    """A request, and the response to it. It is ASGI's ``send`` itself.

    A whole response, head and body, is one write, since each is a call of the system and wakes the client; of a streamed one
    each piece is, its head with the first. Whatever is not so simple is sent as ASGI has it.

    Arguments:
        connection: where it happens.
        scope: the request's head, as ASGI has it.
        keep_alive: whether another request may follow.
    """

    __slots__ = (
        "_awaited",
        "_body",
        "_chunked",
        "_connection",
        "_left",
        "_news",
        "_whole",
        "complete",
        "disconnected",
        "keep_alive",
        "scope",
        "started",
        "task",
    )

    def __init__(self, connection: Connection, scope: dict[str, Any], *, keep_alive: bool) -> None:
        self._connection = connection
        self.scope = scope
        """The request's head."""
        self.keep_alive = keep_alive
        """Whether another request may follow on the connection."""
        self.task: asyncio.Task[None] | None = None
        """Answers it."""
        self.started = False
        """Something of the response is sent."""
        self.complete = False
        """All of it is."""
        self.disconnected = False
        """The client went away before that."""
        self._body: bytes | bytearray = b""  # what came and nobody received yet
        self._whole = False  # all of it came
        self._news = False  # something came since it was last received
        self._awaited: asyncio.Event | None = None  # set by news, once somebody has waited for them
        self._chunked = False
        self._left = 0  # bytes that are missing of a response whose length was told

    async def run(self, app: ASGIApp) -> None:
        """Have the application answer."""
        try:
            await app(self.scope, self.receive, self)
        except BaseException as error:  # noqa: BLE001  # a boundary: whatever failed, the client is told
            _log.error("http.failed", error=type(error).__name__, exc_info=error)
            self._fail()
        else:
            if not (self.complete or self.disconnected):
                _log.error("http.not_answered", path=self.scope["path"])
                self._fail()
        finally:
            self._connection.server_state.tasks.discard(self.task)

    # What the connection tells

    def take(self, piece: bytes) -> int:
        """A piece of the request's body came. Returns how many bytes nobody received yet."""
        if self._body:
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += piece
        else:
            self._body = piece
        self._wake()
        return len(self._body)

    def end(self) -> None:
        """All of it came."""
        self._whole = True
        self._wake()

    def hang_up(self) -> None:
        """The client has gone."""
        if not self.complete:
            self.disconnected = True
        self._wake()

    # What the application asks for

    async def receive(self) -> Message:
        """ASGI's ``receive``."""
        if not (self._news or self.disconnected or self.complete):
            await self._wait()
        if self.disconnected or self.complete:
            return {"type": "http.disconnect"}
        self._news = False
        body, self._body = bytes(self._body), b""
        if not self._whole:
            self._connection.resume_reading()
        return {"type": "http.request", "body": body, "more_body": not self._whole}

    async def __call__(self, message: Message) -> None:
        """ASGI's ``send``."""
        await self._connection.drain()
        if self.disconnected:
            return
        kind = "http.response.body" if self.started else "http.response.start"
        if self.complete or message["type"] != kind:
            raise RuntimeError(f"A response takes no {message['type']!r} here.")
        if self.started:
            self._send_piece(message.get("body", b""), more=message.get("more_body", False))
        else:
            self._send_head(message["status"], message.get("headers", ()))

    def at_once(self, status: int, lines: Lines, body: bytes) -> bool:
        """Send a response whose headers are these, and tell the length of its body.

        Returns:
            Whether it was simple enough, and is sent.
        """
        head = self._simple_head(lines)
        if head is None:
            return False
        self._connection.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[status], head, body))
        self.started = True
        self._complete()
        return True

    def begin(self, status: int, lines: Lines, piece: bytes) -> bool:
        """Begin a response whose length nobody knows, with its first piece. Its end is sent as ASGI has it.

        Returns:
            Whether it was simple enough, and is sent; then the other pieces can go by :meth:`more`.
        """
        head = self._simple_head(lines)
        if head is None:
            return False
        self.started = self._chunked = True
        framed = (STATUS_LINE[status], head, len(piece), piece)
        self._connection.transport.write(b"%b%btransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n" % framed)
        return True

    def more(self, piece: bytes) -> Awaitable[None] | None:
        """Send a piece that is not empty; what it returns has to be awaited, because the client reads too slowly."""
        if self.disconnected:
            return None
        connection = self._connection
        connection.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        return Later(connection.drain) if connection.write_paused else None

    def _simple_head(self, lines: Lines) -> bytes | None:
        """The lines of a head that needs no second look, with the server's; None where the response has to be sent as ASGI has it."""
        connection = self._connection
        if (
            not self.keep_alive
            or self.disconnected
            or self.started
            or connection.write_paused
            or self.scope["method"] == "HEAD"
            or b"connection: " in lines
        ):
            return None
        return lines_of(connection.server_state.default_headers) + lines

    def _send_head(self, status: int, headers: Headers) -> None:
        fields = [*self._connection.server_state.default_headers, *((name.lower(), value) for name, value in headers)]
        said = dict(fields)
        length = said.get(b"content-length")
        empty = self.scope["method"] == "HEAD" or status in _WITHOUT_BODY
        if b"close" in said.get(b"connection", b"").lower():
            self.keep_alive = False
        elif not self.keep_alive:
            fields.append((b"connection", b"close"))
        chunked = length is None and not empty
        if chunked and b"transfer-encoding" not in said:
            fields.append((b"transfer-encoding", b"chunked"))
        head = lines_of(fields)
        self.started, self._chunked = True, chunked
        self._left = 0 if length is None or empty else int(length)
        self._connection.transport.write(b"%b%b\r\n" % (STATUS_LINE[status], head))

    def _send_piece(self, piece: bytes, *, more: bool) -> None:
        if self._chunked:
            end = b"" if more else b"0\r\n\r\n"
            piece = b"%x\r\n%b\r\n%b" % (len(piece), piece, end) if piece else end
        elif self.scope["method"] == "HEAD":
            piece = b""
        else:
            self._left -= len(piece)
            if self._left < 0 or (self._left and not more):
                raise RuntimeError("The response is not as long as its head says.")
        if piece:
            self._connection.transport.write(piece)
        if not more:
            self._complete()

    def _complete(self) -> None:
        self.complete = True
        self._wake()
        if not self.keep_alive:
            self._connection.end()
        self._connection.answered()

    def _fail(self) -> None:
        """Tell the client, if only by an end that is none, that there is no response."""
        if self.complete or self.disconnected:
            return
        if self.started:
            self._connection.close()
        else:
            self._send_head(500, _FAILED_HEADERS)
            self._send_piece(_FAILED, more=False)

    async def _wait(self) -> None:
        """Wait for news of the request."""
        if self._awaited is None:
            self._awaited = asyncio.Event()
            expected = (b"expect", b"100-continue") in ((name, value.lower()) for name, value in self.scope["headers"])
            if expected and not (self._body or self._whole or self.started):
                self._connection.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._connection.resume_reading()
        self._awaited.clear()
        await self._awaited.wait()

    def _wake(self) -> None:
        self._news = True
        if self._awaited is not None:
            self._awaited.set()


def bad_request(server_headers: Headers, why: str) -> bytes:
    """The response to what is no request."""
    head = lines_of(
        [
            *server_headers,
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", b"%d" % len(why)),
            (b"connection", b"close"),
        ]
    )
    return b"%b%b\r\n%b" % (STATUS_LINE[400], head, why.encode())
