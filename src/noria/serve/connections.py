"""HTTP/1.1 connections, with limits on what a stranger may send before anybody has asked for a key.

The parser (llhttp, by httptools) keeps whatever comes until a head is complete, and waits for it for ever: without limits one
connection fills the memory, and some thousand slow ones take all of the process's file descriptors (Slowloris, CWE-400).

uvicorn listens, stops and says the date. Its own connections make an event, a timer and several more objects for each request
that a body which comes whole needs none of; here a connection has one timer (:mod:`noria.serve.patience`).
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httptools
import structlog
from uvicorn.protocols.utils import get_local_addr, get_remote_addr, is_ssl

from noria.serve.asgi import CAME, GONE, Hangup
from noria.serve.exchange import Exchange, bad_request
from noria.serve.patience import Deadline, Taking

if TYPE_CHECKING:
    from uvicorn.config import Config
    from uvicorn.server import ServerState

MAX_HEAD = 64 * 1024
"""Most bytes of a request's line and headers, or of the trailers of its body. What one read brings may exceed it."""
MAX_WAITING = 16
"""Requests behind one that is answered, after which no more are read. Until then it is heard when the client goes away."""
MAX_AHEAD = 64 * 1024
"""Bytes of a body after which no more of it is read until somebody asks."""
BODY_S = 60.0
"""Seconds that a body may pause between two pieces, while somebody waits for the next."""
LINGER_S = 5.0
"""Seconds that the rest of a body may take after its answer, which is mostly that a key is missing."""
STALLED_S = 60.0
"""Seconds that a client may take nothing of its answer, while more of it waits; its call holds a place, and a provider's answer."""
HEAD_S = 20.0
"""Seconds from the connection, or from a request's first byte, to the end of its headers."""

_ASGI = {"version": "3.0", "spec_version": "2.3"}

_log = structlog.get_logger(__name__)


