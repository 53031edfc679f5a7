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
    input_tokens: int | None
    """Prompt tokens, those that somebody counted; None where nobody did."""
    output_tokens: int | None
    """Generated tokens, in the same way."""
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
    the work (2 million steps, DuckDB). Many applications name the session and the user at a trace's root alone: steps
    that name none belong to the one that other steps of their trace name.
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
    totals = {row.pop(kind): row for row in await _grouped(traces, kind, question, where=(mine,), measures=_DONE)}
    used = {row.pop(kind): row for row in await _grouped(traces, kind, question, where=(mine, _CALLS), measures=_USED)}
    if kind != "trace_id":
        await _add_nameless(traces, kind, question, mine=mine, totals=totals, used=used)
    return [
        _activity(id, totals[id], used.get(id, {})) for id in ids if id in totals
    ]  # one may have been erased meanwhile


_DONE: dict[str, tuple[Any, str | None]] = {
    "spans": ("count", None),
    "traces": ("distinct", "trace_id"),
    "sessions": ("distinct", "session_id"),
    "failed": ("sum", "failed"),
    "first_ns": ("min", "start_ns"),
    "last_ns": ("max", "start_ns"),
}
_USED: dict[str, tuple[Any, str | None]] = {
    name: ("sum", name) for name in ("input_tokens", "output_tokens", "cost_usd")
}
_CALLS = Filter(column="operation", op="not in", value=list(WHOLES))
_MOST_TRACES = 10_000
"""Traces of the listed sessions or users that are looked through for steps that name none; the latest."""


async def _add_nameless(
    traces: TraceStore,
    kind: Kind,
    question: Question,
    *,
    mine: Filter,
    totals: dict[str, dict[str, Any]],
    used: dict[str, dict[str, Any]],
) -> None:
    """Add the steps that name nobody to whom their trace names; where it names several, they are nobody's."""
    named = await _grouped(
        traces,
        kind,
        question,
        "trace_id",
        where=(mine,),
        measures={"last_ns": ("max", "start_ns")},
        order=(Order(column="last_ns", descending=True),),
        limit=_MOST_TRACES,
    )
    owners: dict[str, set[str]] = {}
    for row in named:
        owners.setdefault(row["trace_id"], set()).add(row[kind])
    nameless = (Filter(column="trace_id", op="in", value=list(owners)), Filter(column=kind, op="is null"))
    for row in await _grouped(traces, "trace_id", question, where=nameless, measures=_DONE):
        if len(owners[row["trace_id"]]) == 1 and (owner := next(iter(owners[row["trace_id"]]))) in totals:
            total = totals[owner]
            total["spans"] += row["spans"]
            total["failed"] += row["failed"] or 0
            total["first_ns"] = min(total["first_ns"], row["first_ns"])
            total["last_ns"] = max(total["last_ns"], row["last_ns"])
    for row in await _grouped(traces, "trace_id", question, where=(*nameless, _CALLS), measures=_USED):
        if len(owners[row["trace_id"]]) == 1:
            sums = used.setdefault(next(iter(owners[row["trace_id"]])), dict.fromkeys(_USED))
            for name in _USED:
                if row[name] is not None:
                    sums[name] = (sums[name] or 0) + row[name]


def _activity(id: str, row: dict[str, Any], used: dict[str, Any]) -> Activity:
    return Activity(
        id=id,
        **row,
        input_tokens=used.get("input_tokens"),
        output_tokens=used.get("output_tokens"),
        cost_usd=used.get("cost_usd"),
    )


async def _grouped(
    traces: TraceStore,
    kind: Kind,
    question: Question,
    *further: str,
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
        group_by=(kind, *further),
        measures=tuple(Aggregate(measure=m, column=column, name=name) for name, (m, column) in measures.items()),
        order=order,
        limit=limit,
        offset=offset,
    )
    return (await traces.query(asked)).records()
