"""``noria intake``: how records from elsewhere came in."""

from __future__ import annotations

import click

from noria.assemble import IntakeProblem
from noria.cli.api import Api
from noria.cli.command import Console, Show, with_api
from noria.cli.groups import group
from noria.cli.tables import coloured, table, when

_COLOURS = {"refused": "red", "repaired": "yellow", "noted": "cyan"}


@group()
def intake() -> None:
    """Records from elsewhere: OpenTelemetry traffic that came in over HTTP or gRPC."""


@intake.command("problems")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Most problems.")
@with_api(reads_only=True)
async def problems(api: Api, show: Show, limit: int) -> None:
    """List records that were refused or repaired since the server started, and why."""
    found = await api.get("/api/intake/problems", list[IntakeProblem], limit=limit)

    def draw(console: Console) -> None:
        if not found:
            console.print("Nothing was wrong since the server started.")
            return
        rows = [
            (
                when(problem.time_ns),
                coloured(problem.severity, _COLOURS[problem.severity]),
                problem.reason,
                problem.service,
                f"{problem.trace_id[:12]} {problem.span_id}".strip(),
                problem.message + (f" ({problem.key})" if problem.key else ""),
            )
            for problem in found
        ]
        headers = ("time", "what", "reason", "service", "trace, span", "why")
        console.print(table(*headers, rows=rows, prose=["why"], spare=["time", "trace, span"]))

    show(found, draw)
