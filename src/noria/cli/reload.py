"""``noria reload``: the running server reads its configuration again."""

from __future__ import annotations

import click

from noria.cli.api import Api
from noria.cli.command import Show, with_api
from noria.cli.terminal import Console
from noria.core.errors import InvalidInput
from noria.core.reloads import Reloaded


@click.command()
@with_api(reads_only=True, remarks=False)
async def reload(api: Api, show: Show) -> None:
    """Have the running server read its configuration again: providers, prices, routes and guards change without a lost call.

    A file that is wrong changes nothing, and is told. SIGHUP to the server does the same; of several servers on shared
    stores each is told by itself.
    """
    if not api.server_url:
        raise InvalidInput("No server runs on this data folder.", hint="Start it: noria up")
    done = await api.post("/api/server/reload", Reloaded)

    def draw(console: Console) -> None:
        console.print(f"In force now: {', '.join(done.changed)}." if done.changed else "Nothing has changed.")
        if done.needs_restart:
            console.print(f"From the next start on: {', '.join(done.needs_restart)}.")
        show.note(
            "Keys of providers in files, and stored ones, were read anew; variables of the environment are those that the "
            "server was started with."
        )

    show(done, draw)
