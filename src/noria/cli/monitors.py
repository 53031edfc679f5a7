"""``noria monitors``: attach, list, detach, and what they found."""

from __future__ import annotations

import click
import msgspec

from noria.cli.api import Api, part
from noria.cli.command import Console, Show, with_api
from noria.cli.groups import examples, group
from noria.cli.tables import number, table, when
from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput
from noria.core.monitors import Monitor, MonitorFailures
from noria.core.questions import Aggregate, Filter, Question, Table
from noria.core.scores import ScorerSpec
from noria.serve.shapes import AttachMonitor


@group()
def monitors() -> None:
    """A monitor is a scorer on an app's live calls, through the gateway or over OTLP."""


@monitors.command(
    epilog=examples(
        'noria monitors attach triage one_of --options \'{"labels": ["yes", "no"]}\'',
        "noria monitors attach triage latency --rate 0.1",
    )
)
@click.argument("app")
@click.argument("kind")
@click.option("--name", help="Name of the monitor; by default APP-KIND.")
@click.option("--options", default="{}", help="The scorer's options as JSON.")
@click.option(
    "--rate",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Part of the calls that is scored, 0 to 1.",
)
@with_api()
async def attach(api: Api, show: Show, app: str, kind: str, name: str | None, options: str, rate: float) -> None:
    """Attach a scorer to an app's calls; `noria scorers` lists the kinds."""
    try:
        given = msgspec.json.decode(options, type=dict[str, object])
    except UNREADABLE as error:
        raise InvalidInput(f"--options: {error}.") from error
    spec = ScorerSpec(kind=kind, name=name or kind, options=given)
    body = AttachMonitor(name=name or f"{app}-{kind}", app=app, scorer=spec, rate=rate)
    monitor = await api.post("/api/monitors", Monitor, body)
    show(monitor, lambda console: console.print(f"{monitor.name} watches {app}. What it found: noria monitors list"))


@monitors.command("list")
@with_api(reads_only=True)
async def list_monitors(api: Api, show: Show) -> None:
    """List monitors and what they found so far."""
    found = await api.get("/api/monitors", list[Monitor])
    judged = await findings(api)
    failures = {one.name: one for one in await api.get("/api/monitors/failures", list[MonitorFailures])}

    def draw(console: Console) -> None:
        if not found:
            console.print("No monitors yet. Attach one: noria monitors attach APP KIND")
            return
        rows = [
            (
                m.name,
                m.app,
                m.scorer.kind,
                f"{m.rate:.0%}",
                *judged.get(m.name, ("0", "–")),
                _failed(failures.get(m.name)),
            )
            for m in found
        ]
        right = ["judged", "mean"]
        console.print(table("name", "app", "scorer", "rate", "judged", "mean", "failed", rows=rows, right=right))

    records = [{"monitor": m, "findings": judged.get(m.name), "failures": failures.get(m.name)} for m in found]
    show(records, draw)


@monitors.command()
@click.argument("name")
@with_api()
async def detach(api: Api, show: Show, name: str) -> None:
    """Detach a monitor; its scores stay."""
    monitor = await api.delete(f"/api/monitors/{part(name)}", Monitor)
    show(monitor, lambda console: console.print(f"{monitor.name} is detached; its scores stay."))


def _failed(found: MonitorFailures | None) -> str:
    return "" if found is None else f"{found.count}, last {when(found.time_ns)}: {found.code}"


async def findings(api: Api) -> dict[str, tuple[str, str]]:
    """Scores and mean of each monitor that judged something; the mean of a category is none."""
    question = Question(
        source="scores",
        where=(Filter(column="monitor", op="is not null"),),
        group_by=("monitor",),
        measures=(Aggregate(measure="count"), Aggregate(measure="mean", column="value")),
    )
    answered = await api.post("/api/traces/query", Table, question)
    return {
        row["monitor"]: (str(row["count"]), "–" if row["mean_value"] is None else number(row["mean_value"]))
        for row in answered.records()
    }
