"""Retention: rules by app, and a run of them at once."""

from __future__ import annotations

from litestar import Controller, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from noria.assemble import Workspace
from noria.core.retention import RetentionRule, Tidied
from noria.serve.api.actor import ADMIN, Actor
from noria.serve.shapes import RunRetention


class RetentionController(Controller):
    """``/api/retention``."""

    path = "/retention"
    tags = ("retention",)

    @get(sync_to_thread=True)
    def list_rules(self, workspace: NamedDependency[Workspace]) -> list[RetentionRule]:
        """Every rule, by app; ``*`` is for all that have no rule of their own."""
        return workspace.catalogue.retention.list()

    @put(sync_to_thread=True)
    def set_rule(
        self, workspace: NamedDependency[Workspace], data: JSONBody[RetentionRule], actor: Actor = ADMIN
    ) -> RetentionRule:
        """Set an app's rule, in place of the one before. It is applied within the hour, or at once by a run."""
        return workspace.catalogue.retention.put(data, by=actor)

    @delete("/{app:str}", status_code=200, sync_to_thread=True)
    def remove_rule(
        self, workspace: NamedDependency[Workspace], app: FromPath[str], actor: Actor = ADMIN
    ) -> RetentionRule:
        """Forget a rule; nothing more is deleted by it."""
        return workspace.catalogue.retention.remove(app, by=actor)

    @post("/run", status_code=200)
    async def run(
        self, workspace: NamedDependency[Workspace], data: JSONBody[RunRetention], actor: Actor = ADMIN
    ) -> Tidied:
        """Apply every rule now; in a dry run, only tell what that would delete."""
        return await workspace.retention.run(by=actor, dry_run=data.dry_run)
