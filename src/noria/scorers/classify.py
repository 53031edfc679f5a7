"""Which label the answer names, and how well a run's labels are right.

The score's value is the predicted label, a category; right and wrong show in ``metadata["correct"]`` and, over a run, in
accuracy, macro F1 and the confusion table. A mention is taken at its word: "not positive" mentions positive. Ask the
model for the label alone, and set ``mention: none`` to accept nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta

from noria.core.datasets import Case
from noria.core.errors import InvalidInput
from noria.core.results import Classification, ClassMetrics
from noria.core.scores import Need, RunMetric, Score, Scorer, Subject
from noria.scorers.aggregates import SumMetric
from noria.scorers.kind import Better, Finding, Kind, Options, Setup, lacks, signed
from noria.scorers.texts import as_text, shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Formula = Callable[[NDArray[np.float64]], NDArray[np.float64]]

OTHER = "(other)"
"""The label of an answer that names none."""

Label = Annotated[str, Meta(min_length=1)]


class ClassifyOptions(Options):
    """The labels, and how they are found."""

    labels: Annotated[tuple[Label, ...], Meta(min_length=2, description="The classes, in the order to show them.")]
    aliases: Annotated[
        dict[str, tuple[Label, ...]], Meta(description="Other names of a label, in answers and references.")
    ] = {}
    ignore_case: Annotated[bool, Meta(description="Compare case-folded.")] = True
    mention: Annotated[
        Literal["first", "last", "none"],
        Meta(description="Which mention counts in an answer that is more than a label; none: it is (other)."),
    ] = "first"
    per_class: Annotated[
        bool, Meta(description="Also measure precision.LABEL, recall.LABEL and f1.LABEL, for gates on one class.")
    ] = False

    def __post_init__(self) -> None:
        """Every name must mean one label."""
        for label in self.aliases:
            if label not in self.labels:
                raise ValueError(f"aliases speaks of {label!r}, which is not among the labels")
        names = [self.plain(name) for name in (*self.labels, *(n for more in self.aliases.values() for n in more))]
        double = sorted({name for name in names if names.count(name) > 1})
        if double or OTHER in names:
            raise ValueError(f"{double[0]!r} names two labels" if double else f"{OTHER!r} is kept for other answers")

    def plain(self, text: str) -> str:
        """The form in which names are compared."""
        return text.strip().casefold() if self.ignore_case else text.strip()

    def names(self) -> dict[str, str]:
        """Label by plain name."""
        own = {self.plain(label): label for label in self.labels}
        return own | {self.plain(name): label for label, more in self.aliases.items() for name in more}


@dataclass(frozen=True)
class ClassScorer:
    """Obeys :class:`noria.core.scores.Scorer`, ``Aggregating``, ``Classifying`` and ``Checking``."""

    name: str
    version: str
    options: ClassifyOptions
    names: dict[str, str]
    pattern: re.Pattern[str]
    needs: frozenset[Need] = frozenset({"output", "reference"})
    better: Better = None

    def predicted(self, answer: str) -> str:
        """The label that an answer names, or ``(other)``."""
        plain = self.options.plain(answer)
        whole = plain.strip(" \t\r\n.!?,;:*_`'\"“”‘’()[]{}<>")
        if (label := self.names.get(plain) or self.names.get(whole)) is not None:
            return label
        mentions = [] if self.options.mention == "none" else self.pattern.findall(plain)
        return self.names[mentions[0 if self.options.mention == "first" else -1]] if mentions else OTHER

    def actual(self, reference: Any) -> str:
        """The label that a reference is. Raises ``InvalidInput`` when it is none."""
        text = as_text(reference)
        try:
            return self.names[self.options.plain(text)]
        except KeyError:
            raise InvalidInput(
                f"The reference {shown(text)} is none of the labels of scorer {self.name!r}: "
                f"{', '.join(self.options.labels)}.",
                hint="Add it to labels, or to aliases of the label that it means.",
            ) from None

    def check_case(self, case: Case) -> None:
        """Refuse a reference that is none of the labels."""
        if case.reference is not None:
            self.actual(case.reference)

    async def score(self, subject: Subject) -> Score | None:
        """The predicted label."""
        if lacks(subject, self.needs):
            return None
        predicted, actual = self.predicted(subject.output), self.actual(subject.reference)
        reason = f"The answer says {predicted}" + (", which is right." if predicted == actual else f", not {actual}.")
        metadata = {"correct": predicted == actual, "actual": actual}
        return signed(Finding(predicted, reason, metadata), self.name, self.version)

    def aggregates(self) -> Sequence[RunMetric]:
        """Accuracy and macro F1; with ``per_class`` also precision, recall and F1 of each label."""

        def metric(name: str, formula: Formula) -> SumMetric:
            return SumMetric(name, 3 * len(self.options.labels), self._hits, formula)

        def of_label(formula: Formula, index: int) -> Formula:
            return lambda sums: formula(sums)[..., index]

        found = [metric("accuracy", accuracy), metric("macro_f1", macro_f1)]
        for index, label in enumerate(self.options.labels if self.options.per_class else ()):
            found.append(metric(f"precision.{label}", of_label(precision, index)))
            found.append(metric(f"recall.{label}", of_label(recall, index)))
            found.append(metric(f"f1.{label}", of_label(f1, index)))
        return found

    def _hits(self, score: Score) -> list[float]:
        """One-hot: right, predicted and actual label."""
        predicted, actual = self._pair(score)
        labels = self.options.labels
        right = [float(label == predicted == actual) for label in labels]
        return right + [float(label == predicted) for label in labels] + [float(label == actual) for label in labels]

    def _pair(self, score: Score) -> tuple[str, str]:
        predicted, actual = score.value, score.metadata.get("actual")
        if predicted not in (*self.options.labels, OTHER) or actual not in self.options.labels:
            raise InvalidInput(
                f"A score of {score.scorer!r} says {predicted!r} where {actual!r} was right: other labels than these.",
                hint="Score the run again.",
            )
        return str(predicted), str(actual)

    def classification(self, scores: Sequence[Score]) -> Classification:
        """The confusion table, with precision, recall and F1 by class.

        Raises:
            InvalidInput: there are no scores, or they are of other labels.
        """
        import numpy as np  # noqa: PLC0415

        if not scores:
            raise InvalidInput(f"The scorer {self.name!r} judged nothing, so there is no table.")
        pairs = [self._pair(score) for score in scores]
        other = any(predicted == OTHER for predicted, _ in pairs)
        labels = (*self.options.labels, OTHER) if other else self.options.labels
        confusion = [[0] * len(labels) for _ in labels]
        for predicted, actual in pairs:
            confusion[labels.index(actual)][labels.index(predicted)] += 1
        sums = np.array([self._hits(score) for score in scores], dtype=np.float64).sum(axis=0)
        columns = (precision(sums), recall(sums), f1(sums), sums[2 * len(self.options.labels) :])
        return Classification(
            scorer=self.name,
            labels=labels,
            confusion=tuple(tuple(row) for row in confusion),
            classes=tuple(
                ClassMetrics(label=label, precision=_known(p), recall=_known(r), f1=_known(f), support=int(n))
                for label, p, r, f, n in zip(self.options.labels, *columns, strict=True)
            ),
            accuracy=float(accuracy(sums)),
            macro_f1=float(macro_f1(sums)),
        )


def _known(value: float) -> float | None:
    return None if value != value else float(value)  # noqa: PLR0124 - NaN alone differs from itself


def _thirds(sums: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Right, predicted and actual counts, each ``[..., labels]``, of sums ``[..., 3 labels]``."""
    width = sums.shape[-1] // 3
    return sums[..., :width], sums[..., width : 2 * width], sums[..., 2 * width :]


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np  # noqa: PLC0415

    found: NDArray[np.float64] = np.where(below > 0, above / np.where(below > 0, below, 1), np.nan)
    return found


