"""Effort in words <-> a budget of thinking tokens: one table for all dialects that know only one of the two.

none 0    minimal 1,024    low 2,048    medium 8,192    high 16,384    xhigh 32,768    max 65,536
"""

from __future__ import annotations

_BUDGETS = {
    "none": 0,
    "minimal": 1_024,
    "low": 2_048,
    "medium": 8_192,
    "high": 16_384,
    "xhigh": 32_768,
    "max": 65_536,
}


def tokens_of(effort: str) -> int | None:
    """The budget that an effort stands for; None for a word that is not in the table."""
    return _BUDGETS.get(effort)


def effort_of(tokens: int) -> str:
    """The smallest effort whose budget is not below ``tokens``; ``medium`` where the provider is to choose (-1)."""
    if tokens < 0:
        return "medium"
    return next((effort for effort, budget in _BUDGETS.items() if budget >= tokens), "max")
