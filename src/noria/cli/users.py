"""``noria users``: the end users whom records name, and their right to be forgotten."""

from __future__ import annotations

import click

from noria.cli.api import Api
from noria.cli.command import Console, Show, confirm, with_api
from noria.cli.groups import examples, group
from noria.cli.sessions import list_users
from noria.cli.tables import megabytes, short_id, table, when
from noria.core.erasures import Erased, Erasure, Receipt, is_about
from noria.core.errors import InvalidInput
from noria.serve.shapes import EraseUser


@group()
def users() -> None:
    """The end users whom the records name."""


users.add_command(list_users)


@users.command(epilog=examples("noria users erase ann@example.com", "noria users erase u-17 --yes --json"))
@click.argument("user")
@click.option("--yes", is_flag=True, help="Delete without asking.")
@with_api()
async def erase(api: Api, show: Show, user: str, yes: bool) -> None:
    """Delete everything on record about a user, for good, and make a receipt.

    That is every span that names the user, traces and sessions in which nobody else is named, scores on them, and
    large contents that nothing else mentions.
    """
    if not yes:
        found = (await api.post("/api/erasures", Erasure, EraseUser(user=user, dry_run=True))).found
        if found.spans:
            _confirm(user, found, show)
    done = await api.post("/api/erasures", Erasure, EraseUser(user=user))

    def draw(console: Console) -> None:
        if done.receipt is None:
            console.print(f"Nothing is on record about {user}.")
            return
        console.print(f"Deleted: {_counts(done.found)}.")
        _draw_rest(console, done.receipt)

    show(done, draw)


@users.command(epilog=examples("noria users receipts", "noria users receipts --user ann@example.com --json"))
@click.option("--user", help="Only receipts about this user; they don't tell the id, but it can be checked.")
@with_api(reads_only=True)
async def receipts(api: Api, show: Show, user: str | None) -> None:
    """List receipts of erasures, newest first."""
    found = await api.get("/api/erasures", list[Receipt])
    mine = [receipt for receipt in found if user is None or is_about(receipt, user)]

    def draw(console: Console) -> None:
        if not mine:
            console.print("No receipts." if user is None else f"No receipt is about {user}.")
            return
        rows = [(short_id(one.id), when(one.time_ns), one.actor, _counts(one.erased), one.audit_seq) for one in mine]
        console.print(table("receipt", "when", "by", "deleted", "audit no.", rows=rows, prose=["deleted"]))
        if user is not None:
            _draw_rest(console, mine[0])

    show(mine, draw)


def _confirm(user: str, found: Erased, show: Show) -> None:
    if show.as_json:
        raise InvalidInput(f"{user} would lose {_counts(found)}.", kept="Nothing was deleted.", hint="Say --yes.")
    confirm(f"{user}: {_counts(found)}. Delete all of it, for good?")


def _draw_rest(console: Console, receipt: Receipt) -> None:
    console.print(f"Receipt {receipt.id}, entry {receipt.audit_seq} of the audit log.")
    for kind, names in receipt.mentions.items():
        console.print(f"Still named in a {kind}, for you to decide: {', '.join(names)}")
    for backup in receipt.backups:
        console.print(f"Still in the backup {backup}.")


def _counts(found: Erased) -> str:
    said = f"{found.spans:,} spans in {found.traces:,} traces and {found.sessions:,} sessions, {found.scores:,} scores"
    return f"{said}, {len(found.blobs)} large contents ({megabytes(found.blob_bytes)})" if found.blobs else said