def accuracy(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Right answers / all answers: ``[..., 3 labels]`` to ``[...]``."""
    right, _, actual = _thirds(sums)
    return _ratio(right.sum(axis=-1), actual.sum(axis=-1))


def precision(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Right / predicted, ``[..., labels]``; NaN where never predicted."""
    right, predicted, _ = _thirds(sums)
    return _ratio(right, predicted)


def recall(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Right / actual, ``[..., labels]``; NaN where it never occurs."""
    right, _, actual = _thirds(sums)
    return _ratio(right, actual)


def f1(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Harmonic mean, ``[..., labels]``; NaN where the label neither occurs nor is predicted."""
    right, predicted, actual = _thirds(sums)
    return _ratio(2 * right, predicted + actual)


def macro_f1(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unweighted mean of the labels' F1, over those that occur or are predicted; ``(other)`` is no label."""
    _, predicted, actual = _thirds(sums)
    there = predicted + actual > 0
    import numpy as np  # noqa: PLC0415

    return _ratio(np.where(there, f1(sums), 0).sum(axis=-1), there.sum(axis=-1).astype(np.float64))


def make(setup: Setup[ClassifyOptions]) -> Scorer:
    """Compile the labels once. Of names that begin at one place, the longest is the mention."""
    names = setup.options.names()
    longest_first = sorted(names, key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")
    return ClassScorer(setup.name, setup.version, setup.options, names, pattern)


KIND = Kind(
    description="The label that the answer names, exactly or in its first mention; accuracy, macro_f1 and the "
    "confusion table over the run.",
    options=ClassifyOptions,
    make=make,
    needs=frozenset({"output", "reference"}),
    value="category",
    source="Sokolova and Lapalme 2009, https://doi.org/10.1016/j.ipm.2009.03.002; equal to scikit-learn",
)
