"""The main job, as a user runs it: the real model, the real data, the real command."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from noria.cli.demo.phases import choose_set_up, choose_variant
from noria.core.results import Comparison, Estimate, Results, RunSummary, Verdict

ROOT = Path(__file__).parent.parent.parent.parent


def noria(*arguments: str, data: Path) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "noria.cli", *arguments, "--data", str(data)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "120"},
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.model
@pytest.mark.timeout(900)
def test_once_round_the_loop_and_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    said = noria("demo", data=data)
    for number, phase in enumerate(["Choose", "Adapt", "Evaluate", "Serve", "Monitor", "Track"], 1):
        assert f"{number} · {phase}" in said
    assert "→ question-triage serves" in said
    assert "24 calls judged" in said

    experiments = json.loads(noria("experiments", "list", "--json", data=data))
    assert [e["status"] for e in experiments] == ["finished", "finished"]
    runs = {run["variant"]: run for run in experiments[0]["results"]["runs"]}
    assert {name: run["calls"] for name, run in runs.items()} == {"instruction": 179, "few-shot": 179}
    accuracy = next(m for m in runs["few-shot"]["measures"] if m["metric"] == "topic.accuracy")
    assert accuracy["estimate"]["lower"] > 0.5  # measurably better than a coin
    assert runs["few-shot"]["ttft_s"]["p50"] > 0

    [app] = json.loads(noria("apps", "list", "--json", data=data))
    assert app["release"]["experiment_id"] == experiments[0]["id"]
    latest = json.loads(noria("traces", "list", "--app", "question-triage", "--limit", "24", "--json", data=data))
    assert {span.get("status", "ok") for span in latest} == {"ok"}  # JSON leaves defaults out
    assert all(span["lineage"]["release_id"] == app["release"]["id"] for span in latest)
    trace = json.loads(noria("traces", "show", latest[0]["trace_id"], "--json", data=data))
    assert [score["scorer"] for score in trace["scores"]] == ["known_label"]

    again = noria("demo", data=data)
    assert "24 calls judged" in again
    second = json.loads(noria("experiments", "list", "--json", data=data))[0]
    cached = {run["variant"]: run.get("cached", 0) for run in second["results"]["runs"]}
    assert cached == {"instruction": 179, "few-shot": 179} or second["id"] == experiments[0]["id"]


def results(verdict: Verdict, latency: Verdict = "undecided", *, saved: int = 100) -> Results:
    estimate = Estimate(value=0, lower=0, upper=0, standard_error=0, n=1, clusters=1, method="t")

    def comparison(metric: str, verdict: Verdict) -> Comparison:
        return Comparison(
            metric=metric,
            baseline="old",
            candidate="new",
            difference=estimate,
            p_value=0.5,
            p_adjusted=0.5,
            detectable=0.1,
            more_cases=10,
            verdict=verdict,
            sentence=f"{metric} is {verdict}.",
        )

    def run(name: str, memory: int) -> RunSummary:
        return RunSummary(
            variant=name,
            run_id=name,
            cases=1,
            calls=1,
            errors=0,
            cached=0,
            measures=(),
            peak_memory_bytes=memory * 1_000_000,
        )

    return Results(
        runs=(run("old", 500), run("new", 500 - saved)),
        comparisons=(comparison("topic.accuracy", verdict), comparison("latency", latency)),
    )


@pytest.mark.parametrize(
    ("found", "chosen", "why"),
    [
        (results("undecided"), "new", "saves 100 MB"),
        (results("better"), "new", "saves 100 MB"),
        (results("worse"), "old", "measurably worse"),
        (results("undecided", "worse"), "old", "measurably slower"),
        (results("undecided", saved=0), "old", "saves no memory"),
    ],
)
def test_the_lean_set_up_is_taken_unless_something_measurable_speaks_against_it(
    found: Results, chosen: str, why: str
) -> None:
    name, reason = choose_set_up(found)
    assert name == chosen
    assert why in reason


@pytest.mark.parametrize(("verdict", "released"), [("better", "new"), ("worse", "old"), ("undecided", "old")])
def test_only_what_is_better_beyond_chance_is_released(verdict: Verdict, released: str) -> None:
    name, reason = choose_variant(results(verdict), "old")
    assert name == released
    assert f"topic.accuracy is {verdict}." in reason
