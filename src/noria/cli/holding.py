"""``noria up --workers``: the process that holds the data folder, and starts those that answer calls beside it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from noria.cli.answering import access_to, bind_for, fast_loop, reloading_on_hangup, say_ready, spare_collector
from noria.cli.command import run
from noria.cli.configuration import configuration
from noria.core.errors import InvalidInput
from noria.settings import Settings

if TYPE_CHECKING:
    from noria.assemble import Workspace


def up_with_workers(given: Mapping[str, Any], count: int) -> NoReturn:
    """Hold the folder, keep ``count`` workers running, and stop them before the folder is closed.

    The holder answers on a Unix socket: everything that is no call of the gateway, for whoever asked a worker.
    """
    ending = contextlib.ExitStack()

    async def work() -> int:
        from noria.assemble import open_workspace  # noqa: PLC0415  # two seconds, in which a signal may come
        from noria.cli.logs import configure_logging  # noqa: PLC0415

        if sys.platform == "win32":
            raise InvalidInput("Windows can't share a port among workers.", hint="Start `noria up` without --workers.")
        read = partial(configuration, **given)
        settings = read()
        configure_logging(settings.log_level)
        if settings.traces.startswith("chdb:"):
            raise InvalidInput(
                "Workers can't share ClickHouse's engine in one process (NORIA_TRACES).",
                kept="Nothing was started.",
                hint="Leave it out, for DuckDB, or name a ClickHouse server.",
            )
        with contextlib.closing(await bind_for(settings)) as bound:
            async with open_workspace(settings, os.environ, holder="noria up", read_again=read) as workspace:
                return await _hold(workspace, settings, bound, given, count, ending)

    with ending:
        run(work, new_loop=fast_loop)
    raise AssertionError  # run exits


def _listen(inside: socket.socket, path: Path) -> None:
    try:
        inside.bind(str(path))
    except OSError as error:  # a socket's path has 100 bytes or so
        raise InvalidInput(
            f"Workers can't be reached through {path}: {error}.",
            kept="Nothing was started.",
            hint="Set TMPDIR to a folder with a short name.",
        ) from error
    inside.listen()


async def _hold(
    workspace: Workspace,
    settings: Settings,
    bound: socket.socket,
    given: Mapping[str, Any],
    count: int,
    ending: contextlib.ExitStack,
) -> int:
    from noria.assemble.workers.holding import Holding, telling_changes  # noqa: PLC0415  # see above
    from noria.assemble.workers.own_folder import own_folder  # noqa: PLC0415
    from noria.assemble.workers.sharing import Sharing, leave_out, share  # noqa: PLC0415
    from noria.cli.worker import Orders, command  # noqa: PLC0415
    from noria.serve.for_workers import ForWorkers  # noqa: PLC0415
    from noria.serve.grpc import serving_grpc  # noqa: PLC0415
    from noria.serve.run import LastResort, serving_application, url_of  # noqa: PLC0415
    from noria.serve.workers import Post, Workers  # noqa: PLC0415

    last_resort = ending.enter_context(contextlib.closing(LastResort()))
    access = access_to(workspace, settings)
    async with contextlib.AsyncExitStack() as stack:
        place, lock = stack.enter_context(own_folder("up"))
        (place / "shared").mkdir()
        sharing = Sharing(folder=str(place / "shared"), processes=count + 1)
        share(workspace, sharing)
        stack.enter_context(telling_changes(workspace.catalogue, place / "page"))
        inside = stack.enter_context(contextlib.closing(socket.socket(socket.AF_UNIX)))
        _listen(inside, place / "socket")
        grpc_port = await stack.enter_async_context(serving_grpc(workspace, access))
        serving = serving_application(ForWorkers(workspace, access), inside, access, url_of(bound))
        running, ended = await stack.enter_async_context(serving)

        def orders(post: Post) -> tuple[str, ...]:
            holding = Holding(socket=str(place / "socket"), page=str(place / "page"), worker=post.number)
            return command(Orders(post=post, sharing=sharing.by(post.number), holding=holding, **given))

        def say(_line: str) -> None:
            workspace.announce(running.url)
            say_ready(running.url, running.login_link)
            if grpc_port is not None:
                click.echo(f"OTLP over gRPC is taken at {settings.host}:{grpc_port}")

        workers = Workers(
            orders, count, bound, os.environ, on_ready=say, on_end=partial(leave_out, sharing), kept_open=[lock]
        )
        workspace.configuration.done = lambda: workers.tell(signal.SIGHUP)
        stack.enter_context(reloading_on_hangup(workspace))
        spare_collector()
        keeping = asyncio.create_task(workers.run(), name="noria-workers")
        with contextlib.suppress(asyncio.CancelledError):  # Ctrl-C and SIGTERM are how a server ends
            await asyncio.wait({keeping, ended}, return_when=asyncio.FIRST_COMPLETED)
        keeping.cancel()  # before the holder: what they have in hand may be waiting for it
        status = await keeping
        last_resort.begin()
        return status
