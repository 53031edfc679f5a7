"""Running the server: say so, serve until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Protocol

import structlog
import uvicorn

from noria.assemble import Workspace
from noria.serve.access import Access
from noria.serve.app import Application
from noria.serve.asgi import Receive, Scope, Send
from noria.serve.connections import BoundedHTTP
from noria.serve.traffic import Traffic

GRACE_S = 10.0
"""Seconds that requests in flight get to end after a stop was asked for; new ones are refused meanwhile."""
CUT_S = 2
"""Seconds that those which did not end get to be cut off, and recorded as cut."""
STOP_S = 25.0
"""Seconds from the stop to the end of the process, whatever hangs; what is not in the store by then is in the spool."""

log = structlog.get_logger(__name__)


class Served(Protocol):
    """An application that can be told to stop."""

    traffic: Traffic
    """What is being answered now."""

    def stop(self) -> None:
        """End what has no end of its own."""
        ...

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection."""
        ...


class Running:
    """A server that accepts connections."""

    def __init__(self, server: uvicorn.Server, application: Served, url: str, access: Access) -> None:
        self._server = server
        self._application = application
        self._stopping: asyncio.Task[None] | None = None
        self.url = url
        """Base URL, such as ``http://127.0.0.1:7700``."""
        self.access = access
        """For making login links."""

    @property
    def login_link(self) -> str:
        """A fresh link that logs a browser in, once."""
        return f"{self.url}/login?token={self.access.new_link_token()}"

    def stop(self) -> None:
        """Refuse what is new, with 503; end when the requests in flight have ended, or ten seconds later."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(), name="noria-stop")

    def close_door(self) -> None:
        """Let go of the port at once, so that another server can have it; what was accepted is still answered."""
        for server in self._server.servers:
            server.close()

    async def _stop(self) -> None:
        self._application.stop()  # streams without an end would use up the grace of all others
        if not await self._application.traffic.drain(GRACE_S):
            log.warning("server.cuts_requests", after_s=GRACE_S)
        self._server.should_exit = True


@contextlib.asynccontextmanager
async def serving(
    workspace: Workspace, bound: socket.socket, access: Access
) -> AsyncIterator[tuple[Running, asyncio.Task[None]]]:
    """Serve a workspace on a bound socket. Yields the running server and the task that ends when it does."""
    async with serving_application(Application(workspace, access), bound, access, url_of(bound)) as running:
        yield running


def url_of(bound: socket.socket) -> str:
    """Base URL of what listens there."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextlib.asynccontextmanager
async def serving_application(
    application: Served, bound: socket.socket, access: Access, url: str
) -> AsyncIterator[tuple[Running, asyncio.Task[None]]]:
    """Serve an application on a bound socket, of any kind; ``url`` is where people reach it."""
    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        interface="asgi3",
        proxy_headers=False,
        timeout_graceful_shutdown=CUT_S,
        http=BoundedHTTP,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]), name="noria-serve")
    started = asyncio.create_task(server.has_started.wait(), name="noria-started")
    running = Running(server, application, url, access)
    try:
        await asyncio.wait({task, started}, return_when=asyncio.FIRST_COMPLETED)
        yield running, task
    finally:
        started.cancel()
        running.stop()  # also when it is told to stop before it said that it has begun: calls may have come
        await task


class LastResort:
    """Ends the process when a stop takes too long: a hung disk or a stuck thread must not keep a server for ever.

    Nothing that was acknowledged is lost by it: the process might as well have been killed.
    """

    def __init__(self, within_s: float = STOP_S) -> None:
        self._within_s = within_s
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """The stop begins now."""
        if self._timer is None:
            self._timer = threading.Timer(self._within_s, self._leave)
            self._timer.daemon = True
            self._timer.start()

    def close(self) -> None:
        """The stop has ended in time."""
        if self._timer is not None:
            self._timer.cancel()

    def _leave(self) -> None:
        log.error("server.stop_took_too_long", after_s=self._within_s, kept="what was acknowledged is in the spool")
        os._exit(1)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling (the command line has it), and with an event for its start."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.has_started = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets=sockets)
        self.has_started.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the command line."""
        yield
