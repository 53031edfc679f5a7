"""How long the answer is."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from noria.core.scores import Scorer, Subject
from noria.scorers.kind import CodeScorer, Finding, Kind, Options, Setup

Unit = Literal["characters", "words", "lines"]


class LengthOptions(Options):
    """What is counted, and how much is right."""

    unit: Annotated[Unit, Meta(description="What to count.")] = "words"
    min: Annotated[int | None, Meta(description="Fewest that are right; with min or max the value is boolean.")] = None
    max: Annotated[int | None, Meta(description="Most that are right.")] = None

    def __post_init__(self) -> None:
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min} is more than max {self.max}")


def count(text: str, unit: Unit) -> int:
    """Characters (code points), words (between white space) or lines."""
    if unit == "characters":
        return len(text)
    return len(text.split() if unit == "words" else text.splitlines())


def make(setup: Setup[LengthOptions]) -> Scorer:
    """A count, or whether it is within the bounds."""
    options = setup.options
    bounded = options.min is not None or options.max is not None

    def judge(subject: Subject) -> Finding:
        found = count(subject.output, options.unit)
        reason = f"The answer has {found} {options.unit}."
        if not bounded:
            return Finding(value=found, reason=reason)
        high = options.max is None or found <= options.max
        low = options.min is None or found >= options.min
        return Finding(value=low and high, reason=reason, metadata={"count": found})

    return CodeScorer(setup.name, setup.version, frozenset({"output"}), "higher" if bounded else None, judge)


KIND = Kind(
    description="Length of the answer; with bounds, whether it is within them.",
    options=LengthOptions,
    make=make,
    needs=frozenset({"output"}),
    value="number, or boolean with bounds",
)
