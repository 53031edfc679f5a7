"""One of the workers of ``noria serve --workers``: a program of its own, which nobody starts by hand.

python -P -m noria.cli.worker '{"post": {...}, "host": ..., "port": ...}'
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from noria.cli.command import run
from noria.cli.up import fast_loop, serve_until_stopped
from noria.core.struct import Noun
from noria.serve.workers import Post
from noria.settings import load_settings


class Orders(Noun):
    """All that a worker is told; the rest it reads from the environment and the file, as its parent did."""

    post: Post
    """Where it stands."""
    host: str | None = None
    """``--host``, as given."""
    port: int | None = None
    """``--port``, as given."""


class Ready(Noun):
    """What a worker says when it accepts calls."""

    url: str
    """Where the server answers."""
    login_link: str
    """For a browser."""


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
        from noria.assemble import open_shared_workspace  # noqa: PLC0415  # two seconds, in which a signal may come
        from noria.cli.logs import configure_logging  # noqa: PLC0415

        with _ending_with_parent(post.lifeline):
            given = {"host": orders.host, "port": orders.port}
            read = partial(load_settings, os.environ, Path.cwd(), given)
            settings = read()
            configure_logging(settings.log_level, worker=post.number)
            with contextlib.closing(socket.socket(fileno=post.listening)) as bound:
                async with open_shared_workspace(settings, os.environ, read_again=read) as workspace:
                    await serve_until_stopped(workspace, settings, bound, ending, partial(_tell, post.ready))
        return 0

    with ending:
        run(serve, new_loop=fast_loop)


def _tell(descriptor: int, url: str, login_link: str) -> None:
    os.write(descriptor, msgspec.json.encode(Ready(url=url, login_link=login_link)))
    os.close(descriptor)


@contextlib.contextmanager
def _ending_with_parent(lifeline: int) -> Iterator[None]:
    """Stop when the parent is gone, as if it had said so; at once if it had said so already."""
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_reader(lifeline)
        os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(lifeline, stop)
    try:
        yield
    finally:
        loop.remove_reader(lifeline)


if __name__ == "__main__":
    work(msgspec.json.decode(sys.argv[1], type=Orders))
