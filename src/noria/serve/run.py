"""Running the server: bind, say so, serve until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn

from noria.assemble import Workspace
from noria.core.errors import Conflict, InvalidInput
from noria.serve.access import Access
from noria.serve.app import Application
from noria.serve.connections import BoundedHTTP

GRACE_S = 10
"""Seconds that calls in flight get to end after a stop was asked for."""


class Running:
    """A server that accepts connections."""

    def __init__(self, server: uvicorn.Server, url: str, access: Access) -> None:
        self._server = server
        self.url = url
        """Base URL, such as ``http://127.0.0.1:7700``."""
        self.access = access
        """For making login links."""

    @property
    def login_link(self) -> str:
        """A fresh link that logs a browser in, once."""
        return f"{self.url}/login?token={self.access.new_link_token()}"

    def stop(self) -> None:
        """Accept nothing more; end when the calls in flight have ended."""
        self._server.should_exit = True


def bind(host: str, port: int) -> socket.socket:
    """Take the port.

    Raises:
        Conflict: it is in use.
        InvalidInput: the address is not this machine's, or not allowed.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, proto)
    except (OSError, UnicodeError) as error:  # UnicodeError: no name that DNS could know
        raise InvalidInput(f"Can't listen on {host}:{port}: {getattr(error, 'strerror', None) or error}.") from error
    try:
        if os.name == "posix":  # elsewhere the option would let two servers share the port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen()  # here already: of two servers that start together, one must be told
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise Conflict(f"Port {port} on {host} is in use.", hint="Choose another with --port.") from error
        raise InvalidInput(f"Can't listen on {host}:{port}: {error.strerror or error}.") from error
    return bound


@contextlib.asynccontextmanager
async def serving(
    workspace: Workspace, bound: socket.socket, access: Access
) -> AsyncIterator[tuple[Running, asyncio.Task[None]]]:
    """Serve a workspace on a bound socket. Yields the running server and the task that ends when it does."""
    host, port = bound.getsockname()[:2]
    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    application = Application(workspace, access)
    config = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
        http=BoundedHTTP,
    )
    server = _Server(config, application.stop)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    started = asyncio.create_task(server.has_started.wait())
    await asyncio.wait({task, started}, return_when=asyncio.FIRST_COMPLETED)
    started.cancel()
    running = Running(server, url, access)
    try:
        yield running, task
    finally:
        running.stop()
        await task


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling (the command line has it), and with an event for its start."""

    def __init__(self, config: uvicorn.Config, on_stop: Callable[[], None]) -> None:
        super().__init__(config)
        self.has_started = asyncio.Event()
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets=sockets)
        self.has_started.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, and say so first: streams without an end would use up the grace of all others."""
        self._on_stop()
        await super().shutdown(sockets=sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the command line."""
        yield
