"""All spans of a store, or some, page by page with the scores on them.

Without a filter spans come in the order in which the store took them, so that a later walk goes on where this one
ended. With one they come by start. A span that is sent again meanwhile may come twice; the later copy is the true one.
Scores on spans that are not in the store are not found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from noria.bridges.files.records import Records
from noria.core.errors import InvalidInput
from noria.core.protocols import TraceStore
from noria.core.questions import Filter, Order, Question
from noria.core.scores import Score
from noria.core.spans import Span
from noria.core.struct import Noun

PAGE = 500
"""Spans of a page, where nobody says otherwise."""

_ARRIVED, _STARTED = "arrived.", "started."
_BY_START = (Order(column="start_ns"), Order(column="trace_id"), Order(column="span_id"))


class Selection(Noun):
    """Which spans."""

    since_ns: int | None = None
    """Those that started then or later, nanoseconds since 1970 UTC."""
    until_ns: int | None = None
    """Those that started before."""
    app: str | None = None
    """Those of one app."""


class Page(NamedTuple):
    """A part of the walk."""

    records: Records
    """Spans, and the scores on them."""
    cursor: str
    """Where to go on. Opaque; only for the same selection."""
    more: bool
    """False at the end of what is there now."""


async def page(store: TraceStore, selection: Selection, after: str | None = None, *, limit: int = PAGE) -> Page:
    """The next part of the walk.

    Raises:
        InvalidInput: the cursor is not of this selection.
    """
    everything = selection == Selection()
    if after is not None and not after.startswith(_ARRIVED if everything else _STARTED):
        raise InvalidInput("The cursor is not of this export.", hint="Begin without one.")
    if everything:
        arrived = await store.arrivals(after.removeprefix(_ARRIVED) if after else None, limit=limit)
        records = Records(arrived.spans, await _scores_on(store, arrived.spans))
        return Page(records, _ARRIVED + arrived.cursor, bool(arrived.spans))
    start, given = _position(after) if after else (selection.since_ns, 0)
    where = (Filter(column="app", value=selection.app),) if selection.app is not None else ()
    question = Question(
        where=where, since_ns=start, until_ns=selection.until_ns, order=_BY_START, limit=limit, offset=given
    )
    spans = tuple(await store.spans(question))
    records = Records(spans, await _scores_on(store, spans))
    return Page(records, _after(spans, start, given), len(spans) == limit)


def scores_by_span(records: Records) -> list[tuple[Span, list[Score]]]:
    """Each span with its scores; those on a whole trace stand with its roots."""
    on: dict[tuple[str, str], list[Score]] = {}
    for score in records.scores:
        on.setdefault((score.trace_id, score.span_id), []).append(score)
    return [
        (span, on.get((span.trace_id, span.span_id), []) + (on.get((span.trace_id, ""), []) if _is_root(span) else []))
        for span in records.spans
    ]


async def _scores_on(store: TraceStore, spans: Sequence[Span]) -> tuple[Score, ...]:
    if not spans:
        return ()
    traces = sorted({span.trace_id for span in spans})
    mine = {(span.trace_id, span.span_id) for span in spans}
    mine |= {(span.trace_id, "") for span in spans if _is_root(span)}
    found = await store.scores(
        Question(
            source="scores",
            where=(Filter(column="trace_id", op="in", value=traces),),
            order=(Order(column="time_ns"), Order(column="scorer")),
            limit=None,
        )
    )
    return tuple(score for score in found if (score.trace_id, score.span_id) in mine)


def _is_root(span: Span) -> bool:
    return span.parent_id is None


def _position(after: str) -> tuple[int, int]:
    """Start of the last span that was given, and how many with this very start were."""
    start, _, given = after.removeprefix(_STARTED).partition(".")
    if not (start.isdecimal() and given.isdecimal() and len(start) < 20 and len(given) < 20):
        raise InvalidInput("The cursor is no cursor.", hint="Begin without one.")
    return int(start), int(given)


def _after(spans: Sequence[Span], start: int | None, given: int) -> str:
    if not spans:
        return f"{_STARTED}{start or 0}.{given}"
    last = spans[-1].start_ns
    ties = sum(1 for span in spans if span.start_ns == last)
    return f"{_STARTED}{last}.{ties + (given if last == start else 0)}"
