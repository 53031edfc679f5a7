"""Comparisons, from judged calls to verdicts."""

import msgspec
import numpy as np
import pytest
from judging import Labels, Plain, call, calls

from noria.core.results import Comparison
from noria.evaluate.findings.compare import adjust, compare


def compared(old, new, *scorers, alpha=0.05):
    return adjust(
        compare(old, new, scorers or (Plain(),), baseline="plain", candidate="few-shot", alpha=alpha), alpha=alpha
    )


def test_a_clear_winner():
    old, new = calls([False] * 20 + [True] * 80), calls([True] * 99 + [False])
    (found,) = compared(old, new)
    assert (found.metric, found.baseline, found.candidate, found.verdict) == (
        "accuracy", "plain", "few-shot", "better",
    )  # fmt: skip
    assert found.difference.value == pytest.approx(0.19)
    assert found.more_cases == 0
    assert found.sentence.startswith("few-shot is better than plain: accuracy 0.99 vs 0.80, +0.19")


def test_not_enough_evidence_with_a_forecast_that_holds():
    """The forecast cases, simulated at the difference seen, decide in about four of five experiments."""
    old = calls([True] * 60 + [False] * 40)
    new = calls([True] * 54 + [False] * 6 + [True] * 12 + [False] * 28)
    (found,) = compared(old, new)
    assert found.verdict == "undecided"
    assert f"About {found.more_cases:,} more cases" in found.sentence
    rng = np.random.default_rng(1)
    decided, rounds, n = 0, 60, 100 + found.more_cases
    for _ in range(rounds):
        kind = rng.choice(3, p=[0.06, 0.12, 0.82], size=n)
        again = compared(calls((kind == 0).tolist()), calls((kind == 1).tolist()))
        decided += again[0].verdict == "better"
    assert 0.65 <= decided / rounds <= 0.95


def test_equal_answers_are_equal_and_ask_for_no_more_cases():
    (found,) = compared(calls([True, False, True]), calls([True, False, True]))
    assert (found.verdict, found.p_value, found.more_cases) == ("equal", 1.0, None)
    assert found.detectable > 0, "three cases can't show a small difference"


def test_the_correction_spans_everything_given():
    old = calls([False] * 8 + [True] * 32)
    new = calls([True] * 40)
    one = compare(old, new, (Plain(),), baseline="plain", candidate="few-shot", alpha=0.05)
    alone = adjust(one, alpha=0.05)[0]
    among = adjust(one * 10, alpha=0.05)[0]
    assert (alone.p_adjusted, alone.verdict) == (alone.p_value, "better")
    assert among.p_adjusted == pytest.approx(10 * alone.p_value)
    assert among.verdict == "undecided"
    assert "10 comparisons were made" in among.sentence
    assert among.detectable > alone.detectable


def test_classes_are_compared_by_their_run_metric():
    truth = ["yes", "no"] * 40
    told = ["yes"] * 40 + ["no", "yes"] * 20

    def answers(labels):
        return [
            call(f"{index:03}", {"label": label, "accuracy": label == is_}, reference=is_)
            for index, (label, is_) in enumerate(zip(labels, truth, strict=True))
        ]

    label, accuracy = compared(answers(told), answers(truth), Labels(), Plain())
    assert (label.metric, label.verdict) == ("label.macro_f1", "better")
    assert (accuracy.metric, accuracy.verdict) == ("accuracy", "better")


def test_lower_latency_is_better():
    rng = np.random.default_rng(2)
    slow = rng.gamma(9, 0.2, 30)
    (found,) = compared(
        calls(slow.tolist(), "latency"), calls((slow * 0.7).tolist(), "latency"), Plain("latency", "lower")
    )
    assert found.verdict == "better"
    assert " s, -" in found.sentence


def test_failed_calls_and_strangers_are_left_out():
    old = [call("a", {"accuracy": True}), call("b", status="error"), call("c", {"accuracy": True})]
    new = [call("a", {"accuracy": True}), call("b", {"accuracy": False}), call("d", {"accuracy": False})]
    (found,) = compared(old, new)
    assert (found.difference.n, found.verdict) == (1, "equal")
    assert compared(old[1:2], new) == ()
    assert compared(old, [call("z", {"accuracy": True})]) == ()
    assert compared(calls(["yes"]), calls(["no"])) == (), "categories have no difference"


def test_every_comparison_survives_json():
    for old, new in [([1.5], [2.5]), ([True], [False]), ([1.0, 2.0], [2.0, 3.0]), ([0.1, 0.5, 0.2], [0.2, 0.1, 0.9])]:
        (found,) = compared(calls(old), calls(new))
        assert msgspec.json.decode(msgspec.json.encode(found), type=Comparison) == found
        assert found.verdict == "undecided"


def test_verdict_and_interval_never_contradict():
    rng = np.random.default_rng(3)
    verdicts = set()
    for _ in range(80):
        n = int(rng.integers(2, 60))
        old, new = rng.random(n) < 0.5, rng.random(n) < rng.uniform(0.4, 1)
        (found,) = compared(calls(old.tolist()), calls(new.tolist()))
        verdicts.add(found.verdict)
        if found.verdict == "better":
            assert found.difference.lower > 0
        elif found.verdict == "worse":
            assert found.difference.upper < 0
        elif found.difference.lower > 0 or found.difference.upper < 0:
            assert "but" in found.sentence
    assert verdicts >= {"better", "undecided"}
