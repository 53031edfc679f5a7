"""What every trace store does. Subclass :class:`TraceContract` and give it a ``store`` fixture: an empty, open store."""

from __future__ import annotations

import pytest
from arrival_contract import ArrivalContract
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from question_contract import QuestionContract
from trace_records import NOON, SECOND, score, scores, span, spans

from noria.core.errors import InvalidInput
from noria.core.messages import Message
from noria.core.protocols import TraceStore
from noria.core.questions import Aggregate, Filter, Order, Question
from noria.core.requests import Lineage

# One store serves all examples of a test, and one test serves several stores: the suite is made for both.
ANY = settings(
    max_examples=20,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.differing_executors,
        HealthCheck.too_slow,
    ],
)
FIRST = Order(column="start_ns")


CONDITIONS = [
    ("app", "=", "a", "1"),
    ("app", "=", None, "4"),
    ("app", "!=", "a", "234"),
    ("app", "!=", None, "123"),
    ("app", "in", ["a", "b"], "12"),
    ("app", "in", ["a", None], "14"),
    ("app", "in", [], ""),
    ("app", "not in", ["a", "b"], "34"),
    ("app", "not in", [None], "123"),
    ("app", "contains", "\0", "3"),
    ("app", "is null", None, "4"),
    ("app", "is not null", None, "123"),
    ("app", ">", "a", "2"),
    ("app", "<=", "a", "13"),
    ("input_tokens", ">=", 20, "23"),
    ("input_tokens", "<", 19.5, "1"),
    ("input_tokens", "!=", 10, "234"),
    ("input_tokens", "in", [10, 30, 2**200], "13"),
    ("input_tokens", "<=", 2**300, "123"),
    ("start_ns", "=", NOON + 2 * SECOND, "2"),
    ("start_ns", ">", NOON + 3 * SECOND - 1, "34"),
    ("cached", "=", True, "2"),
    ("cached", "!=", True, "134"),
    ("cached", "in", [False], "134"),
    ("duration_s", "=", 0.5, "134"),
    ("duration_s", ">", 2, "2"),
    ("date", "=", "2026-11-23", "1234"),
    ("hour", "!=", "2026-11-23T12:00:00Z", ""),
    ("output", "contains", 'say "é\n😀"', "1"),
    ("output", "contains", 'role":"', ""),
    ("finish_reasons", "is null", None, ""),
    ("attributes.k", "=", "v", "1"),
    ("attributes.k", "=", 5, "2"),
    ("attributes.k", "=", "5", ""),
    ("attributes.k", ">=", 1, "23"),
    ("attributes.k", "=", True, "3"),
    ("attributes.k", "!=", 5, "134"),
    ("attributes.k", "!=", "v", "234"),
    ("attributes.k", "in", ["v", 5, None], "124"),
    ("attributes.k", "not in", ["v", 5], "34"),
    ("attributes.k", "is null", None, "4"),
    ("attributes.k", "contains", "v", "1"),
    ("attributes.gen_ai.x/y~z", "=", "dots", "4"),
    ("variables.", "=", "empty", "1"),
    ("params.temperature", "<", 0.5, "1"),
]
"""Column, operator, value, and the spans of four that match."""


NONSENSE = [
    (Question(columns=("aap",)), "'aap'.*app"),
    (Question(columns=("lineage",)), "'lineage'"),
    (Question(where=(Filter(column="atributes.k", value=1),)), "Did you mean"),
    (Question(where=(Filter(column='name" OR 1=1 --', value=1),)), "no column"),
    (Question(where=(Filter(column="metadata.k", value=1),)), "no column"),
    (Question(where=(Filter(column="attributes.\ud800", value=1),)), "surrogate"),
    (Question(source="scores", order=(Order(column="start_ns"),)), "no column"),
    (Question(where=(Filter(column="app", op="in", value="a"),)), "needs a list"),
    (Question(where=(Filter(column="app", value=5),)), "holds texts"),
    (Question(where=(Filter(column="app", value="\ud800"),)), "surrogate"),
    (Question(where=(Filter(column="start_ns", value="5"),)), "holds numbers"),
    (Question(where=(Filter(column="cost_usd", value=float("nan")),)), "finite"),
    (Question(where=(Filter(column="cached", value=1),)), "true or false"),
    (Question(where=(Filter(column="app", op="<"),)), "needs a value"),
    (Question(where=(Filter(column="input", value="x"),)), "contains"),
    (Question(where=(Filter(column="start_ns", op="contains", value="1"),)), "holds numbers"),
    (Question(where=(Filter(column="attributes.k", value={}),)), "compared"),
    (Question(order=(Order(column="input"),)), "no order"),
    (Question(measures=(Aggregate(measure="mean", column="app"),)), "mean can't"),
    (Question(measures=(Aggregate(measure="sum"),)), "needs a column"),
    (Question(group_by=("app",), columns=("app",)), "can't name columns"),
    (Question(group_by=("app",), order=(Order(column="name"),)), "can't be sorted"),
    (Question(group_by=("app", "app")), "one name"),
    (Question(limit=-1), "whole numbers"),
    (Question(offset=-1), "whole numbers"),
]
"""Questions, and words of their refusals."""


