"""Everything comes, once, with its scores, also where many spans share one moment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridges.records import NOON, score, span
from noria.bridges.files.walk import Selection, page, scores_by_span
from noria.core.errors import InvalidInput
from noria.core.scores import Score
from noria.core.spans import Span
from noria.stores.traces.duckdb import DuckDBTraces


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[DuckDBTraces]:
    made = await DuckDBTraces.open(tmp_path / "traces.duckdb", tmp_path / "spool")
    yield made
    await made.close()


async def walked(store: DuckDBTraces, selection: Selection, limit: int) -> list[Span]:
    found: list[Span] = []
    after, more = None, True
    while more:
        records, after, more = await page(store, selection, after, limit=limit)
        found += records.spans
    return found


async def test_all_of_them_in_pages_of_any_size(store: DuckDBTraces) -> None:
    same = [span(number, start_ns=NOON + number // 7) for number in range(40)]
    for start in range(0, 40, 8):
        await store.append(same[start : start + 8])
    for selection in (Selection(), Selection(since_ns=0), Selection(until_ns=NOON + 100)):
        for limit in (1, 3, 7, 40, 100):
            found = await walked(store, selection, limit)
            assert sorted(found, key=lambda one: one.span_id) == same, (selection, limit)
    assert await walked(store, Selection(app="odd", since_ns=NOON + 1, until_ns=NOON + 3), 4) == same[7:21:2]
    assert await walked(store, Selection(app="nobody"), 4) == []


async def test_a_walk_goes_on_later_with_what_has_come_since(store: DuckDBTraces) -> None:
    await store.append([span(1), span(2)])
    first = await page(store, Selection())
    await store.append([span(0)])
    later = await page(store, Selection(), first.cursor)
    assert later.records.spans == (span(0),)
    assert not (await page(store, Selection(), later.cursor)).more


async def test_scores_come_with_their_spans_and_those_on_a_trace_with_its_root(store: DuckDBTraces) -> None:
    judged = [score(0), score(1, 0.5), score(1, "x", scorer="other"), score(0, 1, span_id="", scorer="whole")]
    foreign = score(3, trace_id=f"{1:032x}", span_id="f" * 16)
    await store.append([span(number) for number in range(12)], [*judged, foreign])
    rows = scores_by_span((await page(store, Selection())).records)
    on: dict[str, list[Score]] = {one.span_id: scores for one, scores in rows if scores}
    assert on == {f"{1:016x}": [judged[0], judged[3]], f"{2:016x}": [judged[1], judged[2]]}


async def test_a_cursor_of_another_walk_is_refused(store: DuckDBTraces) -> None:
    await store.append([span(1)])
    everything = (await page(store, Selection())).cursor
    with pytest.raises(InvalidInput, match="not of this export"):
        await page(store, Selection(app="odd"), everything)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(st.text(max_size=8) | st.text(max_size=8).map("started.".__add__) | st.text(max_size=8).map("arrived.".__add__))
async def test_any_text_as_a_cursor_is_an_answer_or_a_refusal(store: DuckDBTraces, text: str) -> None:
    for selection in (Selection(), Selection(app="a")):
        try:
            await page(store, selection, text)
        except InvalidInput:
            continue
