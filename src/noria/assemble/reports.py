"""What a workspace says about itself."""

from __future__ import annotations

from noria.core.models import LocalModel
from noria.core.protocols import EngineStatus
from noria.core.struct import Noun


class ModelReport(Noun):
    """A local model and its engine's health."""

    model: LocalModel
    """The model."""
    engine: EngineStatus
    """Its engine."""


class PullProgress(Noun):
    """A pull of weights, while it runs and after."""

    id: str
    """Opaque id."""
    reference: str
    """What is fetched."""
    stage: str = "starting"
    """What is being done, for people."""
    done: int = 0
    """Bytes so far."""
    total: int | None = None
    """Bytes in all, where known."""
    model: LocalModel | None = None
    """The model, once it is there."""
    error: str = ""
    """Why it failed."""
    error_code: str = ""
    """The error's code."""
