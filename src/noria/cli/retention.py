"""``noria retention``: how long records are kept."""

from __future__ import annotations

import click

from noria.cli.api import Api, part
from noria.cli.command import Console, Show, with_api
from noria.cli.groups import examples, group
from noria.cli.tables import megabytes, table
from noria.core.retention import RetentionRule, Tidied
from noria.serve.shapes import RunRetention


@group()
def retention() -> None:
    """How long records are kept, by app and by kind: texts shorter than numbers. Without a rule, for good."""


@retention.command(
    "set",
    epilog=examples("noria retention set triage --texts 30 --spans 365", "noria retention set '*' --texts 14"),
)
@click.argument("app")
@click.option("--texts", "texts_days", type=int, metavar="DAYS", help="Delete messages and other texts after so long.")
@click.option("--spans", "spans_days", type=int, metavar="DAYS", help="Delete whole spans, with scores, after so long.")
@click.option("--experiments", is_flag=True, help="Also spans of experiments, which otherwise stay.")
@with_api()
async def set_rule(
    api: Api, show: Show, app: str, texts_days: int | None, spans_days: int | None, experiments: bool
) -> None:
    """Set how long an app's records are kept; '*' is for all apps without a rule of their own."""
    rule = RetentionRule(app=app, texts_days=texts_days, spans_days=spans_days, experiments=experiments)
    made = await api.put("/api/retention", RetentionRule, rule)
    said = "See what it would delete now: noria retention run --dry-run"
    show(made, lambda console: console.print(f"{app}: texts {_days(texts_days)}, spans {_days(spans_days)}. {said}"))


@retention.command("list")
@with_api(reads_only=True)
async def list_rules(api: Api, show: Show) -> None:
    """List the rules."""
    found = await api.get("/api/retention", list[RetentionRule])

    def draw(console: Console) -> None:
        if not found:
            console.print("No rules: everything is kept. Set one: noria retention set '*' --texts 30")
            return
        rows = [
            (rule.app, _days(rule.texts_days), _days(rule.spans_days), "too" if rule.experiments else "stay")
            for rule in found
        ]
        console.print(table("app", "texts", "spans", "experiments", rows=rows, right=["texts", "spans"]))

    show(found, draw)


@retention.command()
@click.argument("app")
@with_api()
async def remove(api: Api, show: Show, app: str) -> None:
    """Forget an app's rule; what it has deleted does not come back."""
    rule = await api.delete(f"/api/retention/{part(app)}", RetentionRule)
    show(rule, lambda console: console.print(f"{rule.app} has no rule of its own any more."))


@retention.command()
@click.option("--dry-run", is_flag=True, help="Delete nothing; tell what would be deleted.")
@with_api(reads_only="dry_run")
async def run(api: Api, show: Show, dry_run: bool) -> None:
    """Apply the rules now. A running server does this every hour."""
    done = await api.post("/api/retention/run", Tidied, RunRetention(dry_run=dry_run))

    def draw(console: Console) -> None:
        if not done.rules:
            console.print("No rules: everything is kept. Set one: noria retention set '*' --texts 30")
            return
        rows = [(one.rule.app, f"{one.stripped:,}", f"{one.deleted:,}") for one in done.rules]
        heads = ("app", "lose texts", "are deleted") if dry_run else ("app", "lost texts", "deleted")
        console.print(table(*heads, rows=rows, right=heads[1:]))
        if done.blobs:
            console.print(f"{done.blobs} large contents that nothing mentions: {megabytes(done.blob_bytes)} freed.")
        if dry_run:
            console.print("Nothing was changed.")

    show(done, draw)


def _days(days: int | None) -> str:
    return "for good" if days is None else f"{days} days"
