"""Gates: what must hold before a variant is released.

A gate that can't be evaluated (a metric that is not there, no answer, one single case) has not held: it fails with a
sentence and never passes by absence.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable

from noria.core.errors import InvalidInput
from noria.core.results import Comparison, Estimate, GateOutcome, Measured, Percentiles, Results, RunSummary
from noria.evaluate.findings.gate_language import Gate, Operator, check_names, parse_gate, unknown

__all__ = ["Gate", "check", "check_names", "parse_gate"]

_HOLDS: dict[Operator, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def check(gates: Iterable[Gate], results: Results, *, baseline: str | None = None) -> tuple[GateOutcome, ...]:
    """Hold every gate against the results.

    Arguments:
        gates: the conditions. One without a variant speaks of every variant but the baseline, or of the only one.
        results: runs and comparisons after Holm's correction.
        baseline: name of the baseline variant; by default the comparisons', or the first run.
    """
    if baseline is None:
        baseline = next((comparison.baseline for comparison in results.comparisons), None)
    if baseline is None and results.runs:
        baseline = results.runs[0].variant
    return tuple(_outcome(gate, results, baseline) for gate in gates)


def _outcome(gate: Gate, results: Results, baseline: str | None) -> GateOutcome:
    try:
        runs = _runs(gate, results, baseline)
        values = [(run.variant, _value(gate, run, results.comparisons)) for run in runs]
    except InvalidInput as missing:
        return GateOutcome(gate=gate.text, passed=False, sentence=f"Failed, it can't be evaluated: {missing}")
    held = [(variant, value, _HOLDS[gate.operator](value, gate.bound)) for variant, value in values]
    passed = all(holds for _, _, holds in held)
    numbers = ", ".join(
        f"{variant} has {value:.6g}" + ("" if holds or len(held) == 1 else " (failed)")
        for variant, value, holds in held
    )
    return GateOutcome(
        gate=gate.text, passed=passed, sentence=f"{'Passed' if passed else 'Failed'}: {numbers}{_points(gate, runs)}."
    )


def _runs(gate: Gate, results: Results, baseline: str | None) -> list[RunSummary]:
    if gate.variant is not None:
        named = [run for run in results.runs if run.variant == gate.variant]
        if not named:
            raise InvalidInput(unknown("variant", gate.variant, [run.variant for run in results.runs]))
        return named
    if not results.runs:
        raise InvalidInput("there is no run.")
    return [run for run in results.runs if len(results.runs) == 1 or run.variant != baseline]


def _value(gate: Gate, run: RunSummary, comparisons: Iterable[Comparison]) -> float:
    """The number that the gate speaks of, for one run; InvalidInput when there is none."""
    if not gate.metric:
        counts = {"errors": run.errors, "cases": run.cases, "calls": run.calls, "cached": run.cached}
        return float(counts[gate.field])
    if gate.of_run:
        return _of_run(gate, run)
    measured = _measured(gate.metric, run)
    if gate.difference:
        return _of_difference(gate, run, comparisons)
    if gate.field == "errors":
        return float(measured.failed)
    if gate.field == "n":
        return float(measured.estimate.n)
    if measured.estimate.n == 0:
        raise InvalidInput(f"{run.variant} has no score of {gate.metric}.")
    return _of_estimate(gate, measured.estimate, run.variant)


def _measured(metric: str, run: RunSummary) -> Measured:
    for measured in run.measures:
        if measured.metric == metric:
            return measured
    raise InvalidInput(unknown("metric", metric, [measured.metric for measured in run.measures]))


def _of_run(gate: Gate, run: RunSummary) -> float:
    percentiles: dict[str, Percentiles | None] = {"latency": run.latency_s, "ttft": run.ttft_s, "tpot": run.tpot_s}
    totals: dict[str, float | None] = {
        "cost": run.cost_usd,
        "input_tokens": run.input_tokens,
        "output_tokens": run.output_tokens,
        "memory": run.peak_memory_bytes,
    }
    if gate.metric in percentiles:
        found = percentiles[gate.metric]
        value: float | None = None
        if found is not None:
            value = {"p50": found.p50, "p90": found.p90, "p99": found.p99}[gate.field]
    else:
        value = totals[gate.metric]
    if value is None:
        raise InvalidInput(f"{run.variant} has no known {gate.metric.replace('_', ' ')}.")
    return float(value)


def _of_difference(gate: Gate, run: RunSummary, comparisons: Iterable[Comparison]) -> float:
    for comparison in comparisons:
        if comparison.candidate == run.variant and comparison.metric == gate.metric:
            if gate.field == "p":
                return comparison.p_adjusted
            return _of_estimate(gate, comparison.difference, run.variant)
    raise InvalidInput(f"{run.variant} was not compared with a baseline by {gate.metric}.")


def _of_estimate(gate: Gate, estimate: Estimate, variant: str) -> float:
    if gate.field in {"mean", "value"}:
        return estimate.value
    if estimate.method == "single":
        raise InvalidInput(f"{variant} has {gate.metric} from one independent case, so there is no interval.")
    return estimate.lower if gate.field == "lower" else estimate.upper


def _points(gate: Gate, runs: Iterable[RunSummary]) -> str:
    """A warning where an interval's end was asked for and nothing varied."""
    exact = [
        run.variant
        for run in runs
        for measured in run.measures
        if measured.metric == gate.metric and measured.estimate.method == "exact"
    ]
    if gate.difference or gate.field not in {"lower", "upper"} or not exact:
        return ""
    return f" (no answer of {', '.join(exact)} differs in it, so its interval is a point)"
