"""The table of scorers in the documentation, made from what is registered."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from noria.scorers.registry import KindCard

HEADER = (
    "| kind | what it judges | needs | options (default) | value | better | source |\n|---|---|---|---|---|---|---|"
)


def markdown(cards: Iterable[KindCard]) -> str:
    """One row a kind, as Markdown."""
    return "\n".join([HEADER, *(_row(card) for card in cards)])


def _row(card: KindCard) -> str:
    options = "<br>".join(_option(name, field, card.options) for name, field in card.options["properties"].items())
    cells = (
        f"`{card.kind}`" + (" (asks a model)" if card.asks else ""),
        card.description,
        ", ".join(card.needs),
        options or "none",
        card.value,
        card.better or "no order",
        card.source or "Noria",
    )
    escaped = (cell.replace("|", "\\|") for cell in cells)
    return f"| {' | '.join(escaped)} |"


def _option(name: str, field: dict[str, Any], schema: dict[str, Any]) -> str:
    default = "required" if name in schema.get("required", ()) else f"`{json.dumps(field.get('default'))}`"
    return f"`{name}` ({default}): {field.get('description', '')}"
