"""One run in numbers."""

import math

import msgspec
import pytest
from judging import Labels, Plain, call, calls

from noria.core.experiments import Run
from noria.core.results import RunSummary
from noria.evaluate.findings.summary import NOTHING, percentiles, summarise

RUN = Run(id="run_1", variant_name="plain", variant_id="variant_1")


def summary(judged, *scorers):
    return summarise(RUN, judged, scorers or (Plain(),), alpha=0.05, peak_memory=7)


def test_a_run_is_counted():
    judged = [
        call("a", {"accuracy": True}, repeat=0, input_tokens=10, output_tokens=2, cost_usd=0.1, ttft_s=0.2),
        call("a", {"accuracy": False}, repeat=1, input_tokens=10, output_tokens=3, cost_usd=0.2, cached=True),
        call("b", {"accuracy": True}, repeat=0, input_tokens=5, output_tokens=1, cost_usd=0.0, seconds=3),
        call("b", repeat=1, status="error"),
    ]
    found = summary(judged)
    assert (found.variant, found.run_id, found.peak_memory_bytes) == ("plain", "run_1", 7)
    assert (found.cases, found.calls, found.errors, found.cached) == (1, 3, 1, 1)
    assert (found.input_tokens, found.output_tokens, found.cost_usd) == (25, 6, pytest.approx(0.3))
    assert found.latency_s.p50 == 1.0
    assert found.ttft_s.p99 == 0.2
    assert found.tpot_s is None
    accuracy = found.measures[0]
    assert (accuracy.metric, accuracy.estimate.value, accuracy.estimate.n, accuracy.better) == (
        "accuracy", 0.75, 3, "higher",
    )  # fmt: skip


def test_an_unknown_price_makes_the_total_unknown():
    judged = [call("a", cost_usd=0.1), call("b", cost_usd=None)]
    assert summary(judged).cost_usd is None
    assert summary([]).cost_usd is None


def test_what_a_scorer_did_not_judge_is_counted_and_left_out():
    judged = calls([1.0, None, ValueError("no"), math.nan, 3.0])
    measured = summary(judged).measures[0]
    assert (measured.abstained, measured.failed) == (1, 2)
    assert (measured.estimate.value, measured.estimate.n) == (2.0, 2)


def test_a_metric_without_a_score_is_no_zero():
    measured = summary(calls([ValueError("no")] * 3)).measures[0]
    assert (measured.estimate, measured.failed) == (NOTHING, 3)


def test_a_scorer_that_never_looked_neither_abstained_nor_failed():
    measured = summary([call("a")]).measures[0]
    assert (measured.abstained, measured.failed, measured.estimate.n) == (0, 0, 0)


def test_classes_speak_through_their_run_metrics_and_table():
    judged = [call(str(index), {"label": told}, reference=told) for index, told in enumerate(["yes", "no"] * 5)]
    judged += [call("x", {"label": "no"}, reference="yes"), call("y", {"label": None}, reference="yes")]
    found = summary(judged, Labels(), Plain())
    assert [measured.metric for measured in found.measures] == ["label.macro_f1", "accuracy"]
    macro = found.measures[0]
    assert macro.estimate.method == "bootstrap"
    assert macro.estimate.lower < macro.estimate.value < 1
    assert macro.abstained == 1
    assert [(table.scorer, table.macro_f1) for table in found.classifications] == [("label", 11)]


def test_an_undefined_run_metric_has_no_value():
    judged = [call(str(index), {"label": "yes"}, reference="yes") for index in range(3)]
    assert summary(judged, Labels()).measures[0].estimate == NOTHING
    assert summary([call("a")], Labels()).classifications == ()


def test_the_order_of_calls_does_not_matter():
    judged = [
        call(str(case), {"accuracy": (case * 7 % 5) / 3}, repeat=repeat, cluster=str(case % 4), cost_usd=0.1 * case)
        for case in range(12)
        for repeat in range(2)
    ]
    assert summary(judged[::-1]) == summary(judged)


def test_every_summary_survives_json():
    for judged in ([], calls([1.5]), calls([True]), calls([0.1, 0.1]), calls([0.1, 0.9, 0.4])):
        found = summary(judged)
        assert msgspec.json.decode(msgspec.json.encode(found), type=RunSummary) == found


def test_percentiles_interpolate_and_skip_the_unknown():
    found = percentiles([1.0, None, 2.0, 3.0])
    assert (found.p50, found.p90) == (2.0, pytest.approx(2.8))
    assert percentiles([None]) is None
