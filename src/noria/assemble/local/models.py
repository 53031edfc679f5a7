"""Local models: fetched, listed, started, removed."""

from __future__ import annotations

import asyncio

from noria.assemble.clock import now
from noria.assemble.identifiers import new_id
from noria.assemble.local.engines import Engines
from noria.assemble.local.pulls import Pulls, Report
from noria.assemble.reports import ModelReport, PullProgress
from noria.core.audit import SYSTEM
from noria.core.errors import Conflict
from noria.core.models import EngineOptions, LocalModel
from noria.core.protocols import BlobStore
from noria.engines.weights import pull
from noria.stores.catalogue import Catalogue


class LocalModels:
    """Weights in the blob store, set-ups in the catalogue, engines that serve them."""

    def __init__(self, catalogue: Catalogue, blobs: BlobStore, engines: Engines) -> None:
        self._catalogue = catalogue.models
        self._apps = catalogue.apps
        self._blobs = blobs
        self._engines = engines
        self._pulls = Pulls(new_id)

    async def reports(self) -> list[ModelReport]:
        """Every model with its engine's health."""
        models = await asyncio.to_thread(self._catalogue.list)
        return [ModelReport(model=model, engine=self._engines.status(model.id)) for model in models]

    def start_pull(self, reference: str, *, name: str | None, options: EngineOptions, by: str = SYSTEM) -> PullProgress:
        """Begin to fetch weights and to register them as a model, in place of what had its name before."""

        async def fetch(report: Report) -> LocalModel:
            model = await pull(reference, blobs=self._blobs, name=name, options=options, now=now, progress=report)
            known = await asyncio.to_thread(self._catalogue.list)
            replaced = [other for other in known if other.name == model.name]
            try:
                for other in replaced:
                    if other.id != model.id:
                        await self._refuse_in_force(other, "pull it under another name with --name")
            except Conflict:
                await self._let_go(model)  # weights that were fetched for nothing
                raise
            await asyncio.to_thread(self._catalogue.put, model, by=by)
            for other in replaced:
                await self._let_go(other)
            return model

        return self._pulls.start(reference, fetch)

    def pull_progress(self, id: str) -> PullProgress:
        """How far a pull is. Raises ``UnknownName``."""
        return self._pulls.progress(id)

    async def warm(self, name: str) -> ModelReport:
        """Start a model's engine. Raises ``UnknownName`` or ``EngineFailed``."""
        model = await asyncio.to_thread(self._catalogue.get, name)
        await self._engines.engine(model).start()
        return ModelReport(model=model, engine=self._engines.status(model.id))

    async def remove(self, name: str, *, by: str = SYSTEM) -> LocalModel:
        """Forget a model; stop its engine and delete its weights where no other model uses them.

        Raises:
            UnknownName: there is no such model.
            Conflict: a release in force stands on it.
        """
        await self._refuse_in_force(
            await asyncio.to_thread(self._catalogue.get, name), "promote a variant of another model first"
        )
        model = await asyncio.to_thread(self._catalogue.remove, name, by=by)
        await self._let_go(model)
        return model

    async def _let_go(self, model: LocalModel) -> None:
        """Stop the engine and delete the weights of a model that the catalogue has no more, unless others use them."""
        left = await asyncio.to_thread(self._catalogue.using, model.sha256)
        if all(other.id != model.id for other in left):
            await self._engines.stop(model.id)
        if not left:
            await asyncio.to_thread(self._blobs.delete, model.sha256)

    async def _refuse_in_force(self, model: LocalModel, instead: str) -> None:
        """Keep what answers an app's callers. Raises ``Conflict`` when a release in force stands on this set-up."""
        for app in await asyncio.to_thread(self._apps.list):
            shares = [share for release in app.in_force for share in release.shares]
            variants = [await asyncio.to_thread(self._apps.variant, share.variant_id) for share in shares]
            if any(variant.model_id == model.id for variant in variants):
                raise Conflict(
                    f"local/{model.name} answers the callers of app {app.name!r}.",
                    kept="Nothing was changed.",
                    hint=f"To replace it, {instead}.",
                )

    async def close(self) -> None:
        """Give up pulls that are under way."""
        await self._pulls.close()
