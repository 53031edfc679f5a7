"""``noria migrate-store``: traces from one store to another."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from noria.cli.command import Console, Show, run
from noria.cli.groups import examples
from noria.settings import load_settings

if TYPE_CHECKING:
    from noria.assemble.record.moving import Tell


@click.command(
    "migrate-store",
    epilog=examples(
        "noria migrate-store .noria clickhouse://noria@traces:8123/noria",
        "noria migrate-store clickhouse://noria@traces:8123/noria /srv/noria",
    ),
)
@click.argument("source")
@click.argument("target")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def migrate_store(source: str, target: str, as_json: bool) -> None:
    """Copy all traces from SOURCE into TARGET, each a data folder or the URL of a ClickHouse database.

    Stop the servers that write to them first. After Ctrl-C or a crash the same command goes on where it was. At the end
    counts and checksums of every day are compared. The source stays as it is.
    """

    async def work() -> int:
        from noria.assemble.record.moving import move  # noqa: PLC0415  # after the arguments were checked
        from noria.cli.logs import configure_logging  # noqa: PLC0415

        configure_logging("warning")
        show = Show(as_json=as_json)
        settings = load_settings(os.environ, Path.cwd())
        with _progress(show) as tell:
            moved = await move(source, target, settings, os.environ, tell)

        def draw(console: Console) -> None:
            console.print(
                f"{moved.spans:,} spans and {moved.scores:,} scores of {len(moved.days)} days are in {moved.target}, "
                "the same as in the source."
            )
            console.print("Set NORIA_TRACES to the new store, and start the servers again.")

        show(moved, draw)
        return 0

    run(work, as_json=as_json)


@contextlib.contextmanager
def _progress(show: Show) -> Iterator[Tell]:
    """A bar for people, on standard error."""
    if show.as_json or not sys.stderr.isatty():
        yield lambda _what, _done, _total: None
        return
    from rich.console import Console as Terminal  # noqa: PLC0415  # `--json` need not pay
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    shown = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*shown, console=Terminal(stderr=True), transient=True) as progress:
        task = progress.add_task("copying")
        yield lambda what, done, total: progress.update(task, description=what, completed=done, total=max(done, total))
