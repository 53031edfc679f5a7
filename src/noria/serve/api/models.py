"""Local models: pull, list, remove."""

from __future__ import annotations

from litestar import Controller, delete, get, post

from noria.assemble import ModelReport, PullProgress, Workspace
from noria.core.models import LocalModel
from noria.serve.shapes import PullModel


class ModelsController(Controller):
    """``/api/models``."""

    path = "/models"
    tags = ("models",)

    @get()
    async def list_models(self, workspace: Workspace) -> list[ModelReport]:
        """Local models and their engines' health."""
        return await workspace.model_reports()

    @post()
    async def pull(self, workspace: Workspace, data: PullModel) -> PullProgress:
        """Begin to fetch weights; ask for the progress under the id that is returned."""
        return workspace.start_pull(data.reference, name=data.name, options=data.options)

    @get("/pulls/{pull_id:str}")
    async def pull_progress(self, workspace: Workspace, pull_id: str) -> PullProgress:
        """How far a pull is."""
        return workspace.pull_progress(pull_id)

    @post("/{name:str}/warm")
    async def warm(self, workspace: Workspace, name: str) -> ModelReport:
        """Start a model's engine now instead of at its first call."""
        return await workspace.warm(name)

    @delete("/{name:str}", status_code=200)
    async def remove(self, workspace: Workspace, name: str) -> LocalModel:
        """Forget a model, stop its engine, and delete weights that no other model uses."""
        return await workspace.remove_model(name)
