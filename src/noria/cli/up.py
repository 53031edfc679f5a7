"""``noria up``: the server."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from noria.cli.command import run
from noria.settings import load_settings


@click.command()
@click.option("--host", help="Address to listen on (NORIA_HOST; by default 127.0.0.1).")
@click.option("--port", type=int, help="Port to listen on (NORIA_PORT; by default 7700).")
@click.option("--data", metavar="DIR", help="Data folder (NORIA_DATA; by default .noria).")
def up(host: str | None, port: int | None, data: str | None) -> None:
    """Start the server, and say so in one line when it is ready."""

    async def work() -> int:
        from noria.assemble import open_workspace  # noqa: PLC0415  # after the arguments were checked
        from noria.serve.access import Access, is_loopback  # noqa: PLC0415
        from noria.serve.run import bind, serving  # noqa: PLC0415

        settings = load_settings(os.environ, Path.cwd(), {"host": host, "port": port, "data": data})
        async with open_workspace(settings, os.environ, holder="noria up") as workspace:
            bound = bind(settings.host, settings.port)
            names = settings.allowed_hosts if is_loopback(settings.host) else (*settings.allowed_hosts, settings.host)
            async with serving(workspace, bound, Access(workspace.key, names)) as (running, ended):
                workspace.announce(running.url)
                click.echo(f"Noria is ready at {running.url}  (log in: {running.login_link})")
                await asyncio.shield(ended)
        return 0

    run(work)
