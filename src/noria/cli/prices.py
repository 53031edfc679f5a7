"""``noria prices``: what calls cost, and where nobody knows."""

from __future__ import annotations

import click

from noria.cli.api import Api
from noria.cli.command import Console, Show, with_api
from noria.cli.groups import examples, group
from noria.cli.tables import dollars, table
from noria.core.prices import PriceTag, Unpriced


@group()
def prices() -> None:
    """What calls cost: by contract where noria.toml has a price, else as published."""


@prices.command("show", epilog=examples("noria prices show openai/gpt-4o"))
@click.argument("model")
@with_api(reads_only=True)
async def show_price(api: Api, show: Show, model: str) -> None:
    """Show the price of a model, as provider/model."""
    tag = await api.get("/api/prices", PriceTag, model=model)

    def draw(console: Console) -> None:
        if not tag.known:
            console.print(
                f'{model} has no price: the cost of its calls is unknown. Give it one under [prices."{model}"].'
            )
            return
        source = "by contract" if tag.agreed else "as published"
        told = [
            ("input", tag.input_per_mtok),
            ("cached input", tag.cached_input_per_mtok),
            ("written to the cache", tag.cache_write_per_mtok),
            ("output", tag.output_per_mtok),
            ("thinking", tag.reasoning_per_mtok),
        ]
        rows = [(name, f"{dollars(price)} a million tokens") for name, price in told if price is not None]
        if tag.per_request:
            rows.append(("each call", dollars(tag.per_request)))
        console.print(f"{model}, {source}:", table("", " ", rows=rows))
        if tag.tiers:
            console.print(
                f"Other prices hold for prompts of more than {', '.join(f'{n:,}' for n in tag.tiers)} tokens."
            )

    show(tag, draw)


@prices.command("unknown")
@click.option("--since", help="Only calls since then: 7d ago, or a date.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Most models to show.")
@with_api(reads_only=True)
async def unknown(api: Api, show: Show, since: str | None, limit: int) -> None:
    """List models whose calls have no price; no budget counts them."""
    found = await api.get("/api/prices/unknown", list[Unpriced], since=since, limit=limit)

    def draw(console: Console) -> None:
        if not found:
            console.print("Every call whose tokens were counted has a price.")
            return
        rows = [
            (f"{one.provider}/{one.model}", f"{one.calls:,}", f"{one.input_tokens:,}", f"{one.output_tokens:,}")
            for one in found
        ]
        heads = ("model", "calls", "tokens in", "out")
        console.print(table(*heads, rows=rows, right=heads[1:]))
        first = f"{found[0].provider}/{found[0].model}"
        console.print(f'Give them prices in noria.toml: [prices."{first}"] input_per_mtok = ..., output_per_mtok = ...')

    show(found, draw)
