"""The scales on which a judge answers: what is asked for, what is accepted, and what several votes come to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import Meta

from noria.core.scores import Value
from noria.core.struct import Noun
from noria.scorers.kind import Better


class Grades(Noun, forbid_unknown_fields=True):
    """Whole numbers from worst to best."""

    min: Annotated[int, Meta(description="The worst grade.")] = 1
    max: Annotated[int, Meta(description="The best grade.")]

    def __post_init__(self) -> None:
        if self.min >= self.max:
            raise ValueError(f"min {self.min} is not less than max {self.max}")


ScaleSpec = Literal["boolean"] | Annotated[tuple[str, ...], Meta(min_length=2)] | Grades
"""As it stands in a file: ``boolean``, a list of choices, or ``{min: 1, max: 5}``."""


@dataclass(frozen=True)
class Scale:
    """A scale, chosen once from its spec."""

    words: str
    """The verdicts that are allowed, for the judge to read."""
    schema: dict[str, Any]
    """JSON Schema of a verdict."""
    accepts: Callable[[Any], bool]
    """Whether a verdict is on the scale."""
    combine: Callable[[Sequence[Any]], Value | None]
    """What several verdicts come to; None when they are undecided."""
    better: Better
    """Which direction is an improvement."""


def scale_of(spec: ScaleSpec) -> Scale:
    """The scale that a spec describes."""
    if isinstance(spec, Grades):
        return _grades(spec.min, spec.max)
    return _boolean() if spec == "boolean" else _choices(tuple(spec))


def majority(verdicts: Sequence[Any]) -> Any | None:
    """The verdict with the most votes; None when two have as many."""
    ranked = Counter(verdicts).most_common(2)
    return None if len(ranked) > 1 and ranked[0][1] == ranked[1][1] else ranked[0][0]


def mean(verdicts: Sequence[Any]) -> float:
    """The mean of the grades."""
    return float(sum(verdicts) / len(verdicts))


def _boolean() -> Scale:
    return Scale("true or false", {"type": "boolean"}, lambda verdict: isinstance(verdict, bool), majority, "higher")


def _choices(choices: tuple[str, ...]) -> Scale:
    words = "one of " + ", ".join(f'"{choice}"' for choice in choices)
    schema = {"type": "string", "enum": list(choices)}
    return Scale(words, schema, lambda verdict: isinstance(verdict, str) and verdict in choices, majority, None)


def _grades(worst: int, best: int) -> Scale:
    def accepts(verdict: Any) -> bool:
        return isinstance(verdict, int) and not isinstance(verdict, bool) and worst <= verdict <= best

    words = f"a whole number from {worst} (worst) to {best} (best)"
    return Scale(words, {"type": "integer", "minimum": worst, "maximum": best}, accepts, mean, "higher")
