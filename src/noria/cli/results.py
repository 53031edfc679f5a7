"""How an experiment's results look in a terminal: the table, the intervals, the sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from noria.cli.tables import coloured, dollars, megabytes, number, seconds, short_id, table, tokens, when
from noria.cli.terminal import Console
from noria.core.experiments import Experiment
from noria.core.results import Classification, Comparison, Results, RunSummary

if TYPE_CHECKING:
    from rich.text import Text

PLOT = 31
"""Characters of an interval plot."""

_COLOURS = {"better": "green", "worse": "red", "undecided": "yellow", "equal": "dim"}


def draw_experiment(console: Console, experiment: Experiment) -> None:
    """Everything about one experiment."""
    spec = experiment.spec
    console.print(
        f"{spec.name}  {experiment.status}  {short_id(experiment.id)}  {when(experiment.created_ns)}"
        + (f"  by {experiment.created_by}" if experiment.created_by else "")
    )
    if experiment.error:
        console.print(coloured(experiment.error, "yellow"))
    if experiment.results is None:
        console.print("No results yet.")
    else:
        draw_results(console, experiment.results, alpha=spec.alpha)


def draw_ended(console: Console, experiment: Experiment) -> None:
    """An experiment that was just run. What went wrong with it is for the caller to say."""
    if experiment.results is not None:
        draw_experiment(console, msgspec.structs.replace(experiment, error=""))


def draw_results(console: Console, results: Results, *, alpha: float) -> None:
    """Metrics with intervals, speed and cost, comparisons, gates."""
    console.print("")
    for metric in _metrics(results):
        _draw_metric(console, results.runs, metric, coverage=1 - alpha)
    _draw_speed(console, results)
    for run in results.runs:
        for classification in run.classifications:
            _draw_classification(console, run, classification)
    draw_sentences(console, results)


def _draw_speed(console: Console, results: Results) -> None:
    """Speed, size, cost and mishaps, a row a variant."""
    headers = (
        *("variant", "cases", "TTFT\np50", "TPOT\np50", "latency\np50", "latency\np99"),
        *("tokens\nin → out", "cost", "memory\npeak", "from\ncache", "failed\ncalls"),
    )
    rows = [
        (
            run.variant,
            run.cases,
            seconds(run.ttft_s.p50 if run.ttft_s else None),
            seconds(run.tpot_s.p50 if run.tpot_s else None),
            seconds(run.latency_s.p50 if run.latency_s else None),
            seconds(run.latency_s.p99 if run.latency_s else None),
            f"{tokens(run.input_tokens)} → {tokens(run.output_tokens)}",
            dollars(run.cost_usd),
            megabytes(run.peak_memory_bytes),
            run.cached,
            coloured(str(run.errors), "red" if run.errors else ""),
        )
        for run in results.runs
    ]
    may_be_empty = ("TTFT\np50", "TPOT\np50", "memory\npeak", "from\ncache", "failed\ncalls")
    spare = ("latency\np99", "memory\npeak", "from\ncache", "TPOT\np50")
    made = table(*headers, rows=rows, right=headers[1:], prose=["variant"], spare=spare, hide_empty=may_be_empty)
    console.print(made, "")


def draw_sentences(console: Console, results: Results) -> None:
    """What the numbers mean: comparisons and gates."""
    for comparison in results.comparisons:
        console.print(coloured(f"{_mark(comparison)} {comparison.sentence}", _COLOURS[comparison.verdict]))
    for gate in results.gates:
        mark, colour = ("✓", "green") if gate.passed else ("✗", "red")
        console.print(coloured(f"{mark} gate {gate.gate}: {gate.sentence}", colour))


def _mark(comparison: Comparison) -> str:
    return {"better": "▲", "worse": "▼", "undecided": "?", "equal": "="}[comparison.verdict]


def _metrics(results: Results) -> list[str]:
    return list(dict.fromkeys(measured.metric for run in results.runs for measured in run.measures))


def _draw_metric(console: Console, runs: tuple[RunSummary, ...], metric: str, *, coverage: float) -> None:
    found = [(run.variant, m) for run in runs for m in run.measures if m.metric == metric]
    lowest = min(m.estimate.lower for _, m in found)
    highest = max(m.estimate.upper for _, m in found)
    if lowest >= 0 and highest <= 1:
        lowest, highest = 0.0, 1.0
    rows = [
        (
            variant,
            number(m.estimate.value),
            f"{number(m.estimate.lower)} to {number(m.estimate.upper)}",
            interval_plot(m.estimate.lower, m.estimate.value, m.estimate.upper, lowest, highest),
            m.estimate.n,
            (f"{m.abstained} abstained " if m.abstained else "") + (f"{m.failed} failed" if m.failed else ""),
        )
        for variant, m in found
    ]
    scale = f"{number(lowest)}{number(highest):>{PLOT - len(number(lowest))}}"
    headers = (metric, "mean", f"{coverage:.0%} interval", scale, "n", "")
    made = table(*headers, rows=rows, right=("mean", "n"), prose=[metric], spare=[scale, "n"], hide_empty=[""])
    console.print(made, "")


def interval_plot(lower: float, value: float, upper: float, lowest: float, highest: float) -> Text:
    """An interval with its point, drawn in characters on the axis from ``lowest`` to ``highest``."""
    span = highest - lowest or 1.0

    def column(x: float) -> int:
        return round((min(max(x, lowest), highest) - lowest) / span * (PLOT - 1))

    cells = ["·"] * PLOT
    for position in range(column(lower), column(upper) + 1):
        cells[position] = "━"
    cells[column(value)] = "●"
    return coloured("".join(cells), "cyan")


def _draw_classification(console: Console, run: RunSummary, found: Classification) -> None:
    def part(value: float | None) -> str:
        return "–" if value is None else f"{value:.2f}"

    rows = [
        (one.label, part(one.precision), part(one.recall), part(one.f1), one.support, *counts)
        for one, counts in zip(found.classes, found.confusion, strict=False)
    ]
    predicted = [f"→ {label}" for label in found.labels]
    headers = (f"{run.variant}: {found.scorer}", "precision", "recall", "F1", "cases", *predicted)
    console.print(table(*headers, rows=rows, right=headers[1:], spare=["cases", "F1"]), "")
