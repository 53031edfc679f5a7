"""Experiments: start or resume, watch, stop, read."""

from __future__ import annotations

import asyncio

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from noria.assemble import Workspace
from noria.core.experiments import Experiment
from noria.core.scores import ScorerSpec
from noria.serve.api.actor import ADMIN, Actor
from noria.serve.api.paging import Limit
from noria.serve.shapes import ExperimentProgress, StartExperiment


class ExperimentsController(Controller):
    """``/api/experiments``."""

    path = "/experiments"
    tags = ("experiments",)

    @get(sync_to_thread=True)
    def list_experiments(
        self,
        workspace: NamedDependency[Workspace],
        limit: Limit = 50,
        name: FromQuery[str | None] = None,
        app: FromQuery[str | None] = None,
    ) -> list[Experiment]:
        """Experiments, newest first."""
        return workspace.catalogue.experiments.list(limit=limit, name=name, app=app)

    @post()
    async def start(
        self, workspace: NamedDependency[Workspace], data: JSONBody[StartExperiment], actor: Actor = ADMIN
    ) -> Experiment:
        """Start; an unfinished experiment with the same spec is resumed, and nothing finished is called again."""
        return await workspace.laboratory.start(
            data.spec, by=actor, app=data.app, concurrency=data.concurrency, fresh=data.fresh
        )

    @get("/{ref:str}", sync_to_thread=True)
    def show_experiment(self, workspace: NamedDependency[Workspace], ref: FromPath[str]) -> Experiment:
        """One experiment, by id or the beginning of it."""
        return workspace.catalogue.experiments.get(ref)

    @get("/{ref:str}/progress", sync_to_thread=True)
    def progress(self, workspace: NamedDependency[Workspace], ref: FromPath[str]) -> ExperimentProgress:
        """How far it is."""
        found = workspace.catalogue.experiments.get(ref)
        progress = workspace.laboratory.progress(found.id)
        return ExperimentProgress(id=found.id, status=found.status, progress=progress, error=found.error)

    @post("/{ref:str}/stop")
    async def stop(self, workspace: NamedDependency[Workspace], ref: FromPath[str]) -> Experiment:
        """Stop; what is finished is kept, and starting it again resumes it."""
        found = await asyncio.to_thread(workspace.catalogue.experiments.get, ref)
        await workspace.laboratory.stop(found.id)
        return await asyncio.to_thread(workspace.catalogue.experiments.get, found.id)

    @post("/check-scorer", sync_to_thread=True)
    def check_scorer(self, workspace: NamedDependency[Workspace], data: JSONBody[ScorerSpec]) -> ScorerSpec:
        """Refuse a scorer that does not exist or has wrong options, before anything is called."""
        workspace.make_scorer(data)
        return data
