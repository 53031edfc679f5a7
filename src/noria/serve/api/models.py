"""Local models: pull, list, remove."""

from __future__ import annotations

from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from noria.assemble import ModelReport, PullProgress, Workspace
from noria.core.models import LocalModel
from noria.serve.api.actor import ADMIN, Actor
from noria.serve.shapes import PullModel


class ModelsController(Controller):
    """``/api/models``."""

    path = "/models"
    tags = ("models",)

    @get()
    async def list_models(self, workspace: NamedDependency[Workspace]) -> list[ModelReport]:
        """Local models and their engines' health."""
        return await workspace.models.reports()

    @post()
    async def pull(
        self, workspace: NamedDependency[Workspace], data: JSONBody[PullModel], actor: Actor = ADMIN
    ) -> PullProgress:
        """Begin to fetch weights; ask for the progress under the id that is returned."""
        return workspace.models.start_pull(data.reference, name=data.name, options=data.options, by=actor)

    @get("/pulls/{pull_id:str}")
    async def pull_progress(self, workspace: NamedDependency[Workspace], pull_id: FromPath[str]) -> PullProgress:
        """How far a pull is."""
        return workspace.models.pull_progress(pull_id)

    @post("/{name:str}/warm")
    async def warm(self, workspace: NamedDependency[Workspace], name: FromPath[str]) -> ModelReport:
        """Start a model's engine now instead of at its first call."""
        return await workspace.models.warm(name)

    @delete("/{name:str}", status_code=200)
    async def remove(
        self, workspace: NamedDependency[Workspace], name: FromPath[str], actor: Actor = ADMIN
    ) -> LocalModel:
        """Forget a model, stop its engine, and delete weights that no other model uses."""
        return await workspace.models.remove(name, by=actor)
