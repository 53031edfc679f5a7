"""``noria keys``: who may call what."""

from __future__ import annotations

import time
from typing import Any, cast, get_args

import click

from noria.assemble.keys.usage import KeyUsage
from noria.assemble.record.traffic import Bucket
from noria.cli.api import Api, part
from noria.cli.command import Console, Show, with_api
from noria.cli.groups import examples, group
from noria.cli.tables import coloured, dollars, table, tokens, when
from noria.cli.times import duration_s
from noria.core.keys import EVERYTHING, Key, MadeKey, Permission
from noria.serve.shapes import NewKey, RotateKey

_PERMISSIONS = ("gateway", "ingest", "read", "admin")


@group()
def keys() -> None:
    """Virtual keys: each opens some apps, models and routes, for some time. Only their hashes are kept."""


@keys.command(
    epilog=examples(
        "noria keys create support-bot --app support --team care",
        "noria keys create laptop --permission ingest --expires-in 90d",
        "noria keys create research --model 'openai/*' --model local/smollm2-135m --owner ann",
    )
)
@click.argument("name")
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    type=click.Choice(_PERMISSIONS),
    help="What it may do: call (gateway), send traces (ingest), look (read), everything (admin); by default gateway.",
)
@click.option("--app", "apps", multiple=True, help="An app or route that it may call, or a pattern such as support-*.")
@click.option("--model", "models", multiple=True, help="A model that it may call by its own name, such as openai/*.")
@click.option("--team", default="", help="The team that answers for it.")
@click.option("--owner", default="", help="Who holds it.")
@click.option("--expires-in", metavar="DURATION", help="When it ends, such as 90d; by default never.")
@with_api()
async def create(
    api: Api,
    show: Show,
    name: str,
    permissions: tuple[str, ...],
    apps: tuple[str, ...],
    models: tuple[str, ...],
    team: str,
    owner: str,
    expires_in: str | None,
) -> None:
    """Make a key, and print it: this is the only time. Without --app and --model it opens all of them."""
    ends = None if expires_in is None else time.time_ns() + duration_s("--expires-in", expires_in) * 10**9
    asked = NewKey(
        name=name,
        permissions=cast("tuple[Permission, ...]", permissions) or ("gateway",),
        apps=apps or None,
        models=models or None,
        team=team,
        owner=owner,
        expires_ns=ends,
    )
    _show_secret(show, await api.post("/api/keys", MadeKey, asked))


@keys.command("list")
@with_api(reads_only=True)
async def list_keys(api: Api, show: Show) -> None:
    """List keys, newest first."""
    found = await api.get("/api/keys", list[Key])

    def draw(console: Console) -> None:
        if not found:
            console.print("No keys: only the admin key opens anything. Make one: noria keys create NAME")
            return
        rows = [
            (
                key.name, key.id, _state(key), ", ".join(key.permissions), _opens(key), key.team, key.owner,
                when(key.expires_ns) if key.expires_ns else "–", when(key.last_used_ns) if key.last_used_ns else "–",
            )
            for key in found
        ]  # fmt: skip
        heads = ("name", "id", "state", "may", "opens", "team", "owner", "ends", "last used")
        hidden = ("opens", "team", "owner", "ends")
        console.print(table(*heads, rows=rows, prose=["opens"], hide_empty=hidden, spare=["owner", "ends", "opens"]))

    show(found, draw)


@keys.command("show")
@click.argument("key")
@with_api(reads_only=True)
async def show_key(api: Api, show: Show, key: str) -> None:
    """Show a key, by name or id; its secret nobody has."""
    found = await api.get(f"/api/keys/{part(key)}", Key)

    def draw(console: Console) -> None:
        told = [
            ("id", found.id),
            ("may", ", ".join(found.permissions)),
            ("apps and routes", ", ".join(found.apps) or "none"),
            ("models", ", ".join(found.models) or "none"),
            ("team", found.team),
            ("owner", found.owner),
            ("made", f"{when(found.created_ns)} by {found.created_by}"),
            ("rotated", when(found.rotated_ns) if found.rotated_ns else ""),
            ("old secret until", when(found.old_until_ns) if found.old_until_ns else ""),
            ("ends", when(found.expires_ns) if found.expires_ns else ""),
            ("revoked", when(found.revoked_ns) if found.revoked_ns else ""),
            ("last used", when(found.last_used_ns) if found.last_used_ns else "never"),
        ]
        console.print(found.name)
        console.print(table("", " ", rows=[(name, text) for name, text in told if text]))

    show(found, draw)


