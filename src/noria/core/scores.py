"""Judgements: one shape for every score, one protocol for every scorer, offline, live and inline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from noria.core.datasets import Case
from noria.core.results import Classification
from noria.core.spans import Span
from noria.core.struct import Noun

if TYPE_CHECKING:  # core stays importable without the weight of numpy
    import numpy as np
    from numpy.typing import NDArray

Source = Literal["code", "model", "human"]
Need = Literal["output", "reference", "context", "span"]
Value = bool | int | float | str


class Score(Noun):
    """A judgement on a span."""

    scorer: str
    """Name of the scorer, as the experiment or monitor calls it."""
    version: str
    """Version of the scorer: its code's version and a content id of its options, so that a change shows."""
    value: Value
    """Boolean (right or wrong), number, or category."""
    reason: str = ""
    """Why, in words a person can check."""
    source: Source = "code"
    """Who judged: code, a model, or a human."""
    cost_usd: float | None = None
    """What the judgement cost; None where unknown or nothing was spent."""
    metadata: dict[str, Any] = {}
    """Details: matched text, sub-scores, the judge's raw answer."""
    trace_id: str = ""
    """Trace of the judged span; set where the score is recorded."""
    span_id: str = ""
    """The judged span; set where the score is recorded."""
    time_ns: int = 0
    """When it was judged, nanoseconds since 1970 UTC; set where the score is recorded."""
    experiment_id: str | None = None
    """Experiment, when judged offline."""
    run_id: str | None = None
    """Run, when judged offline."""
    case_id: str | None = None
    """Case, when judged offline."""
    repeat: int | None = None
    """Repetition of the case, from 0."""
    monitor: str | None = None
    """Monitor's name, when judged live."""


class Subject(Noun):
    """What a scorer sees."""

    output: str
    """The answer's text."""
    input: dict[str, Any] = {}
    """The prompt's variables, or the case's input."""
    reference: Any = None
    """The expected answer; None when unknown."""
    context: tuple[str, ...] = ()
    """Passages the answer should rest on."""
    span: Span | None = None
    """The record of the call."""
    case: Case | None = None
    """The case, offline."""


class Scorer(Protocol):
    """A judgement. The same object serves an experiment, a monitor and a guard."""

    @property
    def name(self) -> str:
        """Name under which its scores are kept."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever its judgements may."""
        ...

    @property
    def needs(self) -> frozenset[Need]:
        """What it reads. A scorer that needs a reference is refused when it is attached to live traffic."""
        ...

    @property
    def better(self) -> Literal["higher", "lower"] | None:
        """Which direction is an improvement; None for categories without an order."""
        ...

    async def score(self, subject: Subject) -> Score | None:
        """Judge. None abstains; an exception is a failure of the scorer, recorded as such, never as a bad score."""
        ...


class RunMetric(Protocol):
    """A metric over a whole run that is not the mean of its scores, such as macro F1 or corpus BLEU.

    It is a function of sums over the cases, so a bootstrap resample is one matrix product: with ``weights`` of shape
    ``[resamples, n]`` (how often each score was drawn), all resampled values are ``value(weights @ statistics)``.
    """

    @property
    def name(self) -> str:
        """Its part of the metric's name, after the scorer's and a dot: ``macro_f1``."""
        ...

    @property
    def better(self) -> Literal["higher", "lower"] | None:
        """Which direction is an improvement."""
        ...

    def statistics(self, scores: Sequence[Score], cases: Sequence[Case]) -> NDArray[np.float64]:
        """Sufficient statistics, one row a score: shape ``[n, k]``. ``cases[i]`` is the case of ``scores[i]``."""
        ...

    def value(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The metric from summed statistics: ``[..., k]`` to ``[...]``; NaN where it is undefined."""
        ...


@runtime_checkable
class Aggregating(Protocol):
    """A scorer that also has metrics over a whole run."""

    def aggregates(self) -> Sequence[RunMetric]:
        """Its metrics; may be empty."""
        ...


@runtime_checkable
class Classifying(Protocol):
    """A scorer whose values are classes."""

    def classification(self, scores: Sequence[Score]) -> Classification:
        """The confusion table of a run and what follows from it."""
        ...


@runtime_checkable
class Checking(Protocol):
    """A scorer that can tell from a case alone that it will not be able to judge its answers."""

    def check_case(self, case: Case) -> None:
        """Raise ``InvalidInput`` for a case that it can't judge, before a call is paid for."""
        ...


class ScorerSpec(Noun):
    """How to make a scorer again: what an experiment file names and a record keeps."""

    kind: str
    """Registered kind: ``exact``, ``rouge``, ``judge`` ..."""
    name: str
    """Name under which its scores are kept; unique in an experiment."""
    options: dict[str, Any] = {}
    """The kind's own options."""


class GivenScore(Noun, forbid_unknown_fields=True):
    """A judgement from outside: by an application, a person, or another program. What the REST API and the SDK speak."""

    name: str
    """Under which name it is kept: the scorer's."""
    value: Value
    """Boolean (right or wrong), number, or category."""
    trace_id: str
    """The judged trace, 32 hex digits. It may arrive after its score."""
    span_id: str = ""
    """The judged span, 16 hex digits. Empty judges the trace: its root span where that is known, else the trace alone."""
    id: str | None = None
    """Anything that no other score of the trace has: sent again, the score is kept once. Without one it is kept again."""
    reason: str = ""
    """Why, in words a person can check."""
    source: Source = "code"
    """Who judged: code, a model, or a human."""
    version: str = ""
    """Version of the scorer, where it has one."""
    cost_usd: float | None = None
    """What the judgement cost; None where unknown or nothing was spent."""
    metadata: dict[str, Any] = {}
    """Details."""
    time_ns: int = 0
    """When it was judged, nanoseconds since 1970 UTC; 0 means now."""
