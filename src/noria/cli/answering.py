"""Serving until told to stop, as every command that starts a server does it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from noria.core.errors import Conflict, InvalidInput
from noria.settings import Settings

if TYPE_CHECKING:
    from noria.assemble import Workspace
    from noria.serve.access import Access

MOST_WORKERS = 256
"""More processes than that on one port are a mistake."""
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
    say: Callable[[str, str], None] | None = None,
) -> None:
    """Serve, and ``say`` so with the URL and a login link. What hangs at the end is given a last moment on ``ending``."""
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
        (say or say_ready)(running.url, running.login_link)
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


def bind_for(settings: Settings) -> socket.socket:
    """Take the port. Raises ``Conflict``, which tells when it is this very folder's server that has it."""
    from noria.assemble.workers.holder import holder_of  # noqa: PLC0415  # see above
    from noria.serve.port import bind  # noqa: PLC0415

    try:
        return bind(settings.host, settings.port)
    except Conflict as error:
        holder = holder_of(settings.folder)
        if holder is None or not holder.url:
            raise
        raise Conflict(
            f"The data folder {settings.folder} is served already, by {holder}.",
            kept="Nothing was changed.",
            hint="Open it with `noria login`, or stop it first.",
        ) from error
