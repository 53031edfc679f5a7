"""One trace is found without taking in what has just come, and is what it would be afterwards."""

from __future__ import annotations

import msgspec
import pytest
from trace_records import score, span

from noria.core.questions import Question
from noria.stores.traces.duckdb import DuckDBTraces
from noria.stores.traces.embedded import waiting
from noria.stores.traces.embedded.waiting import Waiting

ODD = 'a "trace"\n\\ of é'


def of(number, trace_id, **fields):
    return msgspec.structs.replace(span(number, **fields), trace_id=trace_id)


async def both(store: DuckDBTraces, trace_id: str):
    """The trace while some of it waits; checked to be the same when nothing does."""
    before = store.stats().drained
    found = await store.trace(trace_id)
    assert store.stats().drained == before
    await store.query(Question(limit=1))
    assert await store.trace(trace_id) == found
    return found


@pytest.mark.parametrize("trace_id", ["t", ODD])
async def test_a_trace_of_what_is_taken_and_what_waits(tmp_path, trace_id):
    store = await DuckDBTraces.open(tmp_path / "traces.duckdb", tmp_path / "spool", drain_after_s=3600)
    other = of(9, trace_id + "2")
    first = [of(1, trace_id, start_ns=50), of(2, trace_id, start_ns=40), other]
    judged = msgspec.structs.replace(score(1, 0.5), trace_id=trace_id)
    await store.append(first, [judged])
    assert await both(store, trace_id) == ([first[1], first[0]], [judged])
    again, new = of(2, trace_id, start_ns=60, name="again"), of(3, trace_id, start_ns=40)
    await store.append([again], [msgspec.structs.replace(judged, value=0.7)])
    await store.append([new, of(3, trace_id + "2")])
    spans, scores = await both(store, trace_id)
    assert spans == [new, first[0], again]
    assert [item.value for item in scores] == [0.5, 0.7]
    await store.close()


async def test_where_too_much_waits_it_is_taken_first(tmp_path, monkeypatch):
    store = await DuckDBTraces.open(tmp_path / "traces.duckdb", tmp_path / "spool", drain_after_s=3600)
    left = [of(number, "t", start_ns=number) for number in range(3)]
    await store.append(left[:2])
    monkeypatch.setattr(waiting, "_MOST_BYTES", 10)
    await store.append(left[2:])
    assert (await store.trace("t"))[0] == left
    await store.close()


def test_what_is_taken_is_forgotten():
    held = Waiting((1, 0))
    for end in (10, 20, 30):
        held.add(waiting.Appended((1, end), b"x" * end))
    held.forget((1, 10))
    assert [item.end for item in held.behind((1, 10))] == [(1, 20), (1, 30)]
    assert held.behind((0, 99)) is None
