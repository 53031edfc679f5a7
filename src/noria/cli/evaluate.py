"""``noria eval``: run an evaluation file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import msgspec

from noria.assemble.files import EvalPlan, VariantEntry
from noria.cli.api import Api
from noria.cli.command import Show, with_api
from noria.cli.prompts import fetch
from noria.cli.results import draw_experiment
from noria.core.apps import App
from noria.core.datasets import Dataset
from noria.core.errors import InvalidInput, UnknownName
from noria.core.experiments import Experiment, ExperimentVariant
from noria.core.prompts import Prompt
from noria.core.results import Progress
from noria.serve.shapes import (
    ExperimentProgress,
    MadeVariant,
    PushedPrompt,
    PushPrompt,
    PutApp,
    PutDataset,
    PutVariant,
    StartExperiment,
)

POLL_S = 0.1
"""Seconds between two looks at a running experiment."""

PASSED, GATE_FAILED, FAILED = 0, 1, 2


@click.command("eval")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--concurrency", type=click.IntRange(min=1), help="Calls at a time, instead of the file's.")
@click.option(
    "--no-cache", is_flag=True, help="Call every case, even where the record has a reply to the same request."
)
@click.option("--fresh", is_flag=True, help="Begin anew instead of resuming an interrupted run.")
@click.option("--check", is_flag=True, help="Only read and check the file, its data and its prompts.")
@with_api
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
        show({"cases": len(plan.cases)}, lambda console: console.print(f"{file} is right: {len(plan.cases)} cases."))
        return PASSED
    experiment = await run_plan(api, show, plan, concurrency=concurrency, cache=not no_cache, fresh=fresh)
    show(experiment, lambda console: draw_experiment(console, experiment))
    if experiment.status != "finished" or experiment.results is None:
        return FAILED
    return PASSED if experiment.results.passed else GATE_FAILED


async def run_plan(
    api: Api, show: Show, plan: EvalPlan, *, concurrency: int | None = None, cache: bool = True, fresh: bool = False
) -> Experiment:
    """Push what the file names, start or resume its experiment, and follow it to its end.

    On Ctrl-C the experiment is stopped first; what is finished is kept.
    """
    file = plan.file
    dataset = await api.post("/api/datasets", Dataset, PutDataset(name=plan.dataset_name, cases=tuple(plan.cases)))
    if file.app is not None:
        await _ensure_app(api, file.app)
    variants: list[ExperimentVariant] = []
    prompts: dict[str, Prompt] = {}
    for index, entry in enumerate(file.variants):
        try:
            variant, prompt = await _variant(api, plan, entry)
        except InvalidInput as error:
            raise plan.error_in(index, error) from error
        variants.append(variant)
        if prompt is not None:
            prompts[entry.name] = prompt
    plan.check(prompts)
    spec = file.spec(dataset.id, variants)
    spec = msgspec.structs.replace(spec, cache=spec.cache and cache)
    start = StartExperiment(spec=spec, app=file.app, concurrency=concurrency or file.concurrency, fresh=fresh)
    experiment = await api.post("/api/experiments", Experiment, start)
    try:
        await _follow(api, show, experiment.id)
    except asyncio.CancelledError:
        stopped = await api.post(f"/api/experiments/{experiment.id}/stop", Experiment)
        show.note(f"\n{stopped.error} (noria eval with the same file)")
        raise
    return await api.get(f"/api/experiments/{experiment.id}", Experiment)


async def _ensure_app(api: Api, name: str) -> None:
    try:
        await api.get(f"/api/apps/{name}", App)
    except UnknownName:
        await api.post("/api/apps", App, PutApp(name=name))


async def _variant(api: Api, plan: EvalPlan, entry: VariantEntry) -> tuple[ExperimentVariant, Prompt | None]:
    """A variant of the file, made of content ids; and its prompt, where it has one."""
    if entry.variant is not None:
        return await _variant_of_app(api, entry.name, entry.variant)
    prompt: Prompt | None = None
    ref, label = entry.prompt, ""
    if entry.prompt_file:
        written = plan.prompt_files[entry.name]
        push = PushPrompt(name=written.name, prompt=written.prompt, note=written.note)
        version = (await api.post("/api/prompts", PushedPrompt, push)).version
        prompt, ref, label = version.prompt, version.prompt_id, f"{version.name}@{version.version}"
    elif entry.prompt is not None:
        found = await fetch(api, entry.prompt)
        prompt, ref, label = found.prompt, found.prompt_id, f"{found.name}@{found.version}"
    body = PutVariant(model=entry.model or "", prompt=ref, params=entry.params)
    made = await api.post("/api/variants", MadeVariant, body)
    return ExperimentVariant(name=entry.name, variant=made.variant, label=label), prompt


async def _variant_of_app(api: Api, name: str, written: str) -> tuple[ExperimentVariant, Prompt | None]:
    app_name, _, variant_name = written.partition("/")
    app = await api.get(f"/api/apps/{app_name}", App)
    if not variant_name:
        shares = app.release.shares if app.release else ()
        if len(shares) != 1:
            raise InvalidInput(f"App {app_name!r} does not serve exactly one variant; name one: {app_name}/VARIANT.")
        [named] = [found for found in app.variants if found.variant_id == shares[0].variant_id][:1]
    else:
        matching = [found for found in app.variants if found.name == variant_name]
        if not matching:
            names = ", ".join(found.name for found in app.variants) or "none"
            raise UnknownName(f"App {app_name!r} has no variant {variant_name!r} (it has: {names}).")
        [named] = matching
    return ExperimentVariant(name=name, variant=named.variant, label=f"{app_name}/{named.name}"), None


async def _follow(api: Api, show: Show, experiment_id: str) -> None:
    """Show a progress bar until the experiment has ended."""
    from rich.console import Console as RichConsole  # noqa: PLC0415
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Bar(*columns, console=RichConsole(stderr=True), disable=show.as_json, transient=True) as bar:
        task = bar.add_task("starting", total=None, note="")
        while True:
            state = await api.get(f"/api/experiments/{experiment_id}/progress", ExperimentProgress)
            if state.progress is not None:
                seen = state.progress
                bar.update(task, description=seen.run, completed=seen.done, total=seen.total or None, note=_note(seen))
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
