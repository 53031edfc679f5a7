"""One of the workers of ``noria serve`` or ``noria up``: a program of its own, which nobody starts by hand.

python -P -m noria.cli.worker '{"post": {...}, "host": ..., "port": ...}'
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Self

import msgspec

from noria.assemble.workers.holding import Holding
from noria.assemble.workers.sharing import Sharing, share
from noria.cli.answering import access_to, fast_loop, reloading_on_hangup, serve_until_stopped, spare_collector
from noria.cli.command import run
from noria.cli.configuration import configuration
from noria.core.struct import Noun
from noria.serve.workers import Post
from noria.settings import Settings

if TYPE_CHECKING:
    from noria.serve.run import Running


class Orders(Noun):
    """All that a worker is told; the rest it reads from the environment and the file, as its parent did."""

    post: Post
    """Where it stands."""
    sharing: Sharing
    """What it shares with the others."""
    host: str | None = None
    """``--host``, as given."""
    port: int | None = None
    """``--port``, as given."""
    data: str | None = None
    """``--data``, as given."""
    holding: Holding | None = None
    """Where the process is that holds the data folder; None on shared stores, which nobody holds."""


class Ready(Noun):
    """What a worker says when it accepts calls."""

    url: str
    """Where the server answers."""
    login_link: str
    """For a browser; empty where another process makes them."""


def command(orders: Orders) -> tuple[str, ...]:
    """The program and its arguments."""
    return (sys.executable, "-P", "-m", "noria.cli.worker", msgspec.json.encode(orders).decode())


def work(orders: Orders) -> None:
    """Serve on the parent's socket until told to stop, or until the parent is gone."""
    post = orders.post
    for descriptor in (post.listening, post.lifeline, post.ready):
        os.set_inheritable(descriptor, False)  # engines that it starts shall not hold the port
    ending = contextlib.ExitStack()

    async def serve() -> int:
        from noria.cli.logs import configure_logging  # noqa: PLC0415  # see below

        with _Parent(post) as parent:
            given = {"host": orders.host, "port": orders.port, "data": orders.data}
            read = partial(configuration, **given)
            settings = read()
            configure_logging(settings.log_level, worker=post.number)
            with contextlib.closing(socket.socket(fileno=post.listening)) as bound:
                if orders.holding is None:
                    await _on_shared_stores(settings, read, bound, ending, parent, orders.sharing)
                else:
                    await _on_a_folder(settings, read, bound, ending, parent, orders.sharing, orders.holding)
        return 0

    with ending:
        run(serve, new_loop=fast_loop)


async def _on_shared_stores(
    settings: Settings,
    read: Callable[[], Settings],
    bound: socket.socket,
    ending: contextlib.ExitStack,
    parent: _Parent,
    sharing: Sharing,
) -> None:
    """Answer everything."""
    from noria.assemble import open_shared_workspace  # noqa: PLC0415  # two seconds, in which a signal may come

    def began(running: Running) -> None:
        parent.tell(running, running.login_link)

    async with open_shared_workspace(settings, os.environ, read_again=read) as workspace:
        share(workspace, sharing)
        await serve_until_stopped(workspace, settings, bound, ending, began)


async def _on_a_folder(
    settings: Settings,
    read: Callable[[], Settings],
    bound: socket.socket,
    ending: contextlib.ExitStack,
    parent: _Parent,
    sharing: Sharing,
    holding: Holding,
) -> None:
    """Answer calls, and pass everything else on to the process that holds the folder."""
    from noria.assemble import open_worker_workspace  # noqa: PLC0415  # see above
    from noria.serve.app import Application  # noqa: PLC0415
    from noria.serve.passing_on import PassingOn  # noqa: PLC0415
    from noria.serve.run import LastResort, serving_application, url_of  # noqa: PLC0415

    last_resort = ending.enter_context(contextlib.closing(LastResort()))
    async with open_worker_workspace(settings, os.environ, holding, read_again=read) as (workspace, link):
        share(workspace, sharing)
        access = access_to(workspace, settings)
        application = Application(workspace, access, elsewhere=PassingOn(link))
        async with serving_application(application, bound, access, url_of(bound)) as (running, ended):
            spare_collector()
            with reloading_on_hangup(workspace):
                parent.tell(running)
                with contextlib.suppress(asyncio.CancelledError):  # SIGTERM is how a worker ends
                    await asyncio.shield(ended)
            last_resort.begin()


class _Parent:
    """The process that started this one. As long as the block lasts, this one stops when that is gone.

    Arguments:
        post: how it is heard and told.
    """

    def __init__(self, post: Post) -> None:
        self._post = post
        self._close_door: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        asyncio.get_running_loop().add_reader(self._post.lifeline, self._gone)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._post.lifeline)

    def tell(self, running: Running, login_link: str = "") -> None:
        """Tell it that calls are accepted here."""
        self._close_door = running.close_door
        os.write(self._post.ready, msgspec.json.encode(Ready(url=running.url, login_link=login_link)))
        os.close(self._post.ready)

    def _gone(self) -> None:
        """Stop as if it had said so; at once if it had said so already. The port is left first, to whoever comes next."""
        self.__exit__()
        self._close_door()
        os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    work(msgspec.json.decode(sys.argv[1], type=Orders))
