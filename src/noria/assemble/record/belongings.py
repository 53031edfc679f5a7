"""What belongs to an end user, and the questions that choose it.

What belongs to user U: every span that names U; every trace and every session in which nobody but U is named; and in
traces that others share, the steps below U's own that name nobody else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import NamedTuple

from noria.core.protocols import TraceStore
from noria.core.questions import Filter, Question

_MANY = 1000
"""Ids in one question."""

Key = tuple[str, str]
"""Trace id and span id."""


def batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """As many ids at a time as a question bears."""
    for start in range(0, len(ids), _MANY):
        yield ids[start : start + _MANY]


class Belongings(NamedTuple):
    """What belongs to a user, as ids."""

    user: str
    own: bool
    """Whether any span names them."""
    traces: Sequence[str]
    """Traces in which nobody else is named."""
    sessions: Sequence[str]
    """Sessions in which nobody else is named."""
    below: Sequence[Key]
    """Steps below theirs in traces that others share."""

    @property
    def nothing(self) -> bool:
        """Whether nothing is on record."""
        return not self.own

    def questions(self) -> Iterable[Question]:
        """Questions that choose it all. The spans that name the user come last: by them the rest is found."""
        for some in batches(self.traces):
            yield Question(where=(Filter(column="trace_id", op="in", value=some),), limit=None)
        for some in batches(self.sessions):
            yield Question(where=(Filter(column="session_id", op="in", value=some),), limit=None)
        spans: dict[str, list[str]] = {}
        for trace_id, span_id in self.below:
            spans.setdefault(trace_id, []).append(span_id)
        for trace_id, ids in spans.items():
            for some in batches(ids):
                where = (Filter(column="trace_id", value=trace_id), Filter(column="span_id", op="in", value=some))
                yield Question(where=where, limit=None)
        yield Question(where=(Filter(column="user_id", value=self.user),), limit=None)


async def belongings(store: TraceStore, user: str) -> Belongings:
    """What belongs to a user now."""
    traces = await _ids(store, "trace_id", user)
    sessions = await _ids(store, "session_id", user)
    shared_traces = await _shared(store, "trace_id", traces, user)
    shared_sessions = await _shared(store, "session_id", sessions, user)
    return Belongings(
        user=user,
        own=bool(traces),
        traces=[trace_id for trace_id in traces if trace_id not in shared_traces],
        sessions=[session_id for session_id in sessions if session_id not in shared_sessions],
        below=[key async for key in _below(store, sorted(shared_traces), user)],
    )


async def _ids(store: TraceStore, column: str, user: str) -> list[str]:
    """Ids of traces or sessions in which the user is named."""
    where = (Filter(column="user_id", value=user), Filter(column=column, op="is not null"))
    rows = (await store.query(Question(where=where, group_by=(column,), limit=None))).rows
    return [str(row[0]) for row in rows]


async def _shared(store: TraceStore, column: str, ids: Sequence[str], user: str) -> set[str]:
    """Those of the traces or sessions in which somebody else is named, too."""
    found: set[str] = set()
    for some in batches(ids):
        where = (
            Filter(column=column, op="in", value=some),
            Filter(column="user_id", op="is not null"),
            Filter(column="user_id", op="!=", value=user),
        )
        rows = (await store.query(Question(where=where, group_by=(column,), limit=None))).rows
        found |= {str(row[0]) for row in rows}
    return found


async def _below(store: TraceStore, traces: Iterable[str], user: str) -> AsyncIterator[Key]:
    """Steps below the user's in traces that others share, down to the first step that names somebody else."""
    columns = ("span_id", "parent_id", "user_id")
    for trace_id in traces:
        where = (Filter(column="trace_id", value=trace_id),)
        rows = (await store.query(Question(where=where, columns=columns, limit=None))).rows
        children: dict[str, list[tuple[str, str | None]]] = {}
        for span_id, parent_id, named in rows:
            children.setdefault(parent_id or "", []).append((span_id, named))
        seen = {span_id for span_id, _, named in rows if named == user}
        reached = list(seen)
        while reached:
            for span_id, named in children.get(reached.pop(), ()):
                if named is None and span_id not in seen:
                    seen.add(span_id)
                    reached.append(span_id)
                    yield trace_id, span_id
