"""Scores that come from outside: checked, put on the span that they mean, and kept once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from noria.core.errors import InvalidInput
from noria.core.protocols import Clock, TraceStore
from noria.core.questions import Filter, Question
from noria.core.scores import GivenScore, Score

ID_KEY = "noria.score_id"
"""Where a score's ``metadata`` keeps the id that its giver chose."""
_TRACE_ID, _SPAN_ID = re.compile(r"[0-9a-f]{32}"), re.compile(r"[0-9a-f]{16}")
_LONGEST_NAME = 200
_LARGEST = 2**63 - 1


class GivenScores:
    """Takes scores.

    Two servers on one store can both keep a score that is sent to both at the same moment: what is there is looked up
    before it is added, and only this process waits its turn.

    Arguments:
        traces: where they are kept.
        now: the time.
    """

    def __init__(self, traces: TraceStore, now: Clock) -> None:
        self._traces = traces
        self._now = now
        self._one_by_one = asyncio.Lock()

    async def add(self, given: Sequence[GivenScore]) -> int:
        """Keep scores, durably and together; how many were new.

        Raises:
            InvalidInput: one of them is wrong; none is kept.
        """
        for number, score in enumerate(given):
            _check(score, f"Score {number}" if len(given) > 1 else "The score")
        async with self._one_by_one:
            known = await self._known(given)
            fresh: list[GivenScore] = []
            for score in given:
                key = (score.trace_id, score.id)
                if score.id is None or key not in known:
                    fresh.append(score)
                    known.add(key)
            if not fresh:
                return 0
            roots = await self._roots({score.trace_id for score in fresh if not score.span_id})
            await self._traces.append(scores=[self._score(score, roots) for score in fresh])
            return len(fresh)

    async def _known(self, given: Sequence[GivenScore]) -> set[tuple[str, str | None]]:
        named = [score for score in given if score.id is not None]
        if not named:
            return set()
        where = (
            Filter(column="trace_id", op="in", value=sorted({score.trace_id for score in named})),
            Filter(column=f"metadata.{ID_KEY}", op="in", value=sorted({str(score.id) for score in named})),
        )
        found = await self._traces.scores(Question(source="scores", where=where, limit=10_000))
        return {(score.trace_id, score.metadata.get(ID_KEY)) for score in found}

    async def _roots(self, trace_ids: set[str]) -> dict[str, str]:
        if not trace_ids:
            return {}
        where = (
            Filter(column="trace_id", op="in", value=sorted(trace_ids)),
            Filter(column="parent_id", op="is null"),
        )
        table = await self._traces.query(Question(where=where, columns=("trace_id", "span_id"), limit=10_000))
        return {row["trace_id"]: row["span_id"] for row in table.records()}

    def _score(self, given: GivenScore, roots: dict[str, str]) -> Score:
        return Score(
            scorer=given.name,
            version=given.version,
            value=given.value,
            reason=given.reason,
            source=given.source,
            cost_usd=given.cost_usd,
            metadata=given.metadata if given.id is None else {**given.metadata, ID_KEY: given.id},
            trace_id=given.trace_id,
            span_id=given.span_id or roots.get(given.trace_id, ""),
            time_ns=given.time_ns or self._now(),
        )


def _check(score: GivenScore, which: str) -> None:
    if not score.name.strip() or len(score.name) > _LONGEST_NAME:
        raise InvalidInput(f"{which} has no name of 1 to {_LONGEST_NAME} characters.", kept="No score was kept.")
    if not _TRACE_ID.fullmatch(score.trace_id) or not score.trace_id.strip("0"):
        raise InvalidInput(
            f"{which} has the trace id {score.trace_id[:40]!r}, which is not 32 hex digits.", kept="No score was kept."
        )
    if score.span_id and (not _SPAN_ID.fullmatch(score.span_id) or not score.span_id.strip("0")):
        raise InvalidInput(
            f"{which} has the span id {score.span_id[:40]!r}, which is not 16 hex digits.", kept="No score was kept."
        )
    if not 0 <= score.time_ns <= _LARGEST:
        raise InvalidInput(
            f"{which} has a time outside of what nanoseconds in 64 bits tell.", kept="No score was kept."
        )
