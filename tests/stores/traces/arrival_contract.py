"""What every trace store does with arrivals, deletion and stripping. Part of ``TraceContract``."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from trace_records import NOON, score, span

from noria.core.errors import InvalidInput
from noria.core.messages import Message
from noria.core.protocols import TraceStore
from noria.core.questions import Aggregate, Filter, Question, ScoreFilter
from noria.core.requests import Lineage
from noria.core.spans import Document, Span, SpanEvent


async def arrived(store: TraceStore, after: str | None = None, limit: int = 1000) -> tuple[list[str], str]:
    """Names of everything that arrived behind a cursor, and the cursor behind it."""
    names: list[str] = []
    while True:
        found = await store.arrivals(after, limit=limit)
        assert len(found.spans) <= limit
        if not found.spans:
            return names, found.cursor
        names += [item.name for item in found.spans]
        after = found.cursor


class ArrivalContract:
    # -- arrivals

    async def test_spans_arrive_in_the_order_in_which_they_were_taken(self, store: TraceStore):
        assert (await store.arrivals()).spans == ()
        await store.append([span(5), span(3)])
        await store.append([span(4)], [score(4)])
        names, cursor = await arrived(store, limit=2)
        assert sorted(names[:2]) == ["chat 3", "chat 5"]
        assert names[2:] == ["chat 4"]
        assert await arrived(store, cursor) == ([], cursor)
        await store.append([span(1, start_ns=1, end_ns=2), span(4, name="again")])  # late, and sent again
        assert sorted((await arrived(store, cursor))[0]) == ["again", "chat 1"]
        everything, _ = await arrived(store)
        assert sorted(everything) == ["again", "chat 1", "chat 3", "chat 5"]
        [whole] = (await store.arrivals((await store.arrivals(limit=3)).cursor, limit=1)).spans
        assert isinstance(whole, Span)

    async def test_the_latest_cursor_skips_what_is_there(self, store: TraceStore):
        start = await store.latest_cursor()
        await store.append([span(1)])
        middle = await store.latest_cursor()
        await store.append([span(2)])
        assert (await arrived(store, start))[0] == ["chat 1", "chat 2"]
        assert (await arrived(store, middle))[0] == ["chat 2"]
        assert (await arrived(store, await store.latest_cursor()))[0] == []

    async def test_a_cursor_that_is_none_is_refused(self, store: TraceStore):
        for wrong in ("", "no cursor", "-1", "\ud800", "9" * 400):
            with pytest.raises(InvalidInput):
                await store.arrivals(wrong)

    # -- deletion

    async def test_deleted_spans_are_gone_with_their_scores(self, store: TraceStore):
        users = ["u", "v", "u", None]
        await store.append([span(i, lineage=Lineage(user_id=user)) for i, user in enumerate(users)])
        await store.append([], [score(0), score(0, False), score(1), score(9)])
        mine = Question(where=(Filter(column="user_id", value="u"),), limit=1)
        assert await store.delete(mine) == 2
        assert [item.name for item in await store.spans(Question())] == ["chat 3", "chat 1"]
        assert [item.span_id[-1] for item in await store.scores(Question(source="scores"))] == ["9", "1"]
        assert sorted((await arrived(store))[0]) == ["chat 1", "chat 3"]
        assert (await store.query(Question(measures=(Aggregate(measure="count"),)))).rows == ((2,),)
        assert (await store.trace(span(0).trace_id))[0] == [span(1, lineage=Lineage(user_id="v")), span(3)]
        assert await store.delete(mine) == 0
        await store.append([span(0)])
        assert len(await store.spans(Question())) == 3
        assert len(await store.scores(Question(source="scores"))) == 2

    async def test_spans_are_chosen_for_deletion_by_anything(self, store: TraceStore):
        made = [span(i, input=(Message(role="user", content=f"word{i}"),)) for i in range(6)]
        await store.append(made, [score(1, False)])
        assert await store.delete(Question(scored=(ScoreFilter(scorer="exact", op="=", value=False),))) == 1
        assert await store.delete(Question(text="word2")) == 1
        assert await store.delete(Question(until_ns=NOON + 1)) == 1
        assert await store.delete(Question()) == 3
        assert await store.delete(Question()) == 0
        assert await store.spans(Question()) == []

    async def test_deletion_is_for_spans_that_are_chosen_as_a_whole(self, store: TraceStore):
        await store.append([span(1)], [score(1)])
        count = (Aggregate(measure="count"),)
        for wrong in (Question(source="scores"), Question(measures=count), Question(after="x")):
            with pytest.raises(InvalidInput):
                await store.delete(wrong)
            with pytest.raises(InvalidInput):
                await store.strip(wrong)
        assert await store.spans(Question()) == [span(1)]

    # -- stripping

    async def test_stripped_spans_keep_their_numbers(self, store: TraceStore):
        texts: dict[str, Any] = {
            "input": (Message(role="user", content="secret"),),
            "output": (Message(role="assistant", content="secret"),),
            "variables": {"name": "secret"},
            "documents": (Document(text="secret"),),
            "events": (SpanEvent(name="secret", time_ns=1),),
            "error_message": "secret",
        }
        short, long = {"k": 1, "label": "x" * 64}, {"text": "secret" * 11, "list": ["kept"]}
        kept = span(1, input_tokens=5, lineage=Lineage(app="a"), attributes=short)
        await store.append(
            [replace(kept, **texts), span(2, attributes=short | long), span(3, attributes=short)], [score(1)]
        )
        before = await store.latest_cursor()
        assert await store.strip(Question(until_ns=NOON + 3 * 10**9)) == 2
        found = {item.name: item for item in await store.spans(Question())}
        assert found["chat 1"] == kept
        assert found["chat 2"].attributes == short | {"list": ["kept"]}
        assert await store.spans(Question(text="secret")) == []
        assert await store.scores(Question(source="scores")) == [score(1)]
        assert (await store.arrivals(before)).spans == ()
        assert await store.strip(Question()) == 0
