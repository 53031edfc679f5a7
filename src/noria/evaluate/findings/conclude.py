"""From what was judged to what was found: summaries, comparisons with the baseline, gates.

And before that: whether a spec can lead to a conclusion at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from noria.core.errors import InvalidInput
from noria.core.experiments import Experiment, ExperimentSpec
from noria.core.results import Results
from noria.core.scores import Aggregating, Scorer
from noria.evaluate.findings.compare import adjust, compare
from noria.evaluate.findings.gates import check, check_names, parse_gate
from noria.evaluate.findings.judged import Judged
from noria.evaluate.findings.summary import summarise


def metric_names(scorers: Sequence[Scorer]) -> list[str]:
    """Names of everything that the scorers measure: their own, and those over a run."""
    found = []
    for scorer in scorers:
        aggregates = scorer.aggregates() if isinstance(scorer, Aggregating) else ()
        found += [scorer.name, *(f"{scorer.name}.{metric.name}" for metric in aggregates)]
    return found


def check_spec(spec: ExperimentSpec, scorers: Sequence[Scorer]) -> None:
    """Refuse what could not be concluded, before a call is spent on it.

    Raises:
        InvalidInput: no variant, scorer, repeat or case, no level, a name used twice, a baseline that is no variant, or a gate that
            cannot be read or speaks of no known metric or variant.
    """
    names = [entry.name for entry in spec.variants]
    for what, found in (("variant", names), ("scorer", [entry.name for entry in spec.scorers])):
        if not found:
            raise InvalidInput(f'The experiment "{spec.name}" has no {what}.')
        if len(set(found)) < len(found):
            twice = next(name for index, name in enumerate(found) if name in found[:index])
            raise InvalidInput(f'Two {what}s of the experiment "{spec.name}" are called "{twice}".')
    if spec.baseline not in names:
        raise InvalidInput(f'The baseline "{spec.baseline}" is no variant; there are {", ".join(names)}.')
    if spec.repeats < 1:
        raise InvalidInput(f"Every case is called at least once, not {spec.repeats} times.")
    if not 0.0 < spec.alpha < 1.0:
        raise InvalidInput(f"The significance level alpha is {spec.alpha}; it must be above 0 and below 1.")
    if spec.limit is not None and spec.limit < 1:
        raise InvalidInput(f"The limit of cases is {spec.limit}; it must be at least 1.")
    check_names(map(parse_gate, spec.gates), metrics=metric_names(scorers), variants=names)


def conclude(
    experiment: Experiment,
    judged: Mapping[str, Sequence[Judged]],
    scorers: Sequence[Scorer],
    *,
    wall_s: float,
) -> Results:
    """Everything that an experiment found.

    Arguments:
        judged: every call of each run, by run id, failed ones too.
        scorers: the experiment's, in order.
        wall_s: wall time of the start that ended now, seconds.
    """
    spec = experiment.spec
    runs = tuple(
        summarise(part, judged[part.id], scorers, alpha=spec.alpha, peak_memory=_peak_memory(judged[part.id]))
        for part in experiment.runs
    )
    baseline = next(part for part in experiment.runs if part.variant_name == spec.baseline)
    measurements = [
        measurement
        for part in experiment.runs
        if part.id != baseline.id
        for measurement in compare(
            judged[baseline.id],
            judged[part.id],
            scorers,
            baseline=spec.baseline,
            candidate=part.variant_name,
            alpha=spec.alpha,
        )
    ]
    found = Results(runs=runs, comparisons=adjust(measurements, alpha=spec.alpha), wall_s=wall_s)
    gates = check([parse_gate(text) for text in spec.gates], found, baseline=spec.baseline)
    return msgspec.structs.replace(found, gates=gates)


def _peak_memory(judged: Sequence[Judged]) -> int | None:
    """Largest resident memory of the local engine during a run's calls, bytes, as their spans say; None where none ran."""
    seen = [one.span.attributes.get("noria.engine.peak_rss_bytes") for one in judged]
    return max((peak for peak in seen if isinstance(peak, int)), default=None)


def failed_calls(judged: Mapping[str, Sequence[Judged]]) -> str:
    """How many calls failed for good, and why the first did, as a sentence; empty when none did."""
    every = [one for part in judged.values() for one in part]
    failed = [one.span for one in every if not one.answered]
    if not failed:
        return ""
    first = failed[0].error_message or failed[0].error_type or "no reason was given"
    return (
        f"{len(failed)} of {len(every)} calls failed, the first with: {first.rstrip('.')}. "
        "Start it again: only those are called."
    )
