"""``noria secrets``: keys of providers, encrypted at rest."""

from __future__ import annotations

import sys

import click

from noria.cli.api import Api, part
from noria.cli.command import Console, Show, interruptible_prompt, with_api
from noria.cli.groups import examples, group
from noria.cli.tables import table, when
from noria.core.errors import InvalidInput
from noria.core.secrets import StoredSecret
from noria.serve.shapes import PutSecret


@group()
def secrets() -> None:
    """Keys of providers, encrypted with NORIA_SECRETS_KEY; each goes to one base URL only."""


@secrets.command("set", epilog=examples("noria secrets set openai", "pass show openai | noria secrets set openai"))
@click.argument("provider")
@with_api()
async def set_secret(api: Api, show: Show, provider: str) -> None:
    """Store a provider's key: asked for at a terminal, unseen as it is typed, else the first line of standard input."""
    if sys.stdin.isatty():
        with interruptible_prompt():
            key = click.prompt(f"Key of {provider}", hide_input=True, err=True)
    else:
        show.note(f"Reading the key of {provider} from standard input, up to the end of a line.")
        key = sys.stdin.readline()
    if not key.strip():
        raise InvalidInput(
            "No key came on standard input.", hint=f"pass show {provider} | noria secrets set {provider}"
        )
    made = await api.put("/api/secrets", StoredSecret, PutSecret(provider=provider, key=key.strip()))
    show(made, lambda console: console.print(f"The key of {made.provider} is stored, for {made.base_url} alone."))


@secrets.command("list")
@with_api(reads_only=True)
async def list_secrets(api: Api, show: Show) -> None:
    """List providers with a stored key."""
    found = await api.get("/api/secrets", list[StoredSecret])

    def draw(console: Console) -> None:
        if not found:
            console.print("No keys are stored.")
            return
        rows = [(one.provider, one.base_url, when(one.stored_ns)) for one in found]
        console.print(table("provider", "only for", "stored", rows=rows))

    show(found, draw)


@secrets.command("remove")
@click.argument("provider")
@with_api()
async def remove_secret(api: Api, show: Show, provider: str) -> None:
    """Delete a provider's stored key."""
    gone = await api.delete(f"/api/secrets/{part(provider)}", StoredSecret)
    show(gone, lambda console: console.print(f"The key of {gone.provider} is deleted."))
