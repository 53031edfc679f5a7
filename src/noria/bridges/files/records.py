"""Records on their way between a file and a trace store."""

from __future__ import annotations

from typing import NamedTuple

from noria.core.scores import Score
from noria.core.spans import Span


class Records(NamedTuple):
    """Some spans, and scores on these or on others."""

    spans: tuple[Span, ...] = ()
    """Steps."""
    scores: tuple[Score, ...] = ()
    """Judgements."""

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.spans or self.scores)
