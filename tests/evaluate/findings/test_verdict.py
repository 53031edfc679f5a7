"""What is said of a comparison."""

import pytest

from noria.core.results import Estimate
from noria.evaluate.findings.verdict import decide, interval, number, p_value, sentence, signed
from noria.evaluate.statistics.paired import Paired
from noria.evaluate.statistics.power import MOST


def found(value=0.09, lower=0.02, upper=0.16, *, differing=10, method="t", p=0.012, baseline=0.62):
    estimate = Estimate(value=value, lower=lower, upper=upper, standard_error=0.035, n=200, clusters=200, method=method)
    return Paired(baseline=baseline, candidate=baseline + value, difference=estimate, p_value=p, differing=differing)


def said(pair, *, better="higher", p=0.012, tests=3, more=None, metric="accuracy"):
    verdict = decide(pair, better=better, p_adjusted=p, alpha=0.05)
    return sentence(
        metric, "plain", "few-shot", pair,
        verdict=verdict, better=better, p_raw=pair.p_value, p_adjusted=p, tests=tests, more=more, alpha=0.05,
    )  # fmt: skip


def test_better():
    assert said(found()) == (
        "few-shot is better than plain: accuracy 0.71 vs 0.62, +0.09 (95 % interval +0.02 to +0.16), "
        "p = 0.012 after Holm."
    )


def test_one_comparison_needs_no_holm():
    assert said(found(), tests=1).endswith("p = 0.012.")


def test_lower_is_better_for_latency():
    slower = found(0.4, 0.1, 0.7, baseline=1.2)
    assert said(slower, better="lower", metric="latency") == (
        "few-shot is worse than plain: latency 1.60 s vs 1.20 s, +400 ms (95 % interval +100 ms to +700 ms), "
        "p = 0.012 after Holm."
    )
    assert decide(slower, better="lower", p_adjusted=0.01, alpha=0.05) == "worse"
    assert decide(found(-0.4, -0.7, -0.1), better="lower", p_adjusted=0.01, alpha=0.05) == "better"


def test_not_enough_evidence_says_how_many_cases_would_decide():
    text = said(found(0.03, -0.02, 0.08, p=0.2), p=0.6, more=310)
    assert text.startswith("Not enough evidence that few-shot differs from plain: accuracy 0.65 vs 0.62, +0.03")
    assert text.endswith("p = 0.60 after Holm. About 310 more cases would decide a difference of this size.")


@pytest.mark.parametrize(
    ("more", "ending"),
    [
        (None, "after Holm."),
        (0, "four of five such experiments."),
        (1, "About 1 more case would decide a difference of this size."),
        (MOST, "would take more than 1,000,000 further cases."),
    ],
)
def test_forecasts(more, ending):
    assert said(found(0.03, -0.02, 0.08, p=0.2), p=0.6, more=more).endswith(ending)


def test_an_interval_without_zero_is_explained_where_holm_decides_otherwise():
    text = said(found(p=0.03), p=0.09)
    assert "Alone it would be significant (p = 0.030), but 3 comparisons were made." in text


def test_an_interval_without_zero_is_explained_where_the_exact_test_decides_otherwise():
    text = said(found(p=0.06), p=0.06, tests=1)
    assert "The interval leaves out 0, but the exact test does not confirm it (p = 0.060)." in text


def test_a_significant_test_claims_nothing_beside_an_interval_that_reaches_zero():
    pair = found(lower=-0.001)
    assert decide(pair, better="higher", p_adjusted=0.01, alpha=0.05) == "undecided"
    assert "the interval reaches 0, so nothing is claimed" in said(pair)


def test_equal():
    text = said(found(0, 0, 0, differing=0))
    assert text == "few-shot and plain are equal on all 200 cases: accuracy 0.62 for both."


def test_no_direction_no_verdict():
    assert decide(found(), better=None, p_adjusted=0.001, alpha=0.05) == "undecided"
    assert said(found(), better=None, metric="words").endswith("neither direction of words is called better.")


def test_one_case_is_no_comparison():
    text = said(found(0.5, 0.5, 0.5, method="single", p=1.0), p=1.0)
    assert "on one independent case; a comparison needs several." in text


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("accuracy", 0.7149, "0.71"),
        ("accuracy", 0.00423, "0.0042"),
        ("accuracy", 0.0, "0.00"),
        ("accuracy", -0.5, "-0.50"),
        ("words", 341.4, "341"),
        ("latency", 1.239, "1.24 s"),
        ("latency", 0.0456, "46 ms"),
        ("ttft_s", 0.00123, "1.2 ms"),
        ("cost", 0.00214, "$0.00214"),
        ("cost", 12.5, "$12.50"),
        ("cost_usd", 0.0, "$0"),
        ("cost", 2.5e-7, "$2.50e-07"),
        ("error_percent", 12.34, "12.3 %"),
    ],
)
def test_numbers_have_the_unit_of_their_metric(metric, value, text):
    assert number(metric, value) == text


def test_signs_and_intervals():
    assert signed("accuracy", 0.09) == "+0.09"
    assert signed("latency", -0.2) == "-200 ms"
    assert interval("accuracy", found().difference, 0.1) == "90 % interval +0.02 to +0.16"


@pytest.mark.parametrize(("p", "text"), [(0.0004, "p < 0.001"), (0.0123, "p = 0.012"), (1.0, "p = 1.0")])
def test_p_values(p, text):
    assert p_value(p) == text
