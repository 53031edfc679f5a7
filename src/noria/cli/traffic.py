"""``noria traces stats``: model calls by time and model, in numbers and bars."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, get_args

import click

from noria.assemble.record.traffic import Bucket, By, Traffic
from noria.cli.api import Api
from noria.cli.command import Console, Show, with_api
from noria.cli.groups import examples
from noria.cli.narrowing import narrowed, narrowing
from noria.cli.tables import Table, coloured, dollars, seconds, table

_BAR = 16
"""Widest bar, characters."""
_FORMS: dict[Bucket, str] = {"minute": "%Y-%m-%d %H:%M", "hour": "%Y-%m-%d %H:00", "day": "%Y-%m-%d"}


@click.command(
    "stats",
    epilog=examples(
        "noria traces stats --since 24h",
        "noria traces stats --bucket day --by app --since 30d",
        "noria traces stats --bucket all --where 'attributes.tier=gold'",
    ),
)
@click.option(
    "--bucket",
    type=click.Choice(get_args(Bucket)),
    default="hour",
    show_default=True,
    help="Width of a row in time (days are UTC's).",
)
@click.option(
    "--by", type=click.Choice(get_args(By)), default="model", show_default=True, help="What else makes a row."
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=40, show_default=True, help="Most rows.")
@narrowing
@with_api(reads_only=True)
async def stats(api: Api, show: Show, bucket: Bucket, by: By, limit: int, **given: Any) -> None:
    """Count model calls by time and model: errors, percentiles, tokens, cost; the newest first."""
    found = await api.get("/api/traces/stats", list[Traffic], bucket=bucket, by=by, limit=limit, **narrowed(given))

    def draw(console: Console) -> None:
        if not found:
            console.print("No model calls there." if any(given.values()) else "No model calls yet.")
            return
        console.print(_table(found, bucket, by))
        if found[0].error:
            console.print(f"Percentiles are within {found[0].error:.1%}; --json names them all.")

    show(found, draw)


def _table(found: list[Traffic], bucket: Bucket, by: By) -> Table:
    busiest = max(one.calls for one in found)
    rows = [
        (
            _time(one.time_ns, bucket),
            one.group or "–",
            f"{one.calls:,}",
            "━" * max(1, round(_BAR * one.calls / busiest)),
            coloured(f"{one.failed / one.calls:.1%}", "red" if one.failed else "dim"),
            seconds(one.ttft_p50_s),
            seconds(one.ttft_p95_s),
            seconds(one.duration_p50_s),
            seconds(one.duration_p95_s),
            "" if one.output_tokens is None else f"{one.output_tokens:,}",
            "" if one.cost_usd is None else dollars(one.cost_usd),
        )
        for one in found
    ]
    headers = ("time", by, "calls", "", "errors", "TTFT\np50", "\np95", "latency\np50", " \np95", "tokens\nout", "cost")
    return table(
        *headers,
        rows=rows,
        right=[name for name in headers[2:] if name],
        prose=[by],
        spare=("tokens\nout", "", "\np95"),
        hide_empty=("time", "TTFT\np50", "\np95", "tokens\nout", "cost"),
    )


def _time(ns: int | None, bucket: Bucket) -> str:
    if ns is None:
        return ""
    moment = datetime.fromtimestamp(ns / 1e9).astimezone()
    if bucket == "day":  # a day of UTC, which elsewhere begins at another hour
        return datetime.fromtimestamp(ns / 1e9, tz=UTC).strftime(_FORMS[bucket])
    return moment.strftime(_FORMS[bucket])
