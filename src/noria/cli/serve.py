"""``noria serve``: one of several servers on shared stores."""

from __future__ import annotations

import contextlib
import os
from functools import partial
from pathlib import Path

import click

from noria.cli.command import run
from noria.cli.groups import examples
from noria.cli.up import fast_loop, serve_until_stopped
from noria.settings import load_settings


@click.command(epilog=examples("noria serve", "noria serve --host 0.0.0.0 --port 7700"))
@click.option("--host", help="Address to listen on (NORIA_HOST; by default 127.0.0.1).")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on, 0 for a free one (NORIA_PORT; by default 7700)."
)
def serve(host: str | None, port: int | None) -> None:
    """Start one of several servers that keep nothing themselves.

    The catalogue is in PostgreSQL, traces are in ClickHouse, blobs in S3, as the settings say (docs/scale.md), and
    NORIA_API_KEY is the admin key of all. Any of them can be stopped, killed or added at any time.
    """
    ending = contextlib.ExitStack()

    async def work() -> int:
        from noria.assemble import open_shared_workspace  # noqa: PLC0415  # after the arguments were checked
        from noria.cli.logs import configure_logging  # noqa: PLC0415
        from noria.serve.run import bind  # noqa: PLC0415

        read = partial(load_settings, os.environ, Path.cwd(), {"host": host, "port": port})
        settings = read()
        configure_logging(settings.log_level)
        with contextlib.closing(bind(settings.host, settings.port)) as bound:
            async with open_shared_workspace(settings, os.environ, read_again=read) as workspace:
                await serve_until_stopped(workspace, settings, bound, ending)
        return 0

    with ending:
        run(work, new_loop=fast_loop)
