"""Holm's step-down correction for many comparisons (Holm 1979): no more than alpha to announce any false difference.

It needs no independence between the tests, which share their cases here, and rejects all that Bonferroni does and more.
"""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given: reject those below the level, and the family's error rate is the level."""
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(_ascending(p_values)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def levels(p_values: Sequence[float], alpha: float) -> list[float]:
    """The level at which each test is made in Holm's steps, ``alpha`` over the hypotheses not yet rejected."""
    found = [alpha] * len(p_values)
    for rank, index in enumerate(_ascending(p_values)):
        found[index] = alpha / (len(p_values) - rank)
    return found


def _ascending(p_values: Sequence[float]) -> list[int]:
    return sorted(range(len(p_values)), key=lambda index: p_values[index])
