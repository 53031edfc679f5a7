"""Sessions, users and traces as views: what the spans of each say when they are added up."""

from __future__ import annotations

from typing import Any, Literal

from noria.core.protocols import TraceStore
from noria.core.questions import Aggregate, Filter, Order, Question
from noria.core.struct import Noun

Kind = Literal["session_id", "user_id", "trace_id"]
WHOLES = ("invoke_agent", "create_agent", "invoke_workflow", "agent", "workflow", "chain")
"""Operations whose own usage, where they tell any, is the sum of the steps below them: it would count twice."""


class Activity(Noun):
    """What one session, user or trace did, as far as the question reached."""

    id: str
    """The session, the end user (as the caller names them), or the trace."""
    spans: int
    """Recorded steps."""
    traces: int
    """Different traces."""
    sessions: int
    """Different sessions; steps without one do not count."""
    failed: int
    """Steps that failed."""
    input_tokens: int
    """Prompt tokens, those that somebody counted."""
    output_tokens: int
    """Generated tokens, those that somebody counted."""
    cost_usd: float | None
    """Price of its calls in US dollars; None where no call's price is known."""
    first_ns: int
    """Start of its first step, nanoseconds since 1970 UTC."""
    last_ns: int
    """Start of its last step."""


async def activities(
    traces: TraceStore, kind: Kind, question: Question, *, limit: int, offset: int = 0
) -> list[Activity]:
    """One view for each session, user or trace that has steps matching ``question``, the last active first.

    Who was active is asked first, what they did only of those: counting different traces of everybody takes six times
    the work (2 million steps, DuckDB).
    """
    latest = await _grouped(
        traces,
        kind,
        question,
        where=(Filter(column=kind, op="is not null"),),
        measures={"last_ns": ("max", "start_ns")},
        order=(Order(column="last_ns", descending=True),),
        limit=limit,
        offset=offset,
    )
    ids = [row[kind] for row in latest]
    if not ids:
        return []
    mine = Filter(column=kind, op="in", value=ids)
    done = await _grouped(
        traces,
        kind,
        question,
        where=(mine,),
        measures={
            "spans": ("count", None),
            "traces": ("distinct", "trace_id"),
            "sessions": ("distinct", "session_id"),
            "failed": ("sum", "failed"),
            "first_ns": ("min", "start_ns"),
            "last_ns": ("max", "start_ns"),
        },
    )
    used = await _grouped(
        traces,
        kind,
        question,
        where=(mine, Filter(column="operation", op="not in", value=list(WHOLES))),
        measures={name: ("sum", name) for name in ("input_tokens", "output_tokens", "cost_usd")},
    )
    totals = {row.pop(kind): row for row in done}
    usage = {row.pop(kind): row for row in used}
    return [_activity(id, totals[id], usage) for id in ids if id in totals]  # one may have been erased meanwhile


def _activity(id: str, row: dict[str, Any], usage: dict[str, dict[str, Any]]) -> Activity:
    tokens = usage.get(id, {})
    return Activity(
        id=id,
        **row,
        input_tokens=tokens.get("input_tokens") or 0,
        output_tokens=tokens.get("output_tokens") or 0,
        cost_usd=tokens.get("cost_usd"),
    )


async def _grouped(
    traces: TraceStore,
    kind: Kind,
    question: Question,
    *,
    where: tuple[Filter, ...],
    measures: dict[str, tuple[Any, str | None]],
    order: tuple[Order, ...] = (),
    limit: int | None = None,
    offset: int = 0,
) -> list[dict[str, Any]]:
    asked = Question(
        where=(*question.where, *where),
        scored=question.scored,
        text=question.text,
        since_ns=question.since_ns,
        until_ns=question.until_ns,
        group_by=(kind,),
        measures=tuple(Aggregate(measure=m, column=column, name=name) for name, (m, column) in measures.items()),
        order=order,
        limit=limit,
        offset=offset,
    )
    return (await traces.query(asked)).records()
