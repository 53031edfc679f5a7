"""Whether the number in the answer is the reference, within a tolerance.

Numbers are decimal, so a difference of exactly the tolerance is within it: 1.1 is 1.0 to within 0.1, which binary
floating point would deny.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import Meta

from noria.core.errors import InvalidInput
from noria.core.scores import Subject
from noria.scorers.kind import Finding, Options, coded
from noria.scorers.texts import as_text, shown

# A minus counts as a sign only where no word or number ends before it: "10-5" is a range, and "GPT-4" a name.
# Exponents have at most three digits, which keeps decimal arithmetic far from its limits.
_NUMBER = re.compile(
    r"(?P<sign>(?<![\w)])[-+−]\s?)?[$€£¥]?(?P<inner>(?<=[$€£¥])[-+−])?"
    r"(?P<digits>(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?|(?<![0-9])\.[0-9]+)"
    r"(?P<exponent>[eE][-+−]?[0-9]{1,3}(?![0-9]))?"
    r"(?P<percent>\s?%)?"
)
MAX_CHARS = 400
"""Longest number that is read, characters: a hostile answer could write one beyond what decimal arithmetic holds."""


class NumericOptions(Options):
    """Which number counts, and how near is near enough."""

    abs_tol: Annotated[float, Meta(ge=0, description="Absolute difference that is still right.")] = 0.0
    rel_tol: Annotated[float, Meta(ge=0, description="Difference that is still right, as a part of the reference.")] = (
        0.0
    )
    take: Annotated[Literal["last", "first"], Meta(description="Which number of the answer is the answer.")] = "last"
    percent: Annotated[
        Literal["number", "fraction"], Meta(description="What 45 % is: the number 45, or the fraction 0.45.")
    ] = "number"


def numbers(text: str, *, percent: Literal["number", "fraction"] = "number") -> list[Decimal]:
    """The numbers in a text, in order: ``1,234.5``, ``-3``, ``6.02e23``, ``$4.50``, ``45 %``."""
    return [_value(match, percent) for match in _NUMBER.finditer(text) if len(match[0]) <= MAX_CHARS]


def _value(match: re.Match[str], percent: str) -> Decimal:
    sign = ((match["sign"] or "") + (match["inner"] or "")).strip()
    digits = match["digits"].replace(",", "") + (match["exponent"] or "")
    value = Decimal(digits.replace("−", "-"))
    value = -value if sign in ("-", "−") else value
    return value / 100 if match["percent"] and percent == "fraction" else value


def _reference(reference: Any, percent: Literal["number", "fraction"]) -> Decimal:
    text = as_text(reference)
    found = numbers(text, percent=percent)
    if isinstance(reference, bool) or len(found) != 1:
        raise InvalidInput(
            f"The reference {shown(text)} is not one number.", hint="Give a number, or choose another scorer."
        )
    return found[0]


def judge(subject: Subject, options: NumericOptions) -> Finding:
    """True when |answer - reference| <= max(abs_tol, rel_tol x |reference|); false when the answer has no number.

    Raises:
        InvalidInput: the reference is no number.
    """
    expected = _reference(subject.reference, options.percent)
    found = numbers(subject.output, percent=options.percent)
    if not found:
        return Finding(value=False, reason=f"There is no number in {shown(subject.output)}.")
    answer = found[-1 if options.take == "last" else 0]
    difference = abs(answer - expected)
    allowed = max(Decimal(repr(options.abs_tol)), Decimal(repr(options.rel_tol)) * abs(expected))
    reason = f"{_short(answer)} differs from {_short(expected)} by {_short(difference)}; {_short(allowed)} is allowed."
    return Finding(value=difference <= allowed, reason=reason, metadata={"extracted": str(answer)})


def _short(value: Decimal) -> str:
    return f"{float(value):.12g}"


KIND = coded(
    "Whether the first or last number in the answer equals the reference, within a tolerance.",
    NumericOptions,
    judge,
    needs={"output", "reference"},
    value="boolean",
)