class BoundedHTTP(asyncio.Protocol):
    """HTTP/1.1 on one connection. Knows what comes and in which order it is answered; an :class:`Exchange` knows how.

    Arguments:
        config: uvicorn's; the application, and how long a connection may be idle.
        server_state: uvicorn's; what it waits for when it stops, and the headers of all responses.
        app_state: uvicorn's; nothing of it is used.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # noqa: ARG002  # uvicorn gives it to every protocol
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.loop = _loop or asyncio.get_running_loop()
        self.server_state = server_state
        self.write_paused = False
        """The client reads more slowly than its answer comes."""
        self.transport: asyncio.Transport
        self._app = config.loaded_app
        self._idle_s = config.timeout_keep_alive
        self._parser = self._new_parser()
        self._hangup = Hangup()
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._exchange: Exchange | None = None  # the last whose head came
        self._answering: Exchange | None = None  # the last that was begun to be answered
        self._waiting: deque[Exchange] = deque()  # until those before it are answered
        self._read_paused = False
        self._writable: asyncio.Event | None = None
        self._unheard = 0  # bytes since the parser last passed something on
        self._in_head = False  # a request has begun, and its head is not whole
        self._in_body = False  # a head was whole, and its body is not
        self._next = Deadline(self.loop, self._end_waiting)  # for what the client has to send next
        self._taking: Taking

    # What the event loop says

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a stream's, always
        """Wait for the first request, for some time."""
        self.transport = transport
        self._taking = Taking(self.loop, transport)
        self._server, self._client = get_local_addr(transport), get_remote_addr(transport)
        self._scheme = "https" if is_ssl(transport) else "http"
        self.server_state.connections.add(self)  # type: ignore[arg-type]  # uvicorn's type knows only its own ones
        self._next.within(HEAD_S)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # whatever ended it
        """Nothing is waited for any more."""
        self.server_state.connections.discard(self)
        self._taking.stop()
        self._next.stop()
        self.resume_writing()
        if self._answering is not None:
            self._answering.hang_up()
        self._hangup.happen()
        # All of these refer to this connection, and it to them.
        self._waiting.clear()
        self._exchange = self._answering = None
        self._parser = None  # type: ignore[assignment]  # nothing comes any more

    def data_received(self, data: bytes) -> None:
        """Parse what came; end a connection whose head or trailers have no end."""
        self._unheard += len(data)
        try:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as wish:
                self._pass_over(wish, memoryview(data))
        except httptools.HttpParserError:
            _log.warning("http.malformed")
            self._refuse("Invalid HTTP request received.")
            return
        if self._next.until == math.inf and (self._in_head or self._in_body):  # mostly it came whole
            self._next.within(HEAD_S if self._in_head else BODY_S)
        if self._unheard > MAX_HEAD and not self.transport.is_closing():
            self._refuse(f"The request's head is larger than {MAX_HEAD:,} bytes.")

    def eof_received(self) -> None:
        """The client sends no more, and is taken to have gone."""
        self.close()

    def pause_writing(self) -> None:
        """The client reads more slowly than its answer comes."""
        self.write_paused = True
        self._writable = asyncio.Event()
        self._taking.watch(STALLED_S)

    def resume_writing(self) -> None:
        """It has read."""
        self.write_paused = False
        if not self.transport.is_closing():  # else it has to take the rest, too
            self._taking.stop()
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    # What the parser says

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head = True
        self._url = b""
        self._headers = []
        self._next.until = math.inf

    def on_url(self, url: bytes) -> None:
        """A piece of its target."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of its headers."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        if self._parser.should_upgrade():
            if self._parser.get_method() == b"CONNECT":
                raise httptools.HttpParserInvalidMethodError("This is no proxy.")
            return  # it is parsed again
        url, version = httptools.parse_url(self._url), self._parser.get_http_version()
        path = url.path.decode("ascii")
        self._in_head, self._in_body = False, True
        scope = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self._server,
            "client": self._client,
            "scheme": self._scheme,
            "method": self._parser.get_method().decode("ascii"),
            "root_path": "",
            "path": unquote(path) if "%" in path else path,
            "raw_path": url.path,
            "query_string": url.query or b"",
            "headers": self._headers,
            GONE: self._hangup,
        }
        self._headers = []  # of trailers, which nobody reads: what a proxy took from the head must not come back by them
        before = self._exchange
        keep_alive = version != "1.0" and self._parser.should_keep_alive()
        self._exchange = exchange = Exchange(self, scope, keep_alive=keep_alive)
        self._next.until = math.inf
        if before is not None and not before.complete:
            self._waiting.append(exchange)
            if len(self._waiting) > MAX_WAITING:
                self.pause_reading()
        elif not self.transport.is_closing():
            self._start(exchange)

    def on_body(self, body: bytes) -> None:
        """A piece of its body, which whoever answers bounds."""
        self._unheard = 0
        exchange = self._exchange
        assert exchange is not None  # noqa: S101  # its head came before
        if exchange.complete:  # nobody reads the rest, which has its time
            return
        self._next.until = math.inf
        if exchange.take(body) > MAX_AHEAD:
            self.pause_reading()

    def on_message_complete(self) -> None:
        """It ends."""
        if self._in_head:
            return  # it is parsed again
        self._unheard = 0
        self._in_body = False
        self._next.until = math.inf
        exchange = self._exchange
        assert exchange is not None  # noqa: S101  # its head came before
        if not exchange.complete:
            exchange.end()
        elif exchange.keep_alive:
            self._next.within(self._idle_s)
        else:
            self.close()

    # What an exchange asks for

    def pause_reading(self) -> None:
        """Let the client wait."""
        if not self._read_paused:
            self._read_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Let it go on."""
        if self._read_paused:
            self._read_paused = False
            self.transport.resume_reading()

    def close(self) -> None:
        """End the connection, once the client has taken what is written, for which it has its time."""
        self.transport.close()
        self._taking.watch(STALLED_S)

    def end(self) -> None:
        """No other response follows. The rest of its request is read first: who is hung up on while it sends may lose what it has not read."""
        if not self._in_body or self._waiting:
            self.close()

    async def drain(self) -> None:
        """Wait until the client has read."""
        if self._writable is not None:
            await self._writable.wait()

    def answered(self) -> None:
        """A response is sent: answer what came behind it, or wait for more."""
        if self.transport.is_closing():
            return
        if self._waiting:
            self._start(self._waiting.popleft())
            return
        self.resume_reading()
        if self._in_body:  # what is still missing of it is waited for, but not for ever
            self._next.within(LINGER_S)
        elif not self._in_head:
            self._next.within(self._idle_s)

    # What uvicorn asks for

    def shutdown(self) -> None:
        """Close now, or after the response that is on its way."""
        if self._exchange is None or self._exchange.complete:
            self.close()
        else:
            self._exchange.keep_alive = False

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        # Who sends several requests at once, and to close after one of them, is still answered that one.
        parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return parser

    def _pass_over(self, wish: httptools.HttpParserUpgrade, data: memoryview) -> None:
        """Parse a request that asks for another protocol as if it did not (RFC 9110, section 7.8), and what comes behind it.

        The parser takes all behind its head for that protocol, also its body; which we would else read as requests.
        """
        while True:
            line = (self._parser.get_method(), self._url, self._parser.get_http_version().encode())
            fields = [b"%b: %b\r\n" % field for field in self._headers if field[0] != b"upgrade"]
            self._parser = self._new_parser()
            self._parser.feed_data(b"%b %b HTTP/%b\r\n%b\r\n" % (*line, b"".join(fields)))
            data = data[wish.args[0] :]
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as another:
                wish = another
            else:
                return

    def _start(self, exchange: Exchange) -> None:
        exchange.scope[CAME] = self.loop.time()
        task = self.loop.create_task(exchange.run(self._app))
        self._answering, self._hangup.task, exchange.task = exchange, task, task
        self.server_state.tasks.add(task)

    def _refuse(self, why: str) -> None:
        """What came is no request, so that none can follow: say so, but never between the answers to those before it."""
        if self._in_body and self._waiting:  # it is the body of the last of these
            self._waiting.pop()
            self._exchange, self._in_body = self._waiting[-1] if self._waiting else self._answering, False
        exchange = self._exchange
        if exchange is not None and self._in_body:  # it is its body
            exchange.hang_up()
        elif exchange is not None and not exchange.complete:
            exchange.keep_alive = False
            self.pause_reading()
            return
        if exchange is None or not (self._in_body and exchange.started):
            self.transport.write(bad_request(self.server_state.default_headers, why))
        self.close()

    def _end_waiting(self) -> None:
        """Hang up on a client that lets us wait too long, unless it is we who don't read."""
        if self._read_paused:
            self._next.within(BODY_S)
        elif self._in_head and self._exchange is not None and not self._exchange.complete:
            self._next.within(HEAD_S)  # it holds no more than a call that it waits for anyhow
        else:
            self.close()