@keys.command(epilog=examples("noria keys usage --since 30d", "noria keys usage support-bot --since 7d --json"))
@click.argument("key", required=False)
@click.option("--bucket", type=click.Choice(get_args(Bucket)), help="Width of a row in time; a day (UTC) for one key.")
@click.option("--since", metavar="TIME", help="Not before: 2h (ago), 2026-11-25, 2026-11-25T08:00Z.")
@click.option("--until", metavar="TIME", help="Before this time.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Most rows.")
@with_api(reads_only=True)
async def usage(api: Api, show: Show, key: str | None, **given: Any) -> None:
    """Count what keys were used for, from the record: each key in all, or one by day and model.

    Calls that judges of a key's calls and the cache have made are among them, and told as made by Noria.
    """
    path = "/api/keys/usage" if key is None else f"/api/keys/{part(key)}/usage"
    found = await api.get(path, list[KeyUsage], **{name: value for name, value in given.items() if value})

    def draw(console: Console) -> None:
        if not found:
            console.print("No calls with a key there.")
            return
        rows = [
            (
                when(one.time_ns) if one.time_ns else "", one.key or one.key_id, one.model or "", f"{one.calls:,}",
                f"{one.caused:,}" if one.caused else "",
                coloured(f"{one.failed:,}", "red" if one.failed else "dim"), f"{one.refused:,}" if one.refused else "",
                tokens(one.input_tokens), tokens(one.output_tokens), "" if one.cost_usd is None else dollars(one.cost_usd),
            )
            for one in found
        ]  # fmt: skip
        heads = ("from", "key", "model", "calls", "by Noria", "failed", "refused", "tokens in", "tokens out", "cost")
        hidden = ("from", "model", "by Noria", "refused", "cost")
        console.print(table(*heads, rows=rows, right=heads[3:], prose=["model"], hide_empty=hidden))

    show(found, draw)


@keys.command(epilog=examples("noria keys rotate support-bot --overlap 24h"))
@click.argument("key")
@click.option(
    "--overlap", metavar="DURATION", help="How long the old secret works on, such as 24h; by default not at all."
)
@with_api()
async def rotate(api: Api, show: Show, key: str, overlap: str | None) -> None:
    """Give a key a new secret, and print it; what it opens stays."""
    asked = RotateKey(overlap_s=0.0 if overlap is None else duration_s("--overlap", overlap))
    _show_secret(show, await api.post(f"/api/keys/{part(key)}/rotate", MadeKey, asked))


@keys.command()
@click.argument("key")
@with_api()
async def revoke(api: Api, show: Show, key: str) -> None:
    """Let a key open nothing any more, for good."""
    gone = await api.post(f"/api/keys/{part(key)}/revoke", Key)
    show(gone, lambda console: console.print(f"{gone.name} ({gone.id}) opens nothing any more."))


def _show_secret(show: Show, made: MadeKey) -> None:
    def draw(console: Console) -> None:
        show.note(f"Keep it now, it is shown this once. {made.key.name} has: {', '.join(made.key.permissions)}.")
        if made.key.old_until_ns:
            show.note(f"The secret before works until {when(made.key.old_until_ns)}.")
        console.print(made.secret)

    show(made, draw)


def _state(key: Key) -> object:
    if key.revoked_ns is not None:
        return coloured("revoked", "red")
    if key.expires_ns is not None and key.expires_ns <= time.time_ns():
        return coloured("ended", "red")
    return coloured("in force", "green")


def _opens(key: Key) -> str:
    if not key.may("gateway"):
        return ""
    if key.apps == key.models == EVERYTHING:
        return "everything"
    return ", ".join((*key.apps, *key.models))
