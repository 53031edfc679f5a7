"""Gates held against results."""

import pytest
from judging import Plain, call, calls

from noria.core.experiments import Run
from noria.core.results import Comparison, Estimate, Results
from noria.evaluate.findings.compare import adjust, compare
from noria.evaluate.findings.gates import check, parse_gate
from noria.evaluate.findings.summary import summarise

SCORERS = (Plain(), Plain("speed"))


def run(name, judged, peak_memory=None):
    part = Run(id=f"run_{name}", variant_name=name, variant_id=name)
    return summarise(part, judged, SCORERS, alpha=0.05, peak_memory=peak_memory)


OLD = calls([True] * 60 + [False] * 40)
NEW = [
    call(f"case {index:04}", {"accuracy": index < 80}, seconds=2.0, cost_usd=0.01, input_tokens=7)
    for index in range(100)
]
PAIR = Results(
    runs=(run("plain", OLD), run("few-shot", NEW, peak_memory=10**9)),
    comparisons=adjust(compare(OLD, NEW, SCORERS, baseline="plain", candidate="few-shot", alpha=0.05), alpha=0.05),
)


def outcome(text, results=PAIR, **options):
    return check([parse_gate(text)], results, **options)[0]


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("accuracy.mean > 0.79", True),
        ("accuracy.value >= 80 %", True),
        ("accuracy.lower > 0.75", False),
        ("accuracy.upper < 0.9", True),
        ("accuracy.n == 100", True),
        ("accuracy.errors != 0", False),
        ("plain:accuracy.mean <= 0.6", True),
        ("accuracy.difference.lower > 0.1", True),
        ("accuracy.difference.mean > 0.3", False),
        ("accuracy.difference.upper < 1", True),
        ("accuracy.difference.p < 0.001", True),
        ("latency.p50 < 2", False),
        ("latency.p99 <= 2", True),
        ("cost.total < 1.01", True),
        ("input_tokens.total == 700", True),
        ("memory.peak < 2e9", True),
        ("errors == 0", True),
        ("cases == 100", True),
        ("calls < 100", False),
        ("cached == 0", True),
    ],
)
def test_gates_hold_or_fail(text, passed):
    found = outcome(text)
    assert (found.gate, found.passed) == (text, passed)
    assert found.sentence.startswith("Passed: " if passed else "Failed: ")


def test_the_sentence_has_the_number_that_decided():
    assert outcome("accuracy.mean > 0.9").sentence == "Failed: few-shot has 0.8."


def test_without_a_variant_every_candidate_must_hold():
    three = Results(runs=(run("plain", OLD), run("few-shot", NEW), run("third", OLD)))
    found = outcome("accuracy.mean > 0.7", three)
    assert (found.passed, found.sentence) == (False, "Failed: few-shot has 0.8, third has 0.6 (failed).")
    assert outcome("accuracy.mean > 0.5", three).passed
    assert outcome("accuracy.mean > 0.7", three, baseline="third").passed is False
    assert not outcome("plain:accuracy.mean > 0.7", three).passed


def test_the_only_variant_is_the_one_spoken_of():
    assert outcome("accuracy.mean == 0.6", Results(runs=(run("plain", OLD),))).passed


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("acuracy.lower > 0", 'there is no metric "acuracy". Did you mean "accuracy"?'),
        ("fewshot:accuracy.lower > 0", 'there is no variant "fewshot". Did you mean "few-shot"?'),
        ("speed.mean > 0", "few-shot has no score of speed."),
        ("ttft.p50 < 100", "few-shot has no known ttft."),
        ("output_tokens.total < 100", "few-shot has no known output tokens."),
        ("plain:memory.peak < 1e12", "plain has no known memory."),
        ("plain:cost.total < 100", "plain has no known cost."),
        ("plain:accuracy.difference.value < 1", "plain was not compared with a baseline by accuracy."),
        ("acuracy.difference.value < 1", 'there is no metric "acuracy"'),
    ],
)
def test_what_cannot_be_evaluated_has_failed(text, reason):
    found = outcome(text)
    assert not found.passed
    assert "can't be evaluated" in found.sentence
    assert reason in found.sentence


def test_no_run_passes_nothing():
    assert not outcome("errors == 0", Results(runs=())).passed


def test_one_number_has_no_lower_end():
    single = Results(runs=(run("plain", calls([0.9])),))
    assert outcome("accuracy.mean > 0.8", single).passed
    found = outcome("accuracy.lower > 0.8", single)
    assert not found.passed
    assert "one independent case" in found.sentence


def test_an_interval_that_is_a_point_is_pointed_out():
    steady = Results(runs=(run("plain", calls([0.9, 0.9, 0.9])),))
    found = outcome("accuracy.lower > 0.8", steady)
    assert found.passed
    assert "its interval is a point" in found.sentence


def test_a_difference_of_one_case_is_no_evidence():
    one = Estimate(value=1, lower=1, upper=1, standard_error=0, n=1, clusters=1, method="single")
    comparison = Comparison(
        metric="accuracy", baseline="plain", candidate="few-shot", difference=one, p_value=1, p_adjusted=1,
        detectable=0, more_cases=None, verdict="undecided", sentence="",
    )  # fmt: skip
    results = Results(runs=PAIR.runs, comparisons=(comparison,))
    assert not outcome("accuracy.difference.lower > 0", results).passed
    assert outcome("accuracy.difference.value > 0", results).passed
