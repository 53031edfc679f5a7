"""What an experiment found: estimates, comparisons, gates. Made by ``evaluate``, shown by everyone."""

from __future__ import annotations

from typing import Literal

from noria.core.struct import Noun

Verdict = Literal["better", "worse", "undecided", "equal"]


class Estimate(Noun):
    """A number with its uncertainty."""

    value: float
    """The point estimate."""
    lower: float
    """Lower end of the confidence interval."""
    upper: float
    """Upper end of the confidence interval."""
    standard_error: float
    """Standard error, clustered where cases have repeats or clusters."""
    n: int
    """Observations."""
    clusters: int
    """Independent units: cases, or clusters of cases."""
    method: str
    """How the interval was made: ``wilson``, ``t``, ``bootstrap``, or ``exact`` when nothing varies."""


class Percentiles(Noun):
    """A distribution, in the unit that its holder names."""

    p50: float
    """Median."""
    p90: float
    """90th percentile."""
    p99: float
    """99th percentile."""


class Measured(Noun):
    """One metric of one variant."""

    metric: str
    """Name: the scorer's, or ``scorer.part`` for a metric over the whole run, such as ``sentiment.macro_f1``."""
    estimate: Estimate
    """Its value over the data set."""
    better: Literal["higher", "lower"] | None = None
    """Which direction is an improvement."""
    abstained: int = 0
    """Answers that the scorer did not judge."""
    failed: int = 0
    """Answers on which the scorer itself failed."""


class ClassMetrics(Noun):
    """One class of a classification."""

    label: str
    """The class."""
    precision: float | None
    """True positives / predicted; None when it was never predicted."""
    recall: float | None
    """True positives / actual; None when it never occurs."""
    f1: float | None
    """Harmonic mean; None when the class neither occurs nor is predicted."""
    support: int
    """How often it occurs."""


class Classification(Noun):
    """Classification metrics over a run."""

    scorer: str
    """The scorer that named the classes."""
    labels: tuple[str, ...]
    """Rows and columns of ``confusion``, in order; answers that are no label come under ``(other)``."""
    confusion: tuple[tuple[int, ...], ...]
    """Counts: actual class (row) by predicted class (column)."""
    classes: tuple[ClassMetrics, ...]
    """By class."""
    accuracy: float
    """Part of the answers that is right."""
    macro_f1: float
    """Unweighted mean of the classes' F1."""


class RunSummary(Noun):
    """What one variant did."""

    variant: str
    """Its name in the experiment."""
    run_id: str
    """Its run."""
    cases: int
    """Cases with an answer to every repeat."""
    calls: int
    """Answers, repeats counted."""
    errors: int
    """Calls that failed for good; they have no scores and are called again on the next start."""
    cached: int
    """Answers taken from the response cache."""
    measures: tuple[Measured, ...]
    """Metrics, in the order of the scorers."""
    classifications: tuple[Classification, ...] = ()
    """Tables of the classification scorers."""
    ttft_s: Percentiles | None = None
    """Time to first token, seconds."""
    tpot_s: Percentiles | None = None
    """Time per output token, seconds."""
    latency_s: Percentiles | None = None
    """Whole calls, seconds."""
    input_tokens: int | None = None
    """Prompt tokens, all calls."""
    output_tokens: int | None = None
    """Generated tokens, all calls."""
    cost_usd: float | None = None
    """Price of all calls, as if none were cached; None when any is unknown."""
    peak_memory_bytes: int | None = None
    """Largest resident memory of the local engine during the run."""


class Comparison(Noun):
    """One metric of one variant against the baseline's, case by case."""

    metric: str
    """The metric."""
    baseline: str
    """The variant compared with."""
    candidate: str
    """The variant."""
    difference: Estimate
    """Candidate minus baseline, paired by case."""
    p_value: float
    """Two-sided, against no difference."""
    p_adjusted: float
    """After Holm's correction over all comparisons of the experiment."""
    detectable: float
    """Minimum detectable effect: the true difference found with 80 % power at this size."""
    more_cases: int | None
    """About how many further cases would show a difference as large as the one seen; None when none was seen."""
    verdict: Verdict
    """``better`` and ``worse`` are significant after correction; ``equal`` when no case differs."""
    sentence: str
    """The verdict in words."""


class GateOutcome(Noun):
    """A gate and what came of it."""

    gate: str
    """The condition as written."""
    passed: bool
    """Whether it held for every variant that it speaks of."""
    sentence: str
    """The numbers that decided."""


class Results(Noun):
    """Everything that an experiment found."""

    runs: tuple[RunSummary, ...]
    """One for each variant."""
    comparisons: tuple[Comparison, ...] = ()
    """Each variant against the baseline, by metric."""
    gates: tuple[GateOutcome, ...] = ()
    """Gates, in the order of the file."""
    wall_s: float = 0.0
    """Wall time of the last start, seconds."""

    @property
    def errors(self) -> int:
        """Calls that failed, over all runs."""
        return sum(run.errors for run in self.runs)

    @property
    def passed(self) -> bool:
        """Whether every gate held."""
        return all(gate.passed for gate in self.gates)


class Progress(Noun):
    """How far an experiment is."""

    run: str
    """Variant being tried."""
    done: int
    """Answers there, over all variants, resumed and cached ones counted."""
    total: int
    """Answers wanted."""
    errors: int = 0
    """Calls that failed for good."""
    cached: int = 0
    """Answers from the response cache."""
    resumed: int = 0
    """Answers that an earlier start had finished."""
    rate: float | None = None
    """Answers a second, lately."""
