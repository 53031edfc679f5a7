"""``noria models``: pull, list, remove."""

from __future__ import annotations

import asyncio

import click

from noria.assemble.reports import ModelReport, PullProgress
from noria.cli.api import Api, part
from noria.cli.command import Console, Show, with_api
from noria.cli.groups import examples, group
from noria.cli.tables import megabytes, short_id, table
from noria.core.errors import CallFailed, InvalidInput, NoriaError, Unavailable
from noria.core.models import EngineOptions, KVCacheType, LocalModel, Pooling
from noria.serve.shapes import PullModel

POLL_S = 0.15
"""Seconds between two looks at a pull."""


@group()
def models() -> None:
    """Local models: weights on this machine, with the engine's flags."""


@models.command(
    epilog=examples(
        "noria models pull smollm2-135m",
        "noria models pull smollm2-135m --name small-kv --kv-cache q8_0",
        "noria models pull file:/srv/weights/model.gguf --context 4096",
    )
)
@click.argument("reference")
@click.option("--name", help="Name after local/; by default made from the reference.")
@click.option("--context", type=click.IntRange(min=256), help="Context length in tokens, for each slot.")
@click.option("--slots", type=click.IntRange(min=1), help="Requests decoded at the same time.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.")
@click.option("--kv-cache", type=click.Choice(["f16", "q8_0", "q4_0"]), help="Element type of the KV cache.")
@click.option(
    "--pooling",
    type=click.Choice(["mean", "cls", "last"]),
    help="Give vectors, made so from those of the tokens; weights for embeddings say it themselves.",
)
@with_api()
async def pull(
    api: Api,
    show: Show,
    reference: str,
    name: str | None,
    context: int | None,
    slots: int | None,
    threads: int | None,
    kv_cache: KVCacheType | None,
    pooling: Pooling | None,
) -> None:
    """Fetch weights: smollm2-135m, hf:OWNER/REPO/FILE.gguf, or file:PATH.

    The same weights under another name and with other flags are another model, at no cost in disk space.
    """
    given = {"context": context, "slots": slots, "threads": threads, "kv_cache": kv_cache, "pooling": pooling}
    options = EngineOptions(**{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]
    model = await pull_model(api, show, PullModel(reference=reference, name=name, options=options))
    show(
        model,
        lambda console: console.print(f"local/{model.name} is ready: {megabytes(model.size)}, {short_id(model.id)}."),
    )


@models.command("list")
@with_api(reads_only=True)
async def list_models(api: Api, show: Show) -> None:
    """List local models and their engines."""
    found = await api.get("/api/models", list[ModelReport])

    def draw(console: Console) -> None:
        if not found:
            console.print("No local models yet. Fetch one: noria models pull smollm2-135m")
            return
        rows = [
            (
                f"local/{r.model.name}",
                megabytes(r.model.size),
                f"{r.model.options.context} x {r.model.options.slots}",
                r.model.options.kv_cache,
                r.model.licence or "unknown",
                r.engine.state,
                megabytes(r.engine.rss_bytes),
                short_id(r.model.id),
            )
            for r in found
        ]
        headers = ("model", "size", "context", "KV cache", "licence", "engine", "memory", "id")
        spare = ("licence", "KV cache", "memory")
        console.print(table(*headers, rows=rows, right=["size", "memory"], spare=spare, hide_empty=["memory"]))

    show(found, draw)


@models.command()
@click.argument("name")
@with_api()
async def remove(api: Api, show: Show, name: str) -> None:
    """Forget a model; weights that no other model uses are deleted."""
    model = await api.delete(f"/api/models/{part(name.removeprefix('local/'))}", LocalModel)
    show(model, lambda console: console.print(f"local/{model.name} is gone."))


async def pull_model(api: Api, show: Show, wanted: PullModel) -> LocalModel:
    """Pull, with a progress bar, and return the model."""
    from rich.progress import BarColumn, DownloadColumn, TextColumn  # noqa: PLC0415  # `noria models list` need not

    state = await api.post("/api/models", PullProgress, wanted)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with show.console.bar(*columns, hidden=show.as_json) as progress:
        task = progress.add_task(wanted.reference, total=None)
        while state.model is None and not state.error:
            await asyncio.sleep(POLL_S)
            state = await api.get(f"/api/models/pulls/{state.id}", PullProgress)
            progress.update(task, description=state.stage, completed=state.done, total=state.total)
    if state.model is None:
        kinds: dict[str, type[NoriaError]] = {Unavailable.code: Unavailable, CallFailed.code: CallFailed}
        raise kinds.get(state.error_code, InvalidInput)(state.error)
    return state.model
