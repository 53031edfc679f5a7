"""Data sets: immutable versions, addressed by their content."""

from __future__ import annotations

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from noria.assemble import Workspace
from noria.core.datasets import Case, Dataset
from noria.serve.api.actor import ADMIN, Actor
from noria.serve.api.paging import Limit, Offset
from noria.serve.shapes import PutDataset


class DatasetsController(Controller):
    """``/api/datasets``."""

    path = "/datasets"
    tags = ("datasets",)

    @get(sync_to_thread=True)
    def list_datasets(self, workspace: NamedDependency[Workspace]) -> list[Dataset]:
        """Every version, newest first."""
        return workspace.catalogue.datasets.list()

    @post(sync_to_thread=True, request_max_body_size=512 * 1024 * 1024)
    def put_dataset(
        self, workspace: NamedDependency[Workspace], data: JSONBody[PutDataset], actor: Actor = ADMIN
    ) -> Dataset:
        """Store a version; the same cases have the same id and are stored once."""
        return workspace.datasets.put(data.name, data.cases, by=actor)

    @get("/{ref:str}", sync_to_thread=True)
    def show_dataset(self, workspace: NamedDependency[Workspace], ref: FromPath[str]) -> Dataset:
        """One version, by id or the beginning of it, or the newest of a name."""
        return workspace.catalogue.datasets.get(ref)

    @get("/{ref:str}/cases", sync_to_thread=True)
    def list_cases(
        self, workspace: NamedDependency[Workspace], ref: FromPath[str], limit: Limit = 100, offset: Offset = 0
    ) -> list[Case]:
        """The cases of a version."""
        return workspace.datasets.cases(workspace.catalogue.datasets.get(ref).id)[offset : offset + limit]
