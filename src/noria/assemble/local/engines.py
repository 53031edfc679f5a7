"""The engines of this workspace: one for each local model set-up that was called."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Protocol

from noria.core.errors import UnknownName
from noria.core.models import LocalModel
from noria.core.protocols import BlobStore, Engine, EngineStatus
from noria.engines.llamacpp import LlamaCpp


class Engines(Protocol):
    """Where the engines of local models are had: in this process, or from the one that holds the data folder."""

    def engine(self, model: LocalModel) -> Engine:
        """The engine of a model set-up. Raises ``UnknownName`` without weights."""
        ...

    def status(self, model_id: str) -> EngineStatus:
        """Health of a set-up's engine."""
        ...

    async def stop(self, model_id: str) -> None:
        """Stop one engine, if it runs."""
        ...

    async def close(self) -> None:
        """Stop all engines that are this process's."""
        ...


class EnginePool:
    """Makes an engine when its model is first needed, and stops them all at the end.

    Arguments:
        blobs: where the weights are.
        logs: folder of the engines' logs.
    """

    def __init__(self, blobs: BlobStore, logs: Path) -> None:
        self._blobs = blobs
        self._logs = logs
        self._engines: dict[str, LlamaCpp] = {}

    def engine(self, model: LocalModel) -> LlamaCpp:
        """The engine of a model set-up; two names of one set-up share it. Raises ``UnknownName`` without weights."""
        if model.id not in self._engines:
            if not self._blobs.has(model.sha256):
                raise UnknownName(
                    f"The weights of local/{model.name} are not in the blob store.",
                    hint=f"Fetch them again: noria models pull {model.source} --name {model.name}",
                )
            self._engines[model.id] = LlamaCpp(
                Path(self._blobs.path(model.sha256)),
                model=model.name,
                options=model.options,
                log_folder=self._logs,
            )
        return self._engines[model.id]

    def status(self, model_id: str) -> EngineStatus:
        """Health of a set-up's engine."""
        engine = self._engines.get(model_id)
        return engine.status() if engine else EngineStatus(state="stopped")

    async def stop(self, model_id: str) -> None:
        """Stop one engine, if it runs."""
        engine = self._engines.pop(model_id, None)
        if engine is not None:
            await engine.stop()

    async def close(self) -> None:
        """Stop all engines."""
        await asyncio.gather(*(engine.stop() for engine in self._engines.values()))
        self._engines.clear()
