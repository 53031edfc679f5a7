"""Tailing: spans as they arrive, as long as somebody reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from noria.core.errors import InvalidInput
from noria.core.protocols import TraceStore
from noria.core.questions import Arrivals, Question
from noria.stores.traces.matching import matches
from noria.stores.traces.plan import Plan, plan, whole

_BATCH = 100
"""Spans that are read at once, and so the most that wait for a slow reader."""
_SOON_S = 0.2
_LATE_S = 1.6
"""Seconds between two looks: soon after something came, later and later while nothing does."""


def tail(
    traces: TraceStore, question: Question, after: str | None, *, closing: Callable[[], bool]
) -> AsyncIterator[Arrivals]:
    """Batches of newly arrived spans that match, each with the cursor behind it; an empty one while nothing comes.

    Nothing is read ahead: the next batch is fetched when the last one has been taken. Conditions on scores are refused,
    because scores come after their span.

    Arguments:
        traces: the store.
        question: an ungrouped question over spans: conditions, text and time range count.
        after: where to go on; None begins now.
        closing: true when the tail is to end.

    Raises:
        InvalidInput: the question can't be tailed.
    """
    if question.scored:
        raise InvalidInput("A tail can't look at scores, which come after their spans.", hint="Use a list for that.")
    return _batches(traces, plan(whole(question, "spans")), after, closing)


async def _batches(
    traces: TraceStore, checked: Plan, after: str | None, closing: Callable[[], bool]
) -> AsyncIterator[Arrivals]:
    cursor = after if after is not None else await traces.latest_cursor()
    wait = _SOON_S
    while not closing():
        arrived = await traces.arrivals(cursor, limit=_BATCH)
        cursor = arrived.cursor
        yield Arrivals(spans=tuple(span for span in arrived.spans if matches(span, checked)), cursor=cursor)
        wait = _SOON_S if arrived.spans else min(_LATE_S, wait * 1.5)
        if len(arrived.spans) < _BATCH:
            await asyncio.sleep(wait)
