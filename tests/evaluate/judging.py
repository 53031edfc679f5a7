"""Judged calls and scorers made up for the statistics' tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from noria.core.datasets import Case
from noria.core.results import Classification
from noria.core.scores import Score, Subject
from noria.core.spans import Span
from noria.evaluate.findings.judged import Judged


def call(
    case: str,
    scores: dict[str, Any] | None = None,
    *,
    cluster: str | None = None,
    repeat: int = 0,
    seconds: float = 1.0,
    reference: Any = None,
    **span: Any,
) -> Judged:
    """One judged call; a score is a value, None (abstained) or an exception (the scorer failed)."""
    judgements: dict[str, Score | str | None] = {
        name: str(value)
        if isinstance(value, Exception)
        else None
        if value is None
        else Score(scorer=name, version="1", value=value)
        for name, value in (scores or {}).items()
    }
    record: dict[str, Any] = {"trace_id": "0" * 32, "span_id": "0" * 16, "name": "chat", "start_ns": 0} | span
    return Judged(
        case=Case(id=case, input={}, cluster=cluster, reference=reference),
        repeat=repeat,
        span=Span(end_ns=round(seconds * 1e9), **record),
        scores=judgements,
    )


def calls(values: Sequence[Any], name: str = "accuracy", clusters: Sequence[str] | None = None) -> list[Judged]:
    """One call a case, the cases numbered."""
    return [
        call(f"case {index:04}", {name: value}, cluster=clusters[index] if clusters else None)
        for index, value in enumerate(values)
    ]


@dataclass(frozen=True)
class Plain:
    """A scorer by name and direction."""

    name: str = "accuracy"
    better: Literal["higher", "lower"] | None = "higher"
    version: str = "1"
    needs: frozenset[Any] = frozenset()

    async def score(self, subject: Subject) -> Score | None:
        raise NotImplementedError


@dataclass(frozen=True)
class MacroF1:
    """Over two classes, yes and no; the case's reference is the truth."""

    name: str = "macro_f1"
    better: Literal["higher", "lower"] | None = "higher"

    def statistics(self, scores: Sequence[Score], cases: Sequence[Case]) -> NDArray[np.float64]:
        cells = np.zeros((len(scores), 4))
        for row, score, case in zip(cells, scores, cases, strict=True):
            row[2 * (case.reference == "yes") + (score.value == "yes")] = 1.0
        return cells

    def value(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        nn, ny, yn, yy = np.moveaxis(np.asarray(sums), -1, 0)
        with np.errstate(invalid="ignore"):
            found: NDArray[np.float64] = (2 * yy / (2 * yy + yn + ny) + 2 * nn / (2 * nn + yn + ny)) / 2
        return found


@dataclass(frozen=True)
class Labels(Plain):
    """A scorer of classes."""

    name: str = "label"
    better: Literal["higher", "lower"] | None = None

    def aggregates(self) -> Sequence[MacroF1]:
        return (MacroF1(),)

    def classification(self, scores: Sequence[Score]) -> Classification:
        return Classification(
            scorer=self.name, labels=("yes", "no"), confusion=(), classes=(), accuracy=0.5, macro_f1=len(scores)
        )
