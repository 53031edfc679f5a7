"""``noria experiments``: list, show, compare."""

from __future__ import annotations

import click

from noria.cli.api import Api, part
from noria.cli.command import Console, Show, with_api
from noria.cli.groups import group
from noria.cli.results import draw_experiment, draw_sentences
from noria.cli.tables import number, short_id, table, when
from noria.core.errors import InvalidInput
from noria.core.experiments import Experiment


@group()
def experiments() -> None:
    """An experiment is a data set x variants x scorers; `noria eval FILE.yaml` runs one."""


@experiments.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="Most experiments.")
@click.option("--name", help="Only experiments of this name.")
@click.option("--app", help="Only experiments of this app.")
@with_api(reads_only=True)
async def list_experiments(api: Api, show: Show, limit: int, name: str | None, app: str | None) -> None:
    """List experiments, newest first."""
    found = await api.get("/api/experiments", list[Experiment], limit=limit, name=name, app=app)

    def draw(console: Console) -> None:
        if not found:
            console.print("No experiments yet. Run one: noria eval FILE.yaml")
            return
        rows = [
            (short_id(e.id), e.spec.name, e.status, _outcome(e), len(e.spec.variants), when(e.created_ns))
            for e in found
        ]
        console.print(
            table(
                *("id", "name", "status", "first metric", "variants", "started"),
                rows=rows,
                right=["variants"],
                prose=["first metric", "name"],
                spare=["variants", "started"],
            )
        )

    show(found, draw)


@experiments.command("show")
@click.argument("ref")
@with_api(reads_only=True)
async def show_experiment(api: Api, show: Show, ref: str) -> None:
    """Show an experiment's results and what it takes to repeat it: by id or the beginning of it."""
    found = await api.get(f"/api/experiments/{part(ref)}", Experiment)

    def draw(console: Console) -> None:
        draw_experiment(console, found)
        facts = [(name, value) for name, value in found.environment.items()]
        facts += [("spec", found.spec_id), ("data set", found.spec.dataset_id)]
        facts += [(f"variant {run.variant_name}", run.variant_id) for run in found.runs]
        console.print("", table("to repeat it", "", rows=facts, prose=["platform"]))

    show(found, draw)


@experiments.command()
@click.argument("ref")
@with_api(reads_only=True)
async def compare(api: Api, show: Show, ref: str) -> None:
    """Show only the decision: each variant against the baseline, and the gates."""
    found = await api.get(f"/api/experiments/{part(ref)}", Experiment)
    results = found.results
    if results is None:
        raise InvalidInput(
            f"Experiment {short_id(found.id)} has no results yet: it is {found.status}.",
            hint="" if found.status == "running" else "Go on with it: noria eval FILE.yaml, with the same file.",
        )

    def draw(console: Console) -> None:
        rows = [
            (
                c.metric,
                f"{c.candidate} vs {c.baseline}",
                number(c.difference.value),
                f"{number(c.difference.lower)} to {number(c.difference.upper)}",
                f"{c.p_adjusted:.3g}",
                number(c.detectable),
                "–" if c.more_cases is None else f"{c.more_cases:,}",
                c.verdict,
            )
            for c in results.comparisons
        ]
        headers = ("metric", "variants", "difference", "interval", "p (Holm)", "detectable", "more cases", "verdict")
        if rows:
            spare = ("more cases", "detectable", "interval")
            console.print(table(*headers, rows=rows, prose=["variants"], spare=spare), "")
        else:
            console.print("There is one variant, so there is nothing to compare.")
        draw_sentences(console, results)

    show({"comparisons": results.comparisons, "gates": results.gates}, draw)


def _outcome(experiment: Experiment) -> str:
    if experiment.results is None:
        return ""
    parts = [
        f"{run.variant} {number(run.measures[0].estimate.value)}" for run in experiment.results.runs if run.measures
    ]
    metric = next((run.measures[0].metric for run in experiment.results.runs if run.measures), "")
    return f"{metric}: {', '.join(parts)}" if parts else ""
