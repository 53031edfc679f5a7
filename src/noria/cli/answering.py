"""Serving until told to stop, as every command that starts a server does it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from noria.core.errors import Conflict, InvalidInput
from noria.settings import Settings

if TYPE_CHECKING:
    from noria.assemble import Workspace
    from noria.serve.access import Access
    from noria.serve.run import Running

MOST_WORKERS = 256
"""More processes than that on one port are a mistake."""
LET_GO_S = 15.0
"""Seconds that workers of a server that was killed have to let go of its port. They do so at once, but for one that still starts."""
_COLLECT_AFTER = 10_000
"""New objects after which the collector looks for cycles among them. A call makes some hundred, and few in cycles."""


def fast_loop() -> asyncio.AbstractEventLoop:
    """The event loop of servers: on libuv where there is one, which takes less of the CPU."""
    try:
        import uvloop  # noqa: PLC0415  # servers alone need it
    except ImportError:  # Windows has none
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


async def serve_until_stopped(
    workspace: Workspace,
    settings: Settings,
    bound: socket.socket,
    ending: contextlib.ExitStack,
    began: Callable[[Running], None] | None = None,
) -> None:
    """Serve, and call ``began`` when it does, by default to say so. What hangs at the end gets a last moment on ``ending``."""
    from noria.serve.grpc import serving_grpc  # noqa: PLC0415  # two seconds, in which a signal may come
    from noria.serve.run import LastResort, serving  # noqa: PLC0415

    last_resort = ending.enter_context(contextlib.closing(LastResort()))
    access = access_to(workspace, settings)
    async with (
        serving_grpc(workspace, access) as grpc_port,
        serving(workspace, bound, access) as (running, ended),
        contextlib.AsyncExitStack() as stack,
    ):
        workspace.announce(running.url)
        spare_collector()
        stack.enter_context(reloading_on_hangup(workspace))
        if began is None:
            say_ready(running.url, running.login_link)
        else:
            began(running)
        if grpc_port is not None:
            click.echo(f"OTLP over gRPC is taken at {settings.host}:{grpc_port}")
        with contextlib.suppress(asyncio.CancelledError):  # Ctrl-C and SIGTERM are how a server ends
            await asyncio.shield(ended)
        last_resort.begin()


def access_to(workspace: Workspace, settings: Settings) -> Access:
    """Who may come in, under the names that the settings allow."""
    from noria.serve.access import Access, is_loopback  # noqa: PLC0415  # see above

    names = settings.allowed_hosts
    names = names if is_loopback(settings.host) else (*names, settings.host)
    return Access(workspace.key, names, shared=workspace.shared, find=workspace.keyring.find)


def say_ready(url: str, login_link: str) -> None:
    """The one line."""
    click.echo(f"Noria is ready at {url}  (log in: {login_link})")


def spare_collector() -> None:
    """Leave what the start made to itself: looking through it for garbage takes time of every call."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 10, 10)


@contextlib.contextmanager
def reloading_on_hangup(workspace: Workspace) -> Iterator[None]:
    """Read the configuration again on SIGHUP, as servers do; what is wrong with it is in the log."""
    if sys.platform == "win32":
        yield
        return
    loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()

    async def reload() -> None:
        with contextlib.suppress(InvalidInput):  # logged where it was found
            await workspace.configuration.reload()

    def begin() -> None:
        task = asyncio.create_task(reload())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    loop.add_signal_handler(signal.SIGHUP, begin)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


async def bind_for(settings: Settings) -> socket.socket:
    """Take the port; where a server of this folder was killed that had it, as soon as its workers have let go of it.

    Raises:
        Conflict: somebody has it, as it tells this very folder's server.
        InvalidInput: the address is not this machine's, or not allowed.
    """
    from noria.assemble.workers.holder import holder_of, killed_holder_of  # noqa: PLC0415  # see above
    from noria.serve.port import bind  # noqa: PLC0415

    deadline = time.monotonic() + LET_GO_S
    said = False
    while True:
        try:
            return bind(settings.host, settings.port)
        except Conflict as error:
            if (holder := holder_of(settings.folder)) is not None and holder.url:
                raise Conflict(
                    f"The data folder {settings.folder} is served already, by {holder}.",
                    kept="Nothing was changed.",
                    hint="Open it with `noria login`, or stop it first.",
                ) from error
            killed = killed_holder_of(settings.folder)
            if killed is None or time.monotonic() > deadline or not _at(killed.url, settings.port):
                raise
        if not said:
            said = True
            click.echo(
                f"Port {settings.port} is in use. Waiting for what is left of {killed}, which was killed.", err=True
            )
        await asyncio.sleep(0.02)


def _at(url: str | None, port: int) -> bool:
    """Whether it may have had this port: it says where it answers only when all its workers do."""
    return url is None or urlsplit(url).port == port
