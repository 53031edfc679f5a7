"""Limits and budgets: set, shown with how they stand, removed."""

from __future__ import annotations

from litestar import Controller, delete, get, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from noria.assemble import Workspace
from noria.core.limits import Limit
from noria.serve.api.actor import ADMIN, Actor
from noria.serve.shapes import LimitReport

_SHOWN = 100
"""Standings of one limit that are shown."""


class LimitsController(Controller):
    """``/api/limits``."""

    path = "/limits"
    tags = ("limits",)

    @get()
    async def list_limits(self, workspace: NamedDependency[Workspace]) -> list[LimitReport]:
        """Every limit, and how it stands in the present window; of users only hashes are shown."""
        found = await workspace.calling.limits.standings()
        return [
            LimitReport(
                limit=limit,
                key=workspace.keyring.name_of(limit.who) if limit.of == "key" else "",
                standings=tuple(found.get(limit.name, ())[:_SHOWN]),
            )
            for limit in workspace.catalogue.limits.list()
        ]

    @put(sync_to_thread=True)
    def set_limit(self, workspace: NamedDependency[Workspace], data: JSONBody[Limit], actor: Actor = ADMIN) -> Limit:
        """Set a limit, in place of what has its name; what was used in the present window counts on."""
        return workspace.catalogue.limits.put(data, by=actor)

    @delete("/{name:str}", status_code=200, sync_to_thread=True)
    def remove_limit(self, workspace: NamedDependency[Workspace], name: FromPath[str], actor: Actor = ADMIN) -> Limit:
        """Forget a limit."""
        return workspace.catalogue.limits.remove(name, by=actor)
