"""Experiments: start or resume, watch, stop, read."""

from __future__ import annotations

from litestar import Controller, get, post

from noria.assemble import Workspace
from noria.core.experiments import Experiment
from noria.core.scores import ScorerSpec
from noria.serve.api.actor import Actor
from noria.serve.shapes import ExperimentProgress, StartExperiment


class ExperimentsController(Controller):
    """``/api/experiments``."""

    path = "/experiments"
    tags = ("experiments",)

    @get(sync_to_thread=True)
    def list_experiments(
        self, workspace: Workspace, limit: int = 50, name: str | None = None, app: str | None = None
    ) -> list[Experiment]:
        """Experiments, newest first."""
        return workspace.catalogue.experiments.list(limit=limit, name=name, app=app)

    @post()
    async def start(self, workspace: Workspace, data: StartExperiment, actor: Actor) -> Experiment:
        """Start; an unfinished experiment with the same spec is resumed, and nothing finished is called again."""
        return await workspace.laboratory.start(
            data.spec, by=actor, app=data.app, concurrency=data.concurrency, fresh=data.fresh
        )

    @get("/{ref:str}", sync_to_thread=True)
    def show_experiment(self, workspace: Workspace, ref: str) -> Experiment:
        """One experiment, by id or the beginning of it."""
        return workspace.catalogue.experiments.get(ref)

    @get("/{ref:str}/progress", sync_to_thread=True)
    def progress(self, workspace: Workspace, ref: str) -> ExperimentProgress:
        """How far it is."""
        found = workspace.catalogue.experiments.get(ref)
        progress = workspace.laboratory.progress(found.id)
        return ExperimentProgress(id=found.id, status=found.status, progress=progress, error=found.error)

    @post("/{ref:str}/stop")
    async def stop(self, workspace: Workspace, ref: str) -> Experiment:
        """Stop; what is finished is kept, and starting it again resumes it."""
        found = await workspace.in_thread(workspace.catalogue.experiments.get, ref)
        await workspace.laboratory.stop(found.id)
        return await workspace.in_thread(workspace.catalogue.experiments.get, found.id)

    @post("/check-scorer", sync_to_thread=True)
    def check_scorer(self, workspace: Workspace, data: ScorerSpec) -> ScorerSpec:
        """Refuse a scorer that does not exist or has wrong options, before anything is called."""
        workspace.make_scorer(data)
        return data
