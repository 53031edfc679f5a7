"""From judged calls to the numbers a formula takes: one value a case, repeats averaged, clusters numbered."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from noria.core.struct import Noun
from noria.evaluate.findings.judged import Judged
from noria.evaluate.statistics.clusters import Floats, Indices, positions


class Sample(Noun):
    """One metric of one variant, case by case, ordered by case id so that no result depends on the order of a file."""

    cases: tuple[str, ...]
    """Case ids, ascending."""
    values: Floats
    """Mean over the repeats of each case."""
    units: tuple[Hashable, ...]
    """What each case is independent of others by: its cluster, or itself."""
    calls: int
    """Observations behind the values."""
    boolean: bool
    """Whether every observation is right or wrong."""

    @property
    def cluster(self) -> Indices:
        """The number of each case's cluster, from 0."""
        return positions(self.units)[0]


def scored(judged: Sequence[Judged], scorer: str) -> Sample | None:
    """The sample of a scorer's booleans or numbers; None when it gave categories, or not a single score."""
    found: dict[str, list[float]] = {}
    units: dict[str, Hashable] = {}
    boolean = True
    for one in judged:
        score = one.score(scorer)
        if score is None:
            continue
        if isinstance(score.value, str):
            return None
        boolean = boolean and isinstance(score.value, bool)
        found.setdefault(one.case_id, []).append(float(score.value))
        units.setdefault(one.case_id, one.unit)
    if not found:
        return None
    cases = tuple(sorted(found))
    return Sample(
        cases=cases,
        values=np.array([sum(sorted(found[case])) / len(found[case]) for case in cases], np.float64),
        units=tuple(units[case] for case in cases),
        calls=sum(len(values) for values in found.values()),
        boolean=boolean,
    )
