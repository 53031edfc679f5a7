"""Metrics over a whole run, as functions of summed statistics (see :class:`noria.core.scores.RunMetric`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from noria.core.datasets import Case
from noria.core.errors import InvalidInput
from noria.core.scores import Score
from noria.scorers.kind import Better

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class SumMetric:
    """A run metric whose statistics are read off each score."""

    name: str
    width: int
    """k: how many statistics a score has."""
    read: Callable[[Score], Sequence[float]]
    """The k statistics of a score."""
    formula: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    """``[..., k]`` to ``[...]``."""
    better: Better = "higher"

    def statistics(self, scores: Sequence[Score], cases: Sequence[Case] = ()) -> NDArray[np.float64]:  # noqa: ARG002 - these metrics find everything on the score
        """Shape ``[n, k]``. Raises ``InvalidInput`` when a score does not carry its statistics."""
        import numpy as np  # noqa: PLC0415 - no weight for scorers that only judge

        return np.array([self.read(score) for score in scores], dtype=np.float64).reshape(len(scores), self.width)

    def value(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """The metric; NaN where it is undefined."""
        return self.formula(sums)


def kept_statistics(score: Score, width: int) -> Sequence[float]:
    """The statistics that a scorer put in its score's metadata.

    Raises:
        InvalidInput: there are none, or not ``width``: another version of the scorer made the score.
    """
    found = score.metadata.get("statistics")
    if not isinstance(found, list | tuple) or len(found) != width:
        raise InvalidInput(
            f"A score of {score.scorer!r}, version {score.version}, does not carry its {width} statistics.",
            hint="Score the run again.",
        )
    return found
