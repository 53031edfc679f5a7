"""The gateway: how it stands, its providers examined, its cache calibrated."""

from __future__ import annotations

import asyncio

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from noria.assemble import Workspace
from noria.assemble.gateway.calibrating import calibrate
from noria.assemble.gateway.state import GatewayState
from noria.assemble.providers.doctor import Examination
from noria.core.caching import Calibration
from noria.serve.api.actor import ADMIN, Actor
from noria.serve.shapes import Calibrate, Examine


class GatewayController(Controller):
    """``/api/gateway`` and ``/api/cache``."""

    path = "/"
    tags = ("gateway",)

    @get("/gateway")
    async def show(self, workspace: NamedDependency[Workspace]) -> GatewayState:
        """Providers, routes, places, kept replies and guards, as the process that answers has seen them since its start."""
        return await workspace.gateway()

    @post("/gateway/doctor", status_code=200)
    async def doctor(self, workspace: NamedDependency[Workspace], data: JSONBody[Examine]) -> list[Examination]:
        """Examine providers: keys, names, connections, models, clocks; with ``calls`` also by calling models."""
        return await workspace.doctor.examine(data.providers, data.calls)

    @post("/cache/calibrations", status_code=200)
    async def calibrate(
        self, workspace: NamedDependency[Workspace], data: JSONBody[Calibrate], actor: Actor = ADMIN
    ) -> Calibration:
        """Find from which similarity on two questions are one, on labelled pairs; what came out is in the audit log."""
        found = await calibrate(data.pairs, workspace.calling.embed, embedder=data.embedder, most_false=data.most_false)
        told = {"threshold": found.threshold, "said": found.said, "id": found.id}
        await asyncio.to_thread(workspace.catalogue.audit.add, "cache.calibrated", found.embedder, by=actor, **told)
        return found
