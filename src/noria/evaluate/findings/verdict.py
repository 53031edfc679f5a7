"""Numbers and verdicts in plain English."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from noria.core.results import Estimate, Verdict
from noria.evaluate.statistics.paired import Paired
from noria.evaluate.statistics.power import MOST

Better = Literal["higher", "lower"] | None

SECONDS = frozenset({"latency", "ttft", "tpot", "duration", "latency_s", "ttft_s", "tpot_s", "duration_s"})
DOLLARS = frozenset({"cost", "price", "cost_usd"})


def number(metric: str, value: float) -> str:
    """A value as people write it, in the unit that the metric's name tells: ``0.71``, ``1.24 s``, ``$0.0021``."""
    return ("-" if value < 0 else "") + _writer(metric)(abs(value))


def signed(metric: str, value: float) -> str:
    """A difference, always with its sign."""
    return ("+" if value >= 0 else "-") + _writer(metric)(abs(value))


def interval(metric: str, estimate: Estimate, alpha: float) -> str:
    """``95 % interval +0.02 to +0.16``."""
    lower, upper = signed(metric, estimate.lower), signed(metric, estimate.upper)
    return f"{100 * (1 - alpha):.3g} % interval {lower} to {upper}"


def p_value(p: float) -> str:
    """``p = 0.012``, never ``p = 0``."""
    return "p < 0.001" if p < 0.001 else f"p = {_significant(p, 2)}"


def decide(found: Paired, *, better: Better, p_adjusted: float, alpha: float) -> Verdict:
    """``better`` or ``worse`` only when test and interval agree: adjusted p below ``alpha`` and 0 outside the interval.

    ``undecided`` for a metric without a better direction, however clear the difference.
    """
    if found.differing == 0:
        return "equal"
    if better is None or p_adjusted >= alpha or not _excludes_zero(found.difference):
        return "undecided"
    return "better" if (found.difference.value > 0) == (better == "higher") else "worse"


def sentence(
    metric: str,
    baseline: str,
    candidate: str,
    found: Paired,
    *,
    verdict: Verdict,
    better: Better,
    p_raw: float,
    p_adjusted: float,
    tests: int,
    more: int | None,
    alpha: float,
) -> str:
    """The comparison as a person would tell it; where the verdict surprises beside the interval, it says why."""
    before, after = number(metric, found.baseline), number(metric, found.candidate)
    if verdict == "equal":
        return f"{candidate} and {baseline} are equal on {_cases(found.difference.n)}: {metric} {after} for both."
    p = p_value(p_adjusted) + (" after Holm" if tests > 1 else "")
    change = f"{signed(metric, found.difference.value)} ({interval(metric, found.difference, alpha)})"
    facts = f"{metric} {after} vs {before}, {change}, {p}"
    if verdict != "undecided":
        return f"{candidate} is {verdict} than {baseline}: {facts}."
    if better is None and p_adjusted < alpha and _excludes_zero(found.difference):
        return f"{candidate} and {baseline} differ: {facts}; neither direction of {metric} is called better."
    if found.difference.method == "single":
        return (
            f"Not enough evidence: {metric} {after} for {candidate} vs {before} for {baseline} on one independent "
            "case; a comparison needs several."
        )
    because = _because(found.difference, p_raw=p_raw, p_adjusted=p_adjusted, alpha=alpha, tests=tests)
    return f"Not enough evidence that {candidate} differs from {baseline}: {facts}.{because}{_forecast(more)}"


def _because(difference: Estimate, *, p_raw: float, p_adjusted: float, alpha: float, tests: int) -> str:
    if p_adjusted < alpha:
        return " The test finds a difference, but the interval reaches 0, so nothing is claimed."
    if not _excludes_zero(difference):
        return ""
    if p_raw < alpha:
        return f" Alone it would be significant ({p_value(p_raw)}), but {tests} comparisons were made."
    return f" The interval leaves out 0, but the exact test does not confirm it ({p_value(p_raw)})."


def _forecast(more: int | None) -> str:
    if more is None:
        return ""
    if more >= MOST:
        return f" Deciding a difference this small would take more than {MOST:,} further cases."
    if more == 0:
        return " There are cases enough for a difference of this size to show in four of five such experiments."
    return f" About {more:,} more {'case' if more == 1 else 'cases'} would decide a difference of this size."


def _excludes_zero(difference: Estimate) -> bool:
    return difference.method != "single" and (difference.lower > 0.0 or difference.upper < 0.0)


def _cases(count: int) -> str:
    return "the one case" if count == 1 else f"all {count:,} cases"


def _writer(metric: str) -> Callable[[float], str]:
    name = metric.rsplit(".", 1)[-1]
    if metric in SECONDS or name in SECONDS or name.endswith("_s"):
        return _seconds
    if metric in DOLLARS or name in DOLLARS or name.endswith("_usd"):
        return lambda value: "$" + (f"{value:,.2f}" if value >= 10 else _significant(value, 3))
    if name.endswith("_percent"):
        return lambda value: f"{value:.1f} %"
    return _plain


def _plain(value: float) -> str:
    """Two decimals, more for the small, fewer for the large: 0.71, 0.0042, 341."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 0.05 or value == 0:
        return f"{value:.2f}"
    return _significant(value, 2).rstrip("0") if value >= 1e-6 else _significant(value, 2)


def _seconds(value: float) -> str:
    if value >= 1 or value == 0:
        return f"{value:.2f} s"
    return f"{1000 * value:.0f} ms" if value >= 0.01 else f"{_significant(1000 * value, 2)} ms"


def _significant(value: float, digits: int) -> str:
    """So many significant digits, never in scientific notation unless tiny."""
    if value == 0:
        return "0"
    if value < 1e-6:
        return f"{value:.{digits - 1}e}"
    decimals = max(0, digits - 1 - math.floor(math.log10(value)))
    return f"{value:.{decimals}f}"
