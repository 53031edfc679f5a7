"""``noria scores``: list, and add one by hand."""

from __future__ import annotations

import re

import click
import msgspec

from noria.cli.api import Api, part
from noria.cli.command import Console, Show, with_api
from noria.cli.groups import examples, group
from noria.cli.tables import table, when
from noria.core.scores import GivenScore, Score, Value
from noria.serve.shapes import KeptScores, Trace

SOURCES = click.Choice(["code", "model", "human"])


@group()
def scores() -> None:
    """Scores are judgements on spans: by code, a model, or a human."""


@scores.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Most scores.")
@click.option("--scorer", help="Only scores of this name.")
@click.option("--source", type=SOURCES, help="Only scores of this source.")
@click.option("--trace", "trace_id", help="Only scores on this trace, by its whole id.")
@with_api(reads_only=True)
async def list_scores(
    api: Api, show: Show, limit: int, scorer: str | None, source: str | None, trace_id: str | None
) -> None:
    """List the latest scores."""
    found = await api.get("/api/scores", list[Score], limit=limit, scorer=scorer, source=source, trace_id=trace_id)

    def draw(console: Console) -> None:
        if not found:
            console.print("No scores yet. Add one: noria scores add TRACE helpful true")
            return
        rows = [
            (when(one.time_ns), one.trace_id[:12], one.scorer, _shown(one.value), one.source, one.reason)
            for one in found
        ]
        headers = ("time", "trace", "scorer", "value", "by", "reason")
        console.print(table(*headers, rows=rows, prose=["reason"], spare=["time"], hide_empty=["reason"]))

    show(found, draw)


@scores.command(epilog=examples("noria scores add 4bf92f35 helpful true --reason 'the user said so'"))
@click.argument("trace_id")
@click.argument("name")
@click.argument("value")
@click.option("--span", "span_id", default="", help="The judged span, by its whole id; by default the trace's root.")
@click.option("--reason", default="", help="Why.")
@click.option("--source", type=SOURCES, default="human", show_default=True, help="Who judged.")
@with_api()
async def add(
    api: Api, show: Show, trace_id: str, name: str, value: str, span_id: str, reason: str, source: str
) -> None:
    """Judge a trace, by its id or the beginning of it: true, false, a number, or a category."""
    found = await api.get(f"/api/traces/{part(trace_id)}", Trace)
    fields = {"name": name, "value": _read(value), "trace_id": found.trace_id, "span_id": span_id, "reason": reason}
    given = msgspec.convert({**fields, "source": source}, GivenScore)
    kept = await api.post("/api/scores", KeptScores, given)
    show(kept, lambda console: console.print(f"{name} = {_shown(given.value)} on trace {found.trace_id[:12]}"))


def _read(text: str) -> Value:
    """What was typed: a JSON boolean or number, else a category."""
    if text in {"true", "false"}:
        return text == "true"
    if re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        return int(text)
    return float(text) if re.fullmatch(r"[+-]?[0-9]{1,18}\.[0-9]{1,18}", text) else text


def _shown(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
