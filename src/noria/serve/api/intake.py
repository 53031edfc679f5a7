"""What was wrong with the records that came in."""

from __future__ import annotations

from litestar import Controller, get
from litestar.di import NamedDependency

from noria.assemble import IntakeProblem, Workspace
from noria.serve.api.paging import Limit


class IntakeController(Controller):
    """``/api/intake``."""

    path = "/intake"
    tags = ("traces",)

    @get("/problems")
    async def problems(self, workspace: NamedDependency[Workspace], limit: Limit = 50) -> list[IntakeProblem]:
        """The latest records that were refused or repaired, newest first; never their contents."""
        return list(workspace.intake.problems())[:limit]
