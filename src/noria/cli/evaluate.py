"""``noria eval``: run an evaluation file."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import click
import msgspec

from noria.assemble.files import EvalPlan
from noria.cli.api import Api, part
from noria.cli.command import Show, with_api
from noria.cli.groups import examples
from noria.cli.resolve import Resolved, resolve
from noria.cli.results import draw_ended
from noria.cli.tables import short_id
from noria.core.apps import App, NamedVariant
from noria.core.datasets import Dataset
from noria.core.errors import CallFailed, Cancelled, InvalidInput, Unavailable, UnknownName
from noria.core.experiments import Experiment, ExperimentVariant
from noria.core.results import Progress
from noria.serve.shapes import ExperimentProgress, PushedPrompt, PutApp, PutDataset, PutVariant, StartExperiment

POLL_S = 0.1
"""Seconds between two looks at a running experiment."""
TOLD_S = 10.0
"""Seconds between two lines about a running experiment where nobody can watch a bar."""

PASSED, GATE_FAILED, FAILED = 0, 1, 2


@click.command(
    "eval",
    epilog=examples(
        "noria eval examples/question-triage/eval.yaml",
        "noria eval eval.yaml --check",
        "noria eval eval.yaml --fresh --no-cache --json",
    ),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--concurrency", type=click.IntRange(min=1), help="Calls at a time, instead of the file's.")
@click.option(
    "--no-cache", is_flag=True, help="Call every case, even where the record has a reply to the same request."
)
@click.option("--fresh", is_flag=True, help="Begin anew instead of resuming an interrupted run.")
@click.option("--check", is_flag=True, help="Only check the file, its data and what it names; write and call nothing.")
@with_api(reads_only="check")
async def evaluate(
    api: Api, show: Show, file: Path, concurrency: int | None, no_cache: bool, fresh: bool, check: bool
) -> int:
    """Run an evaluation file; run it again to resume what was interrupted.

    Exit code 0 when all gates passed, 1 when one failed, 2 on an error.
    """
    plan = EvalPlan(file)
    for problem in plan.problems:
        show.note(f"skipped {problem.message}")
    if check:
        await resolve(api, plan)
        checked = {"cases": len(plan.cases), "skipped": len(plan.problems), "variants": len(plan.file.variants)}
        show(checked, lambda console: console.print(f"{file} is right: {len(plan.cases)} cases."))
        return PASSED
    experiment = await run_plan(api, show, plan, concurrency=concurrency, cache=not no_cache, fresh=fresh)
    show(experiment, lambda console: draw_ended(console, experiment))
    if experiment.status != "finished" or experiment.results is None:
        raise CallFailed(
            experiment.error or f"The experiment is {experiment.status}.", hint=f"Go on with: noria eval {file}"
        )
    return PASSED if experiment.results.passed else GATE_FAILED


async def run_plan(
    api: Api, show: Show, plan: EvalPlan, *, concurrency: int | None = None, cache: bool = True, fresh: bool = False
) -> Experiment:
    """Push what the file names, start or resume its experiment, and follow it to its end.

    Everything is checked before anything is written. On Ctrl-C the experiment is stopped; what is finished is kept.

    Raises:
        InvalidInput: whatever is wrong, with its place in the file; nothing was written.
        Cancelled: it was interrupted.
        Unavailable: the server went away.
    """
    file = plan.file
    resolved = await resolve(api, plan)
    dataset = await api.post("/api/datasets", Dataset, PutDataset(name=plan.dataset_name, cases=tuple(plan.cases)))
    if file.app is not None:
        await _ensure_app(api, file.app)
    spec = file.spec(dataset.id, [await _pushed(api, one) for one in resolved])
    spec = msgspec.structs.replace(spec, cache=spec.cache and cache)
    start = StartExperiment(spec=spec, app=file.app, concurrency=concurrency or file.concurrency, fresh=fresh)
    experiment = await api.post("/api/experiments", Experiment, start)
    if file.app is not None:
        await _give_to_app(api, show, file.app, experiment)
    try:
        await _follow(api, show, experiment.id)
    except asyncio.CancelledError:
        show.note("Stopping: no more calls are begun; those in flight get a moment to end.")
        stopped = await api.post(f"/api/experiments/{experiment.id}/stop", Experiment)
        if stopped.status == "finished":
            return stopped
        raise Cancelled(stopped.error, hint="The same command goes on from there.") from None
    except Unavailable as error:
        error.kept = "What was finished is kept."
        error.hint = f"Look again with `noria experiments show {short_id(experiment.id)}`; the same command goes on."
        raise
    return await api.get(f"/api/experiments/{experiment.id}", Experiment)


async def _ensure_app(api: Api, name: str) -> None:
    try:
        await api.get(f"/api/apps/{part(name)}", App)
    except UnknownName:
        await api.post("/api/apps", App, PutApp(name=name))


async def _give_to_app(api: Api, show: Show, app: str, experiment: Experiment) -> None:
    """Make what is tried variants of the app, so that the better one can be promoted by its name."""
    for entry in experiment.spec.variants:
        body = PutVariant(model=entry.variant.model, prompt=entry.variant.prompt_id, params=entry.variant.params)
        try:
            await api.put(f"/api/apps/{part(app)}/variants/{part(entry.name)}", NamedVariant, body)
        except InvalidInput as error:
            show.note(f"{entry.name!r} was not made a variant of {app}: {error.message}")


async def _pushed(api: Api, one: Resolved) -> ExperimentVariant:
    """A variant whose prompt is stored, labelled with the version that this made."""
    if one.push is None:
        return one.variant
    version = (await api.post("/api/prompts", PushedPrompt, one.push)).version
    return msgspec.structs.replace(one.variant, label=f"{version.name}@{version.version}")


async def _follow(api: Api, show: Show, experiment_id: str) -> None:
    """Show a progress bar until the experiment has ended; a line now and then where standard error is no terminal."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with show.console.bar(*columns, hidden=show.as_json) as bar:
        task = bar.add_task("starting", total=None, note="")
        told = time.monotonic()
        while True:
            state = await api.get(f"/api/experiments/{experiment_id}/progress", ExperimentProgress)
            if state.progress is not None:
                seen = state.progress
                bar.update(task, description=seen.run, completed=seen.done, total=seen.total or None, note=_note(seen))
                if bar.disable and time.monotonic() - told >= TOLD_S:
                    told = time.monotonic()
                    show.note(f"{seen.run}  {seen.done}/{seen.total}  {_note(seen)}".rstrip())
            if state.status != "running":
                return
            await asyncio.sleep(POLL_S)


def _note(progress: Progress) -> str:
    parts = [
        f"{progress.rate:.1f}/s" if progress.rate else "",
        f"{progress.cached} cached" if progress.cached else "",
        f"{progress.resumed} kept" if progress.resumed else "",
        f"{progress.errors} failed" if progress.errors else "",
    ]
    return "  ".join(part for part in parts if part)
