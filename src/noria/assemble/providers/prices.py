"""Prices from the settings, and the models whose calls have none."""

from __future__ import annotations

from noria.core.prices import Unpriced
from noria.core.protocols import TraceStore
from noria.core.questions import Aggregate, Filter, Order, Question
from noria.settings import BUILT_IN_PROVIDERS, Settings
from noria.targets.pricing import Prices


def prices_of(settings: Settings) -> Prices:
    """The prices of all models, with those of ``[prices]``."""
    providers = BUILT_IN_PROVIDERS | settings.providers
    return Prices(settings.prices, {name: provider.base_url for name, provider in providers.items()})


async def unpriced(traces: TraceStore, since_ns: int | None, limit: int) -> list[Unpriced]:
    """Models with calls whose tokens were counted and whose cost is unknown, the busiest first."""
    conditions = [
        Filter(column="cost_usd", op="is null"),
        Filter(column="input_tokens", op="is not null"),
        Filter(column="model", op="is not null"),
        Filter(column="provider", op="is not null"),
    ]
    question = Question(
        since_ns=since_ns,
        where=tuple(conditions),
        group_by=("provider", "model"),
        measures=(
            Aggregate(measure="count", name="calls"),
            Aggregate(measure="sum", column="input_tokens", name="input_tokens"),
            Aggregate(measure="sum", column="output_tokens", name="output_tokens"),
        ),
        order=(Order(column="calls", descending=True),),
        limit=limit,
    )
    rows = (await traces.query(question)).records()
    return [
        Unpriced(
            provider=row["provider"],
            model=row["model"],
            calls=row["calls"],
            input_tokens=row["input_tokens"] or 0,
            output_tokens=row["output_tokens"] or 0,
        )
        for row in rows
    ]
