"""``noria login``: a link for the browser."""

from __future__ import annotations

import click

from noria.cli.api import Api
from noria.cli.command import Show, with_api
from noria.core.errors import InvalidInput
from noria.serve.shapes import LoginToken


@click.command()
@with_api(reads_only=True)
async def login(api: Api, show: Show) -> None:
    """Print a link that logs a browser in, once. It needs a running server: noria up."""
    if not api.server_url:
        raise InvalidInput("No server runs on this data folder.", hint="Start it: noria up")
    made = await api.post("/api/login-tokens", LoginToken)
    link = f"{api.server_url}/login?token={made.token}"
    show({"link": link}, lambda _: click.echo(link))