async def names(store: TraceStore, *where: Filter, **more: object) -> list[str]:
    """Names of the spans that match, oldest first."""
    table = await store.query(Question(where=where, columns=("name",), order=(FIRST,), **more))
    return [row[0] for row in table.rows]


class TraceContract(QuestionContract, ArrivalContract):
    # -- what goes in comes out

    async def test_nothing_appended_is_nothing_found(self, store: TraceStore):
        await store.append()
        assert await store.spans(Question()) == []
        assert (await store.query(Question())).rows == ()
        assert await store.trace("f" * 32) == ([], [])

    @ANY
    @given(drawn_spans=st.lists(spans, max_size=4), drawn_scores=st.lists(scores, max_size=4))
    async def test_records_come_back_equal(self, store: TraceStore, drawn_spans, drawn_scores):
        before = await store.scores(Question(source="scores", limit=None))
        await store.append(drawn_spans, drawn_scores)
        last = {(item.trace_id, item.span_id): item for item in drawn_spans}
        found = {(item.trace_id, item.span_id): item for item in await store.spans(Question(limit=None))}
        assert {key: found[key] for key in last} == last
        after = await store.scores(Question(source="scores", limit=None))
        assert sorted(map(repr, after)) == sorted(map(repr, [*before, *drawn_scores]))

    async def test_numbers_of_any_size_stay_exact_and_keep_their_type(self, store: TraceStore):
        attributes = {"big": 2**70, "negative": -(2**90), "whole": 1.0, "one": 1, "true": True, "tiny": 5e-324}
        await store.append([span(1, attributes=attributes)])
        [found] = await store.spans(Question())
        assert [(value, type(value)) for value in found.attributes.values()] == [
            (value, type(value)) for value in attributes.values()
        ]

    async def test_a_null_inside_an_object_is_not_an_absent_key(self, store: TraceStore):
        await store.append([span(1, attributes={"a": None}), span(2, attributes={})])
        assert [item.attributes for item in await store.spans(Question(order=(FIRST,)))] == [{"a": None}, {}]

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"attributes": {"deep": [{"x": float("nan")}]}}, r"nan in attributes\.deep\[0\]\.x"),
            ({"ttft_s": float("inf")}, "inf in ttft_s"),
            ({"attributes": {"text": "\ud800"}}, "surrogate"),
            ({"attributes": {"thing": object()}}, "no form"),
            ({"start_ns": 2**63}, "start_ns"),
            ({"input_tokens": -1}, "input_tokens"),
            ({"lineage": Lineage(repeat=2**64)}, "repeat"),
        ],
    )
    async def test_what_cannot_be_kept_exactly_is_refused_with_the_whole_append(self, store, changes, words):
        with pytest.raises(InvalidInput, match=words):
            await store.append([span(1), span(2, **changes)], [score(1)])
        assert await names(store) == []
        assert await store.scores(Question(source="scores")) == []

    async def test_a_score_that_is_no_number_is_refused(self, store: TraceStore):
        with pytest.raises(InvalidInput, match="nan in value"):
            await store.append([], [score(1, float("nan"))])

    async def test_a_span_sent_again_replaces_its_earlier_copy(self, store: TraceStore):
        await store.append([span(1, name="first"), span(2), span(1, name="second")])
        assert await names(store) == ["second", "chat 2"]
        await store.append([span(3), span(1, name="third")])
        await store.append([span(11, span_id=span(1).span_id, name="another trace")])
        assert await names(store) == ["third", "chat 2", "chat 3", "another trace"]

    async def test_the_same_score_twice_is_two_scores(self, store: TraceStore):
        await store.append([], [score(1)])
        await store.append([], [score(1), score(1)])
        assert len(await store.scores(Question(source="scores"))) == 3

    async def test_a_trace_is_its_spans_by_start_and_its_scores_by_time(self, store: TraceStore):
        await store.append([span(12), span(11), span(10), span(20)], [score(12), score(10, "good"), score(30)])
        found = await store.trace(span(10).trace_id)
        assert found == ([span(10), span(11), span(12)], [score(10, "good"), score(12)])

    # -- conditions

    async def test_conditions(self, store: TraceStore):
        say = (Message(role="assistant", content='say "é\n😀"'),)
        one = span(1, name="1", lineage=Lineage(app="a"), input_tokens=10, output=say, attributes={"k": "v"})
        two = span(2, name="2", lineage=Lineage(app="b"), input_tokens=20, cached=True, params={"temperature": 1})
        three = span(3, name="3", lineage=Lineage(app="\0c"), input_tokens=30, attributes={"k": True})
        four = span(4, name="4", attributes={"k": None, "gen_ai.x/y~z": "dots"})
        one = replace(one, variables={"": "empty"}, params={"temperature": 0.0})
        two = replace(two, attributes={"k": 5, "noria.replayed.duration_s": 2.5})
        await store.append([one, two, three, four])
        expected = {repr(asked): found for *asked, found in CONDITIONS}
        found = {
            repr([column, op, value]): "".join(await names(store, Filter(column=column, op=op, value=value)))
            for column, op, value, _ in CONDITIONS
        }
        assert found == expected

    @ANY
    @given(key=spans.map(lambda item: item.name) | st.text(st.characters(exclude_categories=["Cs"])))
    async def test_a_key_is_only_ever_a_key(self, store: TraceStore, key):
        await store.append([span(1, attributes={key: "found", key + "x": "other"}), span(2, attributes={"x" + key: 1})])
        column = f"attributes.{key}"
        assert await names(store, Filter(column=column, value="found")) == ["chat 1"]
        table = await store.query(Question(columns=(column, "name"), order=(Order(column=column),)))
        assert table.rows == (("found", "chat 1"), (None, "chat 2"))

    @ANY
    @given(hostile=st.text(st.characters(exclude_categories=["Cs"])) | st.just("'; DROP TABLE spans; --"))
    async def test_a_value_is_only_ever_a_value(self, store: TraceStore, hostile):
        await store.append([span(1, name=hostile), span(2, name=hostile + "x")])
        assert await names(store, Filter(column="name", value=hostile)) == [hostile]
        assert await names(store, Filter(column="name", op="contains", value=hostile)) == [hostile, hostile + "x"]

    async def test_a_cached_reply_lasts_as_long_as_the_one_it_replays(self, store: TraceStore):
        replayed = {"noria.replayed.duration_s": 2.5}
        made = [span(1, cached=True, attributes=replayed), span(2, attributes=replayed), span(3, cached=True)]
        await store.append(made)
        table = await store.query(Question(columns=("duration_s",), order=(FIRST,)))
        assert [row[0] for row in table.rows] == [item.duration_s for item in made] == [2.5, 0.5, 0.5]

    async def test_time_range_is_half_open(self, store: TraceStore):
        await store.append([span(i) for i in range(5)], [score(i) for i in range(5)])
        bounds = {"since_ns": NOON + SECOND, "until_ns": NOON + 3 * SECOND}
        assert await names(store, **bounds) == ["chat 1", "chat 2"]
        assert len(await store.scores(Question(source="scores", **bounds))) == 2
        assert len(await names(store, since_ns=-(2**70), until_ns=2**70)) == 5

    # -- order, limit, columns

    async def test_newest_first_and_pages(self, store: TraceStore):
        await store.append([span(i) for i in range(5)])
        await store.append([span(5, start_ns=NOON + 4 * SECOND)])
        pages = [await store.spans(Question(limit=2, offset=start)) for start in (0, 2, 4, 6)]
        assert [[item.name for item in page] for page in pages] == [
            ["chat 5", "chat 4"],
            ["chat 3", "chat 2"],
            ["chat 1", "chat 0"],
            [],
        ]
        assert len(await store.spans(Question(limit=None, offset=1))) == 5
        assert await store.spans(Question(limit=0)) == []

    async def test_nulls_come_last_in_both_directions(self, store: TraceStore):
        tokens = [3, None, 1, 2]
        await store.append([span(i, input_tokens=n, attributes={"n": n}) for i, n in enumerate(tokens)])
        for column in ("input_tokens", "attributes.n"):
            for descending, expected in ((False, [1, 2, 3, None]), (True, [3, 2, 1, None])):
                order = (Order(column=column, descending=descending),)
                table = await store.query(Question(columns=(column,), order=order))
                assert [row[0] for row in table.rows] == expected

    async def test_all_columns_by_default(self, store: TraceStore):
        made = span(1, lineage=Lineage(app="a", repeat=2), attributes={"k": [1]}, finish_reasons=("stop",))
        await store.append([made], [score(1, 0.5, metadata={"why": {"a": 1}})])
        [record] = (await store.query(Question())).records()
        assert record["app"] == "a"
        assert record["repeat"] == 2
        assert record["attributes"] == {"k": [1]}
        assert record["finish_reasons"] == ["stop"]
        assert record["input"] == []
        assert record["duration_s"] == 0.5
        assert "lineage" not in record
        [record] = (await store.query(Question(source="scores"))).records()
        assert (record["value"], record["metadata"], record["reason"]) == (0.5, {"why": {"a": 1}}, "")

    # -- groups and measures

    async def test_measures_of_everything(self, store: TraceStore):
        await store.append([span(i, input_tokens=n, cached=i == 0) for i, n in enumerate([10, 20, None, 40])])
        measures = [
            ("count", None),
            *((m, "input_tokens") for m in ("count", "sum", "mean", "min", "max", "p50", "p90")),
        ]
        asked = tuple(Aggregate(measure=m, column=c) for m, c in [*measures, ("mean", "cached"), ("max", "name")])
        table = await store.query(Question(measures=asked))
        assert table.columns[:3] == ("count", "count_input_tokens", "sum_input_tokens")
        assert table.rows == ((4, 3, 70, pytest.approx(70 / 3), 10, 40, 20.0, pytest.approx(36.0), 0.25, "chat 3"),)

    async def test_measures_of_nothing_are_null_and_counts_zero(self, store: TraceStore):
        asked = tuple(Aggregate(measure=m, column="ttft_s") for m in ("count", "sum", "mean", "min", "p99"))
        assert (await store.query(Question(measures=asked))).rows == ((0, None, None, None, None),)
        assert (await store.query(Question(measures=asked, group_by=("app",)))).rows == ()

    async def test_groups(self, store: TraceStore):
        apps = ["b", "a", None, "b"]
        await store.append([span(i, lineage=Lineage(app=app), input_tokens=i) for i, app in enumerate(apps)])
        asked = Question(group_by=("app",), measures=(Aggregate(measure="sum", column="input_tokens", name="tokens"),))
        assert (await store.query(asked)).records() == [
            {"app": "a", "tokens": 1},
            {"app": "b", "tokens": 3},
            {"app": None, "tokens": 2},
        ]
        by_sum = Question(
            group_by=asked.group_by, measures=asked.measures, order=(Order(column="tokens", descending=True),), limit=2
        )
        assert (await store.query(by_sum)).rows == (("b", 3), (None, 2))
        days = await store.query(Question(group_by=("date", "hour"), measures=(Aggregate(measure="count"),)))
        assert days.rows == (("2026-11-23", "2026-11-23T12:00:00Z", 4),)

    async def test_groups_of_json_values_keep_their_types(self, store: TraceStore):
        values = [10, 9, "x", True, None, 9, [1]]
        await store.append([span(i, attributes={"k": value}) for i, value in enumerate(values)])
        table = await store.query(Question(group_by=("attributes.k",), measures=(Aggregate(measure="count"),)))
        assert table.rows == ((9, 2), (10, 1), ("x", 1), ([1], 1), (True, 1), (None, 1))

    async def test_scores_of_mixed_types(self, store: TraceStore):
        await store.append([], [score(i, value) for i, value in enumerate([True, False, 0.5, 2, "good", True])])
        asked = tuple(Aggregate(measure=m, column="value") for m in ("count", "mean", "min", "max", "p50"))
        assert (await store.query(Question(source="scores", measures=asked))).rows == ((6, 0.9, 0, 2, 1.0),)
        found = await store.scores(Question(source="scores", where=(Filter(column="value", value="good"),)))
        assert [item.value for item in found] == ["good"]
        found = await store.scores(Question(source="scores", where=(Filter(column="value", op=">=", value=1),)))
        assert [item.value for item in found] == [True, 2, True]
        found = await store.scores(Question(source="scores", order=(Order(column="value"),)))
        assert [item.value for item in found] == [False, 0.5, True, True, 2, "good"]

    # -- refusals

    async def test_questions_that_make_no_sense(self, store: TraceStore):
        await store.append([span(1)])
        for question, words in NONSENSE:
            with pytest.raises(InvalidInput, match=words):
                await store.query(question)
        assert await names(store) == ["chat 1"]

    async def test_whole_records_want_plain_questions(self, store: TraceStore):
        with pytest.raises(InvalidInput, match="spans were asked for"):
            await store.spans(Question(source="scores"))
        with pytest.raises(InvalidInput, match="scores were asked for"):
            await store.scores(Question())
        with pytest.raises(InvalidInput, match="all columns"):
            await store.spans(Question(columns=("app",)))
