"""Monitors: scorers on live traffic."""

from __future__ import annotations

from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from noria.assemble import Workspace
from noria.core.monitors import Monitor, MonitorFailures
from noria.serve.api.actor import ADMIN, Actor
from noria.serve.shapes import AttachMonitor


class MonitorsController(Controller):
    """``/api/monitors``."""

    path = "/monitors"
    tags = ("monitors",)

    @get(sync_to_thread=True)
    def list_monitors(self, workspace: NamedDependency[Workspace], app: FromQuery[str | None] = None) -> list[Monitor]:
        """Every monitor."""
        return workspace.catalogue.monitors.list(app)

    @get("/failures", sync_to_thread=False)
    def failures(self, workspace: NamedDependency[Workspace]) -> list[MonitorFailures]:
        """Monitors whose judgements failed since the server started."""
        return sorted(workspace.monitors.live.failures.values(), key=lambda one: one.name)

    @post(sync_to_thread=True)
    def attach(
        self, workspace: NamedDependency[Workspace], data: JSONBody[AttachMonitor], actor: Actor = ADMIN
    ) -> Monitor:
        """Attach a scorer. One that needs a reference is refused: live calls have none."""
        return workspace.monitors.attach(data.name, app=data.app, scorer=data.scorer, rate=data.rate, by=actor)

    @delete("/{name:str}", status_code=200, sync_to_thread=True)
    def detach(self, workspace: NamedDependency[Workspace], name: FromPath[str], actor: Actor = ADMIN) -> Monitor:
        """Detach it; its scores stay."""
        return workspace.monitors.detach(name, by=actor)
