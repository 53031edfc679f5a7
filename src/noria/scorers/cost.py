"""What the call cost."""

from __future__ import annotations

from noria.core.scores import Subject
from noria.scorers.kind import Finding, Options, coded


class CostOptions(Options):
    """None: the record has one price."""


def judge(subject: Subject, options: CostOptions) -> Finding | None:  # noqa: ARG001 - the shape of every judging function
    """US dollars; abstains where the price is unknown, because unknown is not free."""
    if subject.span is None or subject.span.cost_usd is None:
        return None
    return Finding(value=subject.span.cost_usd, reason=f"The call cost ${subject.span.cost_usd:.6g}.")


KIND = coded(
    "Price of the call, where it is known.",
    CostOptions,
    judge,
    needs={"span"},
    value="number, US dollars",
    better="lower",
)
