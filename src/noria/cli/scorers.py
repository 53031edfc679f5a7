"""``noria scorers``: what can judge."""

from __future__ import annotations

from typing import Any

import click

from noria.cli.api import Api
from noria.cli.command import Show, with_api
from noria.cli.tables import table


@click.command()
@with_api(reads_only=True)
async def scorers(api: Api, show: Show) -> None:
    """List the kinds of scorer, what each needs, and its options. docs/scorers.md tells all."""
    found = await api.get("/api/scorers", dict[str, Any])
    rows = [
        (
            kind,
            ", ".join(card.get("needs", [])),
            ", ".join(card.get("options", {}).get("properties", {})),
            card["description"],
        )
        for kind, card in sorted(found.items())
    ]
    show(
        found,
        lambda console: console.print(
            table("kind", "needs", "options", "what it says", rows=rows, prose=["options", "what it says"])
        ),
    )
