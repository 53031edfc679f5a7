"""``noria secrets``: keys of providers, encrypted at rest."""

from __future__ import annotations

import sys

import click

from noria.cli.api import Api, part
from noria.cli.command import Console, Show, with_api
from noria.cli.groups import examples, group
from noria.cli.tables import table, when
from noria.core.secrets import StoredSecret
from noria.serve.shapes import PutSecret


@group()
def secrets() -> None:
    """Keys of providers, encrypted with NORIA_SECRETS_KEY; each goes to one base URL only."""


@secrets.command("set", epilog=examples("noria secrets set openai", "pass show openai | noria secrets set openai"))
@click.argument("provider")
@with_api()
async def set_secret(api: Api, show: Show, provider: str) -> None:
    """Store a provider's key, which is read from standard input or asked for."""
    asked = (
        click.prompt(f"Key of {provider}", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    )
    made = await api.put("/api/secrets", StoredSecret, PutSecret(provider=provider, key=asked.strip()))
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
