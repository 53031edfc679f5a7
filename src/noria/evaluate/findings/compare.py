"""Comparisons of variants with the baseline, and their correction over the whole experiment.

Two steps, because Holm's correction needs every comparison of the experiment: :func:`compare` measures one candidate,
:func:`adjust` takes what was measured of all candidates and decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from noria.core.results import Comparison
from noria.core.scores import Aggregating, Scorer
from noria.core.struct import Noun
from noria.evaluate.findings.judged import Judged
from noria.evaluate.findings.verdict import decide, sentence
from noria.evaluate.statistics.bootstrap import run_statistics
from noria.evaluate.statistics.holm import holm, levels
from noria.evaluate.statistics.paired import Paired, paired, paired_run
from noria.evaluate.statistics.power import detectable, more_cases
from noria.evaluate.statistics.samples import scored


class Measurement(Noun):
    """One metric of two variants, measured and not yet decided."""

    metric: str
    """The scorer's name, or ``scorer.part`` for a metric over the run."""
    baseline: str
    """The variant compared with."""
    candidate: str
    """The variant."""
    better: Literal["higher", "lower"] | None
    """Which direction is an improvement."""
    found: Paired
    """The difference, its interval and its p-value."""


def compare(
    baseline_judged: Sequence[Judged],
    candidate_judged: Sequence[Judged],
    scorers: Sequence[Scorer],
    *,
    baseline: str,
    candidate: str,
    alpha: float,
) -> list[Measurement]:
    """Measure every metric of ``candidate`` against ``baseline`` on the cases that both answered.

    Categories have no difference of their own, so only their scorer's run metrics appear; a metric that has no case in
    common, or is undefined on them, is left out.
    """
    old = [one for one in baseline_judged if one.answered]
    new = [one for one in candidate_judged if one.answered]
    return [
        Measurement(metric=metric, baseline=baseline, candidate=candidate, better=better, found=found)
        for scorer in scorers
        for metric, better, found in _differences(old, new, scorer, alpha)
        if found is not None
    ]


def adjust(measurements: Sequence[Measurement], *, alpha: float) -> tuple[Comparison, ...]:
    """Decide: Holm's correction over all measurements of an experiment, verdicts and sentences.

    Power is reckoned at the level at which Holm's procedure makes each test, so that a forecast of cases allows for the
    other comparisons.
    """
    raw = [measurement.found.p_value for measurement in measurements]
    return tuple(
        _comparison(measurement, p_adjusted=p_adjusted, level=level, tests=len(raw), alpha=alpha)
        for measurement, p_adjusted, level in zip(measurements, holm(raw), levels(raw, alpha), strict=True)
    )


def _differences(
    old: Sequence[Judged], new: Sequence[Judged], scorer: Scorer, alpha: float
) -> Iterator[tuple[str, Literal["higher", "lower"] | None, Paired | None]]:
    before, after = scored(old, scorer.name), scored(new, scorer.name)
    if before is not None and after is not None:
        yield scorer.name, scorer.better, paired(before, after, alpha=alpha)
    if isinstance(scorer, Aggregating):
        for metric in scorer.aggregates():
            first = run_statistics(old, scorer.name, metric)
            second = run_statistics(new, scorer.name, metric)
            if first is not None and second is not None:
                yield f"{scorer.name}.{metric.name}", metric.better, paired_run(first, second, metric, alpha=alpha)


def _comparison(measurement: Measurement, *, p_adjusted: float, level: float, tests: int, alpha: float) -> Comparison:
    found = measurement.found
    verdict = decide(found, better=measurement.better, p_adjusted=p_adjusted, alpha=alpha)
    more = 0 if verdict in {"better", "worse"} else more_cases(found.difference, alpha=level)
    return Comparison(
        metric=measurement.metric,
        baseline=measurement.baseline,
        candidate=measurement.candidate,
        difference=found.difference,
        p_value=found.p_value,
        p_adjusted=p_adjusted,
        detectable=detectable(found.difference, alpha=level),
        more_cases=more,
        verdict=verdict,
        sentence=sentence(
            measurement.metric,
            measurement.baseline,
            measurement.candidate,
            found,
            verdict=verdict,
            better=measurement.better,
            p_raw=found.p_value,
            p_adjusted=p_adjusted,
            tests=tests,
            more=more,
            alpha=alpha,
        ),
    )
