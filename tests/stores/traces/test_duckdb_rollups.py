"""Answers from hourly rollups, held against the exact ones: spans settled and not, late, sent again, deleted."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from trace_records import NOON, SECOND, span

from noria.core.questions import Aggregate, Filter, Order, Question
from noria.stores.traces.duckdb import DuckDBTraces
from noria.stores.traces.embedded import rollups
from noria.stores.traces.embedded.over import Changes
from noria.stores.traces.embedded.settle import Settler

HOUR = 3600 * SECOND
MEASURES = (
    Aggregate(measure="count"),
    Aggregate(measure="mean", column="failed"),
    Aggregate(measure="sum", column="failed"),
    Aggregate(measure="sum", column="input_tokens"),
    Aggregate(measure="mean", column="cost_usd"),
    Aggregate(measure="count", column="ttft_s"),
    *(
        Aggregate(measure=measure, column=column)
        for measure in ("p50", "p95", "p99")
        for column in ("ttft_s", "cost_usd", "duration_s")
    ),
)
EXACT = 6
"""So many of the measures are no percentiles."""

numbers = st.none() | st.sampled_from([0.0, 1e-9, 0.01, 0.5, 0.505, 7.0, 1e6]) | st.floats(1e-6, 1e4)
steps = st.lists(
    st.lists(
        st.tuples(
            st.integers(0, 30),  # which span
            st.integers(0, 4 * 3600),  # when it starts, seconds after noon
            st.sampled_from([None, "a", "b"]),
            st.sampled_from(["ok", "error", "cancelled"]),
            numbers,
            numbers,
            st.none() | st.integers(0, 10**6),
        ),
        max_size=12,
    )
    | st.sampled_from(["settle", "delete"]),
    max_size=8,
)
ranges = st.tuples(
    st.none() | st.integers(-HOUR, 5 * HOUR).map(lambda ns: NOON + ns),
    st.none() | st.integers(-HOUR, 5 * HOUR).map(lambda ns: NOON + ns),
)


@settings(
    max_examples=12,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # each example opens two stores: shrinking takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    groups=st.sampled_from([("time", "model"), (), ("hour", "status", "provider")]),
    steps=steps,
    bounds=ranges,
    model=st.sampled_from([None, "a"]),
)
async def test_rollups_answer_as_the_spans_do_within_their_error(tmp_path_factory, groups, steps, bounds, model):
    folder = tmp_path_factory.mktemp("rollups")
    store = await DuckDBTraces.open(folder / "traces.duckdb", folder / "spool", drain_after_s=3600)
    question = Question(
        group_by=groups,
        bucket_s=7200 if "time" in groups else None,
        measures=MEASURES,
        where=() if model is None else (Filter(column="request_model", value=model),),
        since_ns=bounds[0],
        until_ns=bounds[1],
        order=(Order(column="count", descending=True),),
        limit=5,
        tolerance=0.01,
    )
    for step in steps:
        await store.query(question)  # so that there are kept answers, which may have become wrong
        if step == "settle":
            await settle(store)
        elif step == "delete":
            await store.delete(Question(where=(Filter(column="status", value="cancelled"),)))
        else:
            await store.append([made(*drawn) for drawn in step])
    near, exact = await store.query(question), await store.query(exactly(question))
    assert (near.error, exact.error) == (0.01, 0.0)
    assert near.columns == exact.columns
    width = len(groups) + EXACT
    assert [row[:width] for row in near.rows] == [tuple(map(approximately, row[:width])) for row in exact.rows]
    for one, other in zip(near.rows, exact.rows, strict=True):
        assert one[width:] == tuple(
            value if value is None else pytest.approx(value, rel=0.0101) for value in other[width:]
        )
    await store.close()
    again = await DuckDBTraces.open(folder / "traces.duckdb", folder / "spool")
    assert [row[:width] for row in (await again.query(question)).rows] == [
        tuple(map(approximately, row[:width])) for row in near.rows
    ]
    await again.close()


async def test_an_end_between_settling_and_counting_leaves_no_replaced_span_counted(tmp_path, monkeypatch):
    store = await DuckDBTraces.open(tmp_path / "traces.duckdb", tmp_path / "spool", drain_after_s=3600)
    await store.append([made(number, number, "a", "ok", 0.1, 1.0, 3) for number in range(4)])
    await settle(store)
    await store.append([made(1, 1, "a", "error", 0.2, 1.0, 30)])
    monkeypatch.setattr(Settler, "_count", lambda *_: None)
    await settle(store)
    await store.close()
    monkeypatch.undo()
    again = await DuckDBTraces.open(tmp_path / "traces.duckdb", tmp_path / "spool", drain_after_s=3600)
    question = Question(group_by=("status",), measures=MEASURES, order=(Order(column="count"),), tolerance=0.01)
    for _ in range(2):  # before and after the rollups are made again
        near = await again.query(question)
        assert near.error == 0.01
        assert [(row[0], row[1], row[4]) for row in near.rows] == [("error", 1, 30), ("ok", 3, 9)]
        while again._keeper.index():
            pass
    await again.close()


async def settle(store):
    await store._upkeep.catch_up()
    store._keeper.settle(everything=True)


async def test_what_rollups_do_not_hold_is_answered_exactly(tmp_path):
    store = await DuckDBTraces.open(tmp_path / "traces.duckdb", tmp_path / "spool")
    await store.append([made(number, number, "a", "ok", 0.1 * number, 1.0, 3) for number in range(10)])
    middle = Aggregate(measure="p50", column="ttft_s")
    for question in (
        Question(measures=(middle,), tolerance=0.001),
        Question(measures=(middle,), tolerance=0.01, where=(Filter(column="user_id", value=None),)),
        Question(measures=(middle,), tolerance=0.01, group_by=("time",), bucket_s=60),
        Question(measures=(Aggregate(measure="p50", column="input_tokens"), middle), tolerance=0.01),
    ):
        answer = await store.query(question)
        assert answer.error == 0.0
        assert answer.rows[0][-1] == pytest.approx(0.45)
    await store.close()


def made(number, second, model, status, ttft, cost, tokens):
    return span(
        number,
        start_ns=NOON + second * SECOND,
        end_ns=NOON + second * SECOND + number * 10**7,
        status=status,
        request_model=model,
        provider=model and model * 2,
        ttft_s=ttft,
        cost_usd=cost,
        input_tokens=tokens,
    )


def exactly(question: Question) -> Question:
    return Question(**{name: getattr(question, name) for name in question.__struct_fields__ if name != "tolerance"})


def approximately(value):
    return pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value


async def test_hours_that_are_over_are_computed_once_and_again_when_they_change(tmp_path, monkeypatch):
    computed = []
    fill = rollups._fill
    monkeypatch.setattr(rollups, "_fill", lambda rows, *rest: computed.append(len(rows)) or fill(rows, *rest))
    store = await DuckDBTraces.open(tmp_path / "traces.duckdb", tmp_path / "spool", drain_after_s=3600)
    await store.append([made(number, 3600 * number, "a", "ok", 0.1, 1.0, 3) for number in range(20)])
    await settle(store)
    question = Question(
        group_by=("time", "model"),
        bucket_s=3600,
        measures=(Aggregate(measure="count"), Aggregate(measure="p50", column="ttft_s")),
        order=(Order(column="time"),),
        limit=None,
        tolerance=0.01,
    )

    async def hours() -> list[tuple[int, float]]:
        rows = (await store.query(question)).rows
        assert [row[0] for row in rows] == sorted(row[0] for row in rows)
        return [(row[2], round(row[3], 2)) for row in rows]

    assert await hours() == [(1, 0.1)] * 20
    assert await hours() == [(1, 0.1)] * 20
    await store.append([made(100, 3600 * 18 + 5, "a", "ok", 0.3, 1.0, 3)])  # not settled: it and all after it
    assert await hours() == [(1, 0.1)] * 18 + [(2, 0.2), (1, 0.1)]
    await settle(store)
    await hours()
    await store.append([made(101, 3600 * 19 + 5, "a", "ok", 0.3, 1.0, 3)])
    await settle(store)  # into hour 19 alone
    assert await hours() == [(1, 0.1)] * 18 + [(2, 0.2)] * 2
    await store.append([made(3, 3600 * 19 + 9, "a", "ok", 0.1, 1.0, 3)])  # hour 3's only span is sent again
    assert (await hours())[3] == (1, 0.1)
    assert len(await hours()) == 19
    await settle(store)
    assert len(await hours()) == 19
    await store.delete(Question(until_ns=NOON + 3600 * SECOND))
    assert len(await hours()) == 18
    assert computed[:4] == [20, 2, 2, 1]
    await store.close()


def test_hours_that_are_changing_count_as_changed():
    changes = Changes()
    with changes.change([HOUR]):
        assert (changes.number, changes.since(0)) == (0, {HOUR})
    assert (changes.number, changes.since(0), changes.since(1)) == (1, {HOUR}, set())
    with changes.change(None):
        assert changes.since(1) is None
    assert (changes.since(1), changes.since(2)) == (None, set())
