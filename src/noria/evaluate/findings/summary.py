"""One run in numbers: metrics with intervals, times, tokens, cost, errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, TypeVar

import numpy as np

from noria.core.experiments import Run
from noria.core.results import Classification, Estimate, Measured, Percentiles, RunSummary
from noria.core.scores import Aggregating, Classifying, Scorer
from noria.evaluate.findings.judged import Judged
from noria.evaluate.statistics.bootstrap import bootstrap, run_statistics
from noria.evaluate.statistics.intervals import estimate
from noria.evaluate.statistics.samples import scored

Amount = TypeVar("Amount", int, float)

NOTHING = Estimate(value=0.0, lower=0.0, upper=0.0, standard_error=0.0, n=0, clusters=0, method="none")
"""The estimate of a metric without an observation: show "no data", never its numbers."""


def summarise(
    run: Run,
    judged: Sequence[Judged],
    scorers: Sequence[Scorer],
    *,
    alpha: float,
    peak_memory: int | None = None,
) -> RunSummary:
    """What one variant did. The result does not depend on the order of ``judged``.

    Arguments:
        run: the variant's part of the experiment.
        judged: every call of the run, failed ones too (one each, after their last try).
        scorers: the experiment's, in order. Booleans and numbers get a measure; categories speak through the scorer's
            metrics over the run (:class:`~noria.core.scores.Aggregating`) and table.
        alpha: intervals have coverage 1 - ``alpha``.
        peak_memory: largest resident memory of the local engine, bytes.
    """
    answered = [one for one in judged if one.answered]
    spans = [one.span for one in answered]
    return RunSummary(
        variant=run.variant_name,
        run_id=run.id,
        cases=_complete(judged),
        calls=len(answered),
        errors=len(judged) - len(answered),
        cached=sum(span.cached for span in spans),
        measures=tuple(measure for scorer in scorers for measure in _measures(answered, scorer, alpha)),
        classifications=tuple(table for scorer in scorers for table in _tables(answered, scorer)),
        ttft_s=percentiles(span.ttft_s for span in spans),
        tpot_s=percentiles(span.tpot_s for span in spans),
        latency_s=percentiles(span.duration_s for span in spans),
        input_tokens=_total([span.input_tokens for span in spans]),
        output_tokens=_total([span.output_tokens for span in spans]),
        cost_usd=_total([span.cost_usd for span in spans]),
        peak_memory_bytes=peak_memory,
    )


def percentiles(values: Iterable[float | None]) -> Percentiles | None:
    """Percentiles of the values that are known, interpolated linearly; None when none is."""
    known = [value for value in values if value is not None]
    if not known:
        return None
    p50, p90, p99 = np.quantile(known, (0.5, 0.9, 0.99))
    return Percentiles(p50=float(p50), p90=float(p90), p99=float(p99))


def _measures(answered: Sequence[Judged], scorer: Scorer, alpha: float) -> Iterator[Measured]:
    abstained = sum(one.abstained(scorer.name) for one in answered)
    failed = sum(one.failed(scorer.name) for one in answered)

    def measured(metric: str, found: Estimate | None, better: Literal["higher", "lower"] | None) -> Measured:
        return Measured(metric=metric, estimate=found or NOTHING, better=better, abstained=abstained, failed=failed)

    sample = scored(answered, scorer.name)
    judgements = [one.score(scorer.name) for one in answered]
    categories = any(score is not None and isinstance(score.value, str) for score in judgements)
    if not categories:
        yield measured(scorer.name, None if sample is None else estimate(sample, alpha=alpha), scorer.better)
    if isinstance(scorer, Aggregating):
        for metric in scorer.aggregates():
            statistics = run_statistics(answered, scorer.name, metric)
            found = None
            if statistics is not None:
                found = bootstrap(statistics.by_unit(), metric.value, n=statistics.calls, alpha=alpha)
            yield measured(f"{scorer.name}.{metric.name}", found, metric.better)


def _tables(answered: Sequence[Judged], scorer: Scorer) -> Iterator[Classification]:
    if isinstance(scorer, Classifying):
        ordered = sorted(answered, key=lambda one: (one.case_id, one.repeat))
        scores = [score for one in ordered if (score := one.score(scorer.name)) is not None]
        if scores:
            yield scorer.classification(scores)


def _complete(judged: Sequence[Judged]) -> int:
    """Cases that were answered in every repeat that any case had."""
    repeats = len({one.repeat for one in judged})
    answers = Counter(case for case, _ in {(one.case_id, one.repeat) for one in judged if one.answered})
    return sum(count == repeats for count in answers.values())


def _total(values: Sequence[Amount | None]) -> Amount | None:
    """The sum over all answers; None when there is none, or any is unknown: unknown is not 0."""
    known = [value for value in values if value is not None]
    return sum(sorted(known)[1:], min(known)) if known and len(known) == len(values) else None
