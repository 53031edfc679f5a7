"""Experiments: data set x variants x scorers, and one variant's part of it, the run."""

from __future__ import annotations

from typing import Any, Literal

from noria.core.apps import Variant
from noria.core.identity import content_id
from noria.core.results import Results
from noria.core.scores import ScorerSpec
from noria.core.struct import Noun

ExperimentStatus = Literal["running", "interrupted", "failed", "finished"]


class ExperimentVariant(Noun):
    """A variant under the name it has in the experiment."""

    name: str
    """Name, unique in the experiment."""
    variant: Variant
    """What is tried."""
    label: str = ""
    """How its prompt is called, such as ``review@2``; for people only."""


class ExperimentSpec(Noun):
    """Everything that decides an experiment's outcome. Content-addressed, so it can be run again and resumed."""

    name: str
    """What people call it."""
    dataset_id: str
    """The data set version."""
    variants: tuple[ExperimentVariant, ...]
    """What is compared, in order."""
    scorers: tuple[ScorerSpec, ...]
    """How it is judged."""
    baseline: str
    """Name of the variant that the others are compared with."""
    repeats: int = 1
    """Calls of each case and variant."""
    cache: bool = True
    """Take replies from earlier spans with the same request id."""
    gates: tuple[str, ...] = ()
    """Conditions such as ``accuracy.lower > 0.6``."""
    alpha: float = 0.05
    """Significance level; intervals have coverage 1 - alpha."""
    limit: int | None = None
    """Only the first so many cases."""

    @property
    def id(self) -> str:
        """Content id."""
        return content_id("spec", self)


class Run(Noun):
    """One variant's part of an experiment."""

    id: str
    """Opaque id."""
    variant_name: str
    """Name in the experiment."""
    variant_id: str
    """Content id of the variant."""


class Experiment(Noun):
    """One execution of a spec."""

    id: str
    """Opaque id."""
    spec: ExperimentSpec
    """What is run."""
    runs: tuple[Run, ...]
    """One for each variant, in order."""
    status: ExperimentStatus
    """``running``, ``interrupted`` (resumable), ``failed`` or ``finished``."""
    created_ns: int
    """Start, nanoseconds since 1970 UTC."""
    finished_ns: int | None = None
    """End, nanoseconds since 1970 UTC."""
    created_by: str = ""
    """Who started it."""
    app: str | None = None
    """App it was run for."""
    error: str = ""
    """Why it failed or stopped."""
    environment: dict[str, Any] = {}
    """What reproducing it needs: Noria, Python and engine versions, platform, git commit."""
    results: Results | None = None
    """What was found, once finished."""

    @property
    def spec_id(self) -> str:
        """Content id of the spec: an unfinished experiment with the same one is resumed."""
        return self.spec.id
