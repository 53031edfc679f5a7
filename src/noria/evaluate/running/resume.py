"""What an earlier start of a run left in the trace store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import msgspec

from noria.core.protocols import TraceStore
from noria.core.questions import Filter, Order, Question
from noria.core.scores import Score
from noria.core.spans import Span

PAGE = 2_000
"""Records read at a time."""


async def stored_spans(store: TraceStore, run_id: str) -> AsyncIterator[list[Span]]:
    """The run's finished calls, oldest first, a page at a time. Failed ones are left out: they are called again."""
    question = Question(
        where=(Filter(column="run_id", value=run_id), Filter(column="status", value="ok")),
        order=(Order(column="start_ns"), Order(column="span_id")),
        limit=PAGE,
    )
    while page := await store.spans(question):
        yield page
        if len(page) < PAGE:
            return
        question = msgspec.structs.replace(question, offset=question.offset + PAGE)


async def stored_scores(store: TraceStore, run_id: str, versions: Mapping[str, str]) -> dict[str, dict[str, Score]]:
    """The run's scores by span and scorer, as far as the scorer still has the version that gave them."""
    question = Question(
        source="scores",
        where=(Filter(column="run_id", value=run_id), Filter(column="scorer", op="in", value=list(versions))),
        order=(Order(column="time_ns"), Order(column="span_id"), Order(column="scorer")),
        limit=PAGE,
    )
    found: dict[str, dict[str, Score]] = {}
    while page := await store.scores(question):
        for score in page:
            if score.version == versions[score.scorer]:
                found.setdefault(score.span_id, {})[score.scorer] = score
        if len(page) < PAGE:
            break
        question = msgspec.structs.replace(question, offset=question.offset + PAGE)
    return found
