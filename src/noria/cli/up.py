"""``noria up``: the server."""

from __future__ import annotations

import contextlib
import os
from functools import partial

import click

from noria.cli.answering import MOST_WORKERS, bind_for, fast_loop, serve_until_stopped
from noria.cli.command import run
from noria.cli.configuration import configuration
from noria.cli.groups import examples


@click.command(epilog=examples("noria up", "noria up --port 0 --data /srv/noria", "noria up --workers 4"))
@click.option("--host", help="Address to listen on (NORIA_HOST; by default 127.0.0.1).")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on, 0 for a free one (NORIA_PORT; by default 7700)."
)
@click.option("--data", metavar="DIR", help="Data folder (NORIA_DATA; by default .noria).")
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    default=1,
    help="Processes that answer the gateway's calls; from 2 on beside the one that holds the folder (by default 1).",
)
def up(host: str | None, port: int | None, data: str | None, workers: int) -> None:
    """Start the server, and say so in one line when it is ready. Ctrl-C stops it, a second one at once."""
    if workers > 1:
        from noria.cli.holding import up_with_workers  # noqa: PLC0415  # after the arguments were checked

        up_with_workers({"host": host, "port": port, "data": data}, workers)
    ending = contextlib.ExitStack()

    async def work() -> int:
        from noria.assemble import open_workspace  # noqa: PLC0415  # after the arguments were checked
        from noria.cli.logs import configure_logging  # noqa: PLC0415

        read = partial(configuration, host=host, port=port, data=data)
        settings = read()
        configure_logging(settings.log_level)
        with contextlib.closing(
            await bind_for(settings)
        ) as bound:  # before the folder: a taken port leaves nothing behind
            async with open_workspace(settings, os.environ, holder="noria up", read_again=read) as workspace:
                await serve_until_stopped(workspace, settings, bound, ending)
        return 0

    with ending:
        run(work, new_loop=fast_loop)
