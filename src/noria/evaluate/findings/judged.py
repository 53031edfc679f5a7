"""What the statistics read: one call of one case, and what every scorer said of it."""

from __future__ import annotations

import math
from collections.abc import Hashable

from noria.core.datasets import Case
from noria.core.scores import Score
from noria.core.spans import Span
from noria.core.struct import Noun


class Judged(Noun):
    """One call of one case by one variant, with its judgements."""

    case: Case
    """The case; its ``id`` pairs the variants and its ``cluster`` says what it depends on."""
    repeat: int = 0
    """Repetition of the case, from 0."""
    span: Span
    """The record of the call; ``status`` other than ``ok`` means that it failed for good and has no scores."""
    scores: dict[str, Score | str | None] = {}
    """By scorer's name: the score, None when the scorer abstained, or the sentence with which the scorer failed."""

    @property
    def case_id(self) -> str:
        """Id of the case."""
        return self.case.id

    @property
    def unit(self) -> Hashable:
        """What the case is independent of others by: its cluster where it has one, else itself."""
        return ("case", self.case.id) if self.case.cluster is None else ("cluster", self.case.cluster)

    @property
    def answered(self) -> bool:
        """Whether there is an answer that could be judged."""
        return self.span.status == "ok"

    def score(self, scorer: str) -> Score | None:
        """The scorer's score; None when it abstained or failed, or when its value is not a finite number."""
        score = self.scores.get(scorer)
        if not isinstance(score, Score) or (isinstance(score.value, float) and not math.isfinite(score.value)):
            return None
        return score

    def failed(self, scorer: str) -> bool:
        """Whether the scorer itself failed on this answer; a value that is not finite is a failure too."""
        score = self.scores.get(scorer)
        return isinstance(score, str) or (isinstance(score, Score) and self.score(scorer) is None)

    def abstained(self, scorer: str) -> bool:
        """Whether the scorer looked at the answer and did not judge."""
        return self.scores.get(scorer, "") is None
