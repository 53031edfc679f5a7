"""``noria datasets``: list and show."""

from __future__ import annotations

import click
import msgspec

from noria.cli.api import Api, part
from noria.cli.command import Console, Show, with_api
from noria.cli.groups import group
from noria.cli.tables import short_id, table
from noria.core.datasets import Case, Dataset


@group()
def datasets() -> None:
    """Data sets are immutable versions, addressed by their content; `noria eval` makes them from files."""


@datasets.command("list")
@with_api(reads_only=True)
async def list_datasets(api: Api, show: Show) -> None:
    """List data set versions."""
    found = await api.get("/api/datasets", list[Dataset])

    def draw(console: Console) -> None:
        if not found:
            console.print("No data sets yet. `noria eval FILE.yaml` makes them from the files it names.")
            return
        rows = [(d.name, d.size, ", ".join(d.columns), short_id(d.id)) for d in found]
        console.print(table("name", "cases", "inputs", "id", rows=rows, right=["cases"], prose=["inputs"]))

    show(found, draw)


@datasets.command("show")
@click.argument("ref")
@click.option("--limit", type=click.IntRange(1, 10_000), default=5, show_default=True, help="Cases to show.")
@with_api(reads_only=True)
async def show_dataset(api: Api, show: Show, ref: str, limit: int) -> None:
    """Show a data set's first cases: by name (its newest version) or the beginning of an id."""
    dataset = await api.get(f"/api/datasets/{part(ref)}", Dataset)
    cases = await api.get(f"/api/datasets/{dataset.id}/cases", list[Case], limit=limit)

    def draw(console: Console) -> None:
        console.print(f"{dataset.name}  {dataset.size} cases  {dataset.id}")
        for case in cases:
            console.print(msgspec.json.encode(case).decode())

    show({"dataset": dataset, "cases": cases}, draw)
