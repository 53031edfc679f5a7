"""What every trace store answers to the harder questions: scores, texts, buckets, pages. Part of ``TraceContract``."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from trace_questions import bad_json, questions, some_records, texts
from trace_records import NOON, SECOND, score, span, spans

from noria.core.cursors import place_of
from noria.core.errors import InvalidInput
from noria.core.messages import BlobPart, Message, TextPart, ToolCall
from noria.core.protocols import TraceStore
from noria.core.questions import Aggregate, Filter, Order, Question, ScoreFilter, Table
from noria.core.requests import Lineage
from noria.core.spans import Document, Span
from noria.stores.traces.memory import MemoryTraces
from noria.stores.traces.words import found, phrases

MANY = settings(
    max_examples=60,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
        HealthCheck.too_slow,
    ],
)
OLDEST = (Order(column="start_ns"),)
COUNT = (Aggregate(measure="count"),)

JUDGED = [
    (ScoreFilter(scorer="exact"), "1235"),
    (ScoreFilter(scorer="exact", op="is null"), "46"),
    (ScoreFilter(scorer="exact", value=True, op="="), "15"),
    (ScoreFilter(scorer="exact", value=False, op="="), "2"),
    (ScoreFilter(scorer="exact", value=1, op="="), "15"),
    (ScoreFilter(scorer="exact", value=0.5, op="<"), "2"),
    (ScoreFilter(scorer="exact", value=0.5, op=">="), "135"),
    (ScoreFilter(scorer="exact", value=True, op="!="), "235"),
    (ScoreFilter(scorer="exact", value="good", op="="), "5"),
    (ScoreFilter(scorer="exact", value="oo", op="contains"), "5"),
    (ScoreFilter(scorer="exact", value=["good", 0.5], op="in"), "35"),
    (ScoreFilter(scorer="exact", value=[True, False, 0.5], op="not in"), "5"),
    (ScoreFilter(scorer="exact", source="human"), "3"),
    (ScoreFilter(scorer="exact", source="human", op="is null"), "12456"),
    (ScoreFilter(scorer="exact", value=True, op="=", source="human"), ""),
    (ScoreFilter(scorer="tone", value=None, op="="), "12356"),
    (ScoreFilter(scorer='it\'s "odd"'), ""),
]
"""A condition, and the spans of six whose scores fit it."""

SAID = {
    "1": span(1, input=(Message(role="user", content="The water wheel of Córdoba,\nturning"),)),
    "2": span(2, output=(Message(role="assistant", content=(TextPart(text="WATER"), TextPart(text="mill"))),)),
    "3": span(3, documents=(Document(id="waters", text="A wheel without it: water-\twheel."),)),
    "4": span(4, status="error", error_message="user_id 42 is unknown", tool_name="lookup"),
    "5": span(
        5, output=(Message(role="assistant", tool_calls=(ToolCall(id="x", name="turn", arguments='{"q":"mill"}'),)),)
    ),
    "6": span(6, input=(Message(role="user", content="你好世界 — gpt-4o, naïve\x01mill"),), attributes={"k": "water"}),
    "7": span(7, output=(Message(role="assistant", reasoning="ÉTÉ Σ", refusal='No \\nmill "quoted"'),)),
    "8": span(8, input=(Message(role="user", content=(BlobPart(sha256="mill", bytes=9, preview="It begins"),)),)),
}
SEARCHES = [
    ("water", "123"),
    ("WATER wheel", "13"),
    ('"water wheel"', "13"),
    ('"wheel water"', ""),
    ("water-wheel", "13"),
    ("turning", "1"),
    ("turn", "5"),
    ("wate", ""),
    ("Córdoba", "1"),
    ("rdoba", "1"),
    ("cordoba", ""),
    ("mill", "256"),
    ('"water mill"', ""),
    ("user", "4"),
    ("user_id", "4"),
    ("id", "4"),
    ("role", ""),
    ("assistant", ""),
    ("text", ""),
    ("lookup 42", "4"),
    ("4o", "6"),
    ("gpt-4o", "6"),
    ("世界", "6"),
    ("界世", ""),
    ("界 世", "6"),
    ("naïve", "6"),
    ('"naïve mill"', "6"),
    ("été", "7"),
    ("σ", "7"),
    ("nmill", "7"),
    ("q", "5"),
    ("begins", "8"),
    ("chat", "12345678"),
    ("chat 3", "3"),
    ('the "wheel of" turning', "1"),
    ('"wheel of', "1"),
]
"""A search text, and the spans of ``SAID`` that have it."""

BAD = [
    (Question(text=""), "no word"),
    (Question(text=' "…" -- '), "no word"),
    (Question(text=" ".join(f"w{i}" for i in range(101))), "at most 100"),
    (Question(where=(Filter(column="app", op="in", value=["x"] * 50_001),) * 2), "at most 100,000 values in all"),
    (Question(scored=(ScoreFilter(scorer="a", value=1),) * 101), "at most 100 conditions on scores"),
    (Question(text='"' + "a " * 101 + '"'), "at most 100"),
    (Question(text="a" * 1001), "at most 1,000 characters"),
    (Question(source="scores", text="x"), "Only spans"),
    (Question(source="scores", scored=(ScoreFilter(scorer="x"),)), "Only spans"),
    (Question(scored=(ScoreFilter(scorer="x", op="<"),)), "needs a value"),
    (Question(scored=(ScoreFilter(scorer="x", op="in", value=1),)), "needs a list"),
    (Question(scored=(ScoreFilter(scorer="x", op="=", value={}),)), "compared"),
    (Question(scored=(ScoreFilter(scorer="\ud800"),)), "surrogate"),
    (Question(group_by=("time",), measures=COUNT), "need both"),
    (Question(bucket_s=60), "need both"),
    (Question(bucket_s=0, group_by=("time",), measures=COUNT), "from 1"),
    (Question(bucket_s=2**40, group_by=("time",), measures=COUNT), "from 1"),
    (Question(columns=("time",)), "no column"),
    (Question(where=(Filter(column="time", value=1),)), "no column"),
    (Question(tolerance=-0.1), "tolerance"),
    (Question(tolerance=math.nan), "tolerance"),
    (Question(measures=(Aggregate(measure="distinct", column="input"),)), "distinct can't"),
    (Question(measures=(Aggregate(measure="p25", column="app"),)), "p25 can't"),
    (Question(where=(Filter(column="app", op="in", value=["x"] * 100_001),)), "at most 100,000"),
    (Question(columns=("app",) * 10_001), "at most 10,000"),
    (Question(after="AAAA"), "damaged"),
    (Question(after="ä"), "damaged"),
    (Question(after=""), "damaged"),
    (Question(after="x", order=(Order(column="app"),)), "in order of time"),
    (Question(after="x", measures=COUNT), "in order of time"),
    (Question(after="x", offset=1), "can't skip"),
]
"""Questions, and words of their refusals."""


async def names(store: TraceStore, **question: Any) -> str:
    """Numbers of the spans that match, from old to new: ``chat 3`` is 3."""
    table = await store.query(Question(columns=("name",), order=OLDEST, **question))
    return "".join(row[0].removeprefix("chat ") for row in table.rows)


async def pages(store: TraceStore, question: Question, limit: int) -> list[Table]:
    """All pages of an answer."""
    found = [await store.query(replace(question, limit=limit))]
    while found[-1].next:
        found.append(await store.query(replace(question, limit=limit, after=found[-1].next)))
    return found


def near(rows: Any) -> Any:
    """Equal but for the last digits of its numbers: sums may be taken in another order."""
    if isinstance(rows, float):
        return pytest.approx(rows, rel=1e-9, abs=1e-12)
    return [near(item) for item in rows] if isinstance(rows, list | tuple) else rows


class QuestionContract:
    # -- derived columns and measures

    async def test_failed_and_model_are_columns_like_others(self, store: TraceStore):
        await store.append(
            [
                span(1, status="error", request_model="a", response_model="b"),
                span(2, status="cancelled", response_model="b"),
                span(3, request_model="a"),
                span(4),
            ]
        )
        table = await store.query(Question(columns=("failed", "model"), order=OLDEST))
        assert table.rows == ((True, "a"), (False, "b"), (False, "a"), (False, None))
        assert await names(store, where=(Filter(column="failed", value=True),)) == "1"
        assert await names(store, where=(Filter(column="model", value="a"),)) == "13"
        assert await names(store, where=(Filter(column="model", op="!=", value="a"),)) == "24"
        rate = Question(group_by=("model",), measures=(Aggregate(measure="mean", column="failed", name="errors"),))
        assert (await store.query(rate)).rows == (("a", 0.5), ("b", 0.0), (None, 0.0))

    async def test_different_values_are_counted_and_quartiles_taken(self, store: TraceStore):
        users = ["u", "v", None, "u", "U"]
        values: list[Any] = [1, 1, 2, "1", None]
        made = [
            span(i, lineage=Lineage(user_id=user), attributes={"k": value}, input_tokens=10 * i)
            for i, (user, value) in enumerate(zip(users, values, strict=True))
        ]
        await store.append(made)
        asked = [("distinct", "user_id"), ("distinct", "attributes.k"), ("distinct", "cached"), ("p25", "input_tokens")]
        measures = tuple(Aggregate(measure=m, column=c) for m, c in [*asked, ("p75", "input_tokens")])
        assert (await store.query(Question(measures=measures))).rows == ((3, 3, 1, 10.0, 30.0),)
        grouped = Question(group_by=("attributes.k",), measures=measures[:1], limit=1)
        assert (await store.query(grouped)).rows == ((1, 2),)

    async def test_buckets_of_time_are_counted_from_1970(self, store: TraceStore):
        minutes = [0, 0, 59, 60, 60 * 24 * 3]
        await store.append([span(i, start_ns=NOON + at * 60 * SECOND) for i, at in enumerate(minutes)])
        await store.append([], [score(1), score(2, time_ns=NOON + 90 * SECOND)])
        hours = Question(group_by=("time",), bucket_s=3600, measures=COUNT)
        hour = 3600 * SECOND
        assert (await store.query(hours)).rows == ((NOON, 3), (NOON + hour, 1), (NOON + 72 * hour, 1))
        weeks = replace(hours, bucket_s=7 * 86_400)
        start = NOON // (7 * 24 * hour) * (7 * 24 * hour)
        assert (await store.query(weeks)).rows == ((start, 5),) or len((await store.query(weeks)).rows) == 2
        latest = replace(hours, order=(Order(column="time", descending=True),), limit=1)
        assert (await store.query(latest)).rows == ((NOON + 72 * hour, 1),)
        minutely = Question(source="scores", group_by=("scorer", "time"), bucket_s=60, measures=COUNT)
        assert (await store.query(minutely)).rows == (("exact", NOON, 1), ("exact", NOON + 60 * SECOND, 1))
        assert (await store.query(replace(hours, tolerance=0.01))).rows[0] == (NOON, 3)

    async def test_percentiles_are_exact_unless_an_error_is_allowed(self, store: TraceStore):
        times = [0.1 * 1.05**i for i in range(100)]
        await store.append([span(i, ttft_s=time, request_model="m") for i, time in enumerate(times)])
        measures = tuple(Aggregate(measure=m, column="ttft_s") for m in ("p50", "p95", "p99"))
        asked = Question(group_by=("time", "request_model"), bucket_s=3600, measures=measures)
        exact = await store.query(asked)
        assert exact.error == 0
        rough = await store.query(replace(asked, tolerance=0.01))
        assert rough.error <= 0.01
        for near_, right in zip(rough.rows[0][2:], exact.rows[0][2:], strict=True):
            assert near_ == pytest.approx(right, rel=0.011)

    # -- scores

    async def test_spans_are_chosen_by_their_scores(self, store: TraceStore):
        await store.append([span(i) for i in range(1, 7)])
        values: list[Any] = [True, False, 0.5]
        await store.append(
            [], [score(1, True), score(2, False), score(3, 0.5, source="human"), score(4, 1, scorer="tone")]
        )
        await store.append([], [score(5, True), score(5, "good"), score(16, True, span_id=span(6).span_id)])
        wanted = {repr(item): expected for item, expected in JUDGED}
        assert {repr(item): await names(store, scored=(item,)) for item, _ in JUDGED} == wanted
        assert len(values) == 3
        both = (ScoreFilter(scorer="exact", op="=", value=True), ScoreFilter(scorer="exact", op="=", value="good"))
        assert await names(store, scored=both) == "5"
        grouped = Question(scored=both[:1], group_by=("app",), measures=COUNT)
        assert (await store.query(grouped)).rows == ((None, 2),)
        assert [item.name for item in await store.spans(Question(scored=both[:1], limit=1))] == ["chat 5"]

    # -- texts

    async def test_words_are_found_where_they_are_said_and_nowhere_else(self, store: TraceStore):
        await store.append(list(SAID.values()))
        wanted = dict(SEARCHES)
        assert {text: await names(store, text=text) for text in wanted} == wanted
        counted = Question(text="water", group_by=("status",), measures=COUNT)
        assert (await store.query(counted)).rows == (("ok", 3),)
        both = (Filter(column="documents", op="contains", value="without"),)
        assert await names(store, text="water", where=both) == "3"
        await store.append([replace(SAID["1"], input=(Message(role="user", content="fire"),))])
        assert await names(store, text="water") == "23"
        assert await names(store, text="fire") == "1"

    @settings(MANY, max_examples=25)
    @given(
        drawn=st.lists(spans, min_size=1, max_size=3),
        asked=texts() | st.text(st.characters(max_codepoint=0x24F), min_size=1, max_size=6),
    )
    async def test_no_word_is_ever_overlooked_or_made_up(self, store: TraceStore, drawn: list[Span], asked: str):
        try:
            wanted = phrases(asked)
        except InvalidInput:
            return
        said = (Message(role="user", content=f"x{asked}"), Message(role="user", content=asked))
        await store.append([*drawn, replace(drawn[0], input=said)])
        whole = await store.spans(Question(limit=None))
        expected = {(item.trace_id, item.span_id) for item in whole if found(item, wanted)}
        assert {
            (item.trace_id, item.span_id) for item in await store.spans(Question(text=asked, limit=None))
        } == expected
        assert (drawn[0].trace_id, drawn[0].span_id) in expected

    # -- pages

    @pytest.mark.parametrize("descending", [True, False])
    @pytest.mark.parametrize("limit", [1, 2, 3, 60])
    async def test_pages_neither_repeat_nor_skip(self, store: TraceStore, descending: bool, limit: int):
        made, scores = some_records(30)
        await store.append(made, [*scores, *scores[:9], *scores[:5]])  # the same score twice is two scores
        for question, records in (
            (Question(order=(Order(column="start_ns", descending=descending),)), made),
            (Question(order=(Order(column="start_ns", descending=descending),), text="water"), None),
            (
                Question(source="scores", order=(Order(column="time_ns", descending=descending),)),
                [*scores, *scores[:9], *scores[:5]],
            ),
        ):
            columns = (
                ("start_ns", "trace_id", "span_id")
                if question.source == "spans"
                else ("time_ns", "trace_id", "span_id", "scorer")
            )
            asked = replace(question, columns=columns)
            whole = (await store.query(replace(asked, limit=None))).rows
            assert whole == tuple(sorted(whole, reverse=descending))
            if records is not None:
                assert list(whole) == [
                    place_of(item)[: len(columns)] for item in sorted(records, key=place_of, reverse=descending)
                ]
            cut = await pages(store, asked, limit)
            assert tuple(row for page in cut for row in page.rows) == whole
            assert {len(page.rows) for page in cut[:-1]} <= {limit}
            assert cut[-1].rows

    async def test_pages_go_on_while_spans_arrive_and_are_sent_again(self, store: TraceStore):
        await store.append([span(i) for i in range(6)])
        first = await store.query(Question(columns=("name",), limit=3))
        await store.append([span(9), span(1, name="again"), span(4, name="again")])
        second = await store.spans(Question(limit=2, after=first.next))
        assert [item.name for item in second] == ["chat 2", "again"]
        narrower = await store.query(Question(columns=("name",), since_ns=NOON + 2 * SECOND, after=first.next))
        assert (narrower.rows, narrower.next) == ((("chat 2",),), None)

    async def test_a_cursor_belongs_to_its_question(self, store: TraceStore):
        await store.append([span(i) for i in range(3)], [score(i) for i in range(3)])
        cursor = (await store.query(Question(limit=1))).next
        assert cursor
        for other in (
            Question(source="scores"),
            Question(where=(Filter(column="app", value="a"),)),
            Question(scored=(ScoreFilter(scorer="exact"),)),
            Question(text="chat"),
            Question(order=OLDEST),
        ):
            with pytest.raises(InvalidInput, match="another question"):
                await store.query(replace(other, after=cursor))
        for damaged in (cursor[:-3], cursor + "AA", cursor[3:]):
            with pytest.raises(InvalidInput, match="damaged|another"):
                await store.query(Question(after=damaged))
        assert (await store.query(Question(limit=0))).next is None
        assert (await store.query(Question(limit=1, order=(Order(column="name"),)))).next is None
        assert (await store.query(Question(limit=3))).next is None

    # -- anything

    @MANY
    @given(question=questions)
    async def test_every_question_has_the_answer_of_the_plain_store(self, store: TraceStore, question: Question):
        plain = MemoryTraces()
        made, scores = some_records()
        if not await store.spans(Question(limit=1)):
            await store.append(made, scores)
        await plain.append(made, scores)
        answer, expected = await store.query(question), await plain.query(question)
        assert answer.columns == expected.columns
        assert near(answer.rows) == near(expected.rows)
        assert answer.next == expected.next

    @MANY
    @given(bad=bad_json)
    async def test_whatever_is_asked_there_is_an_answer_or_a_sentence(self, store: TraceStore, bad: Any):
        await store.append([span(1)], [score(1)])
        try:
            question = msgspec.convert(bad, Question)
        except msgspec.ValidationError:
            return
        for ask in (store.query, store.spans, store.scores):
            try:
                await ask(question)
            except InvalidInput as error:
                assert str(error).isprintable()

    async def test_harder_questions_that_make_no_sense(self, store: TraceStore):
        for question, said in BAD:
            with pytest.raises(InvalidInput, match=said):
                await store.query(question)
