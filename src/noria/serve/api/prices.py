"""Prices: what a model costs here, and which models' calls nobody can price."""

from __future__ import annotations

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from noria.assemble import Workspace
from noria.core.errors import InvalidInput
from noria.core.prices import PriceTag, Unpriced
from noria.serve.api.paging import Limit
from noria.serve.times import moment

Model = Annotated[str, QueryParameter(max_length=300, description="`provider/model`.")]


class PricesController(Controller):
    """``/api/prices``."""

    path = "/prices"
    tags = ("prices",)

    @get()
    async def show(self, workspace: NamedDependency[Workspace], model: Model) -> PriceTag:
        """What a model's calls cost now, by contract or as published."""
        provider, _, name = model.partition("/")
        if not name:
            raise InvalidInput(
                f"{model[:80]!r} names no model.",
                hint="Write provider/model: a route, an alias or an app costs what the model behind it does.",
            )
        return workspace.calling.prices.tag(provider, name, workspace.now())

    @get("/unknown")
    async def unknown(
        self, workspace: NamedDependency[Workspace], since: FromQuery[str | None] = None, limit: Limit = 100
    ) -> list[Unpriced]:
        """Models with calls on record whose cost is unknown, the busiest first."""
        since_ns = None if since is None else moment(since, workspace.now())
        return await workspace.unpriced(since_ns, limit)
