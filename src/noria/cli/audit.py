"""``noria audit``: who changed what, and whether the log itself is whole."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from noria.cli.api import Api
from noria.cli.command import Console, Show, need_folder, with_api
from noria.cli.groups import examples, group
from noria.cli.tables import short_id, table, when
from noria.core.audit import AuditEntry, AuditReport


@group()
def audit() -> None:
    """Every change of prompts, releases, keys and settings, in a chain of hashes that shows a change of the log."""


@audit.command("list", epilog=examples("noria audit list --action release.", "noria audit list --subject triage"))
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Most entries to show.")
@click.option("--before", type=click.IntRange(1), help="Only entries before this number, to go on with.")
@click.option("--action", help="Only this action; with a dot at its end all that begin so, such as release. or user.")
@click.option("--subject", help="Only what was done to this prompt, app, model ... (its name or id).")
@with_api(reads_only=True)
async def list_entries(
    api: Api, show: Show, limit: int, before: int | None, action: str | None, subject: str | None
) -> None:
    """List changes, newest first."""
    query = {"limit": limit, "before": before, "action": action, "subject": subject}
    found = await api.get("/api/audit", list[AuditEntry], **query)

    def draw(console: Console) -> None:
        if not found:
            console.print("No such entries.")
            return
        rows = [
            (entry.seq, when(entry.time_ns), entry.actor, entry.action, short_id(entry.subject), _told(entry.details))
            for entry in found
        ]
        names = ("no.", "when", "who", "what", "of", "details")
        console.print(table(*names, rows=rows, right=["no."], prose=["details", "who"], spare=["details"]))
        if len(found) == limit and found[-1].seq > 1:
            console.print(f"Earlier ones: --before {found[-1].seq}")

    show(found, draw)


@audit.command(epilog=examples("noria audit verify", "noria audit verify --head 9f86d081884c7d65"))
@click.option("--head", help="A hash that an earlier check printed: the log must still hold it.")
@with_api(reads_only=True)
async def verify(api: Api, show: Show, head: str | None) -> int:
    """Check that no entry was changed, removed or put in; exit code 1 where one was.

    A log that lost its newest entries is a whole chain, only shorter. To see that too, keep the hash that this
    prints somewhere else, and give it with --head the next time.
    """
    need_folder(api)
    report = await api.get("/api/audit/verify", AuditReport, head=head)

    def draw(console: Console) -> None:
        if report.whole:
            console.print(f"The audit log is whole: {report.entries} entries. Its head, to keep elsewhere:")
            console.print(report.head)
        else:
            console.print(f"The audit log is NOT whole. {report.problem}")
            console.print(f"{report.entries} entries before that are as they were written.")

    show(report, draw)
    return 0 if report.whole else 1


def _told(details: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {value if isinstance(value, str) else msgspec.json.encode(value).decode()}"
        for name, value in details.items()
    )
