"""Records on their way into the file: batches that cross tables, copies that replace one another, crashes in between."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from trace_records import NOON, SECOND, score, span

from noria.core.errors import Unavailable
from noria.core.messages import Message
from noria.core.questions import Aggregate, Filter, Order, Question
from noria.core.spans import Document
from noria.stores.traces.duckdb import DuckDBTraces
from noria.stores.traces.embedded import recent
from noria.stores.traces.embedded.sidecar import Sidecar
from noria.stores.traces.memory import MemoryTraces

EVERY = Question(limit=None)
SECRET = "kilimanjaro"


async def open_store(folder: Path) -> DuckDBTraces:
    return await DuckDBTraces.open(folder / "traces.duckdb", folder / "spool", drain_after_s=3600)


async def settle(store: DuckDBTraces) -> None:
    await store.spans(Question(limit=1))
    store._keeper.settle(everything=True)


appends = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 50)), min_size=1, max_size=14)
steps = st.lists(appends | st.sampled_from(["settle", "crash", "reopen", "ask"]), max_size=10)


@settings(
    max_examples=12,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # each example opens stores: shrinking takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=steps)
async def test_whatever_is_settled_when_every_span_is_there_once(tmp_path_factory, monkeypatch, steps):
    monkeypatch.setattr(recent, "ROW_GROUP", 5)
    folder, plain, crashed = tmp_path_factory.mktemp("store"), MemoryTraces(), []
    store = await open_store(folder)
    for step in steps:
        if step == "settle":
            await settle(store)
        elif step == "ask":
            await store.spans(Question(limit=1))
        elif step == "reopen":
            await store.close()
            store = await open_store(folder)
        elif step == "crash":  # what is on the disk goes on in another process, as it is
            left = tmp_path_factory.mktemp("left")
            shutil.copytree(folder, left, dirs_exist_ok=True)
            crashed.append(store)
            folder, store = left, await open_store(left)
        else:
            spans = [span(number, start_ns=NOON + second * SECOND, name=f"{second}") for number, second in step]
            for one in (store, plain):
                await one.append(spans, [score(number) for number, _ in step[::3]])
    assert await store.spans(EVERY) == await plain.spans(EVERY)
    scores = Question(source="scores", limit=None)
    assert await store.scores(scores) == await plain.scores(scores)
    assert await store.arrivals() == await plain.arrivals()
    for number in (0, 15, 25):
        assert await store.trace(span(number).trace_id) == await plain.trace(span(number).trace_id)
    for one in (*crashed, store):
        await one.close()


async def test_settled_spans_are_found_without_the_index_too(tmp_path, monkeypatch):
    monkeypatch.setattr(recent, "ROW_GROUP", 4)
    store = await open_store(tmp_path)
    said = [span(number, input=(Message(role="user", content=f"on\nword{number}"),)) for number in range(30)]
    await store.append(said)
    await settle(store)
    for again in (False, True):
        for number in (0, 7, 29):
            assert await store.spans(Question(text=f"WORD{number}")) == [said[number]]
            assert (await store.trace(said[number].trace_id))[0] == said[number // 10 * 10 : number // 10 * 10 + 10]
        await store.append([said[3]])
        assert len(await store.spans(EVERY)) == 30
        await store.close()
        if not again:
            shutil.rmtree(tmp_path / "traces.duckdb.index")
            store = await open_store(tmp_path)


async def test_spans_whose_ids_hash_alike_in_32_bits_are_two(tmp_path):
    seen, pair = {}, None
    for number in range(1_000_000):
        span_id = f"{number:016x}"
        low = hashlib.md5(span_id.encode()).digest()[8:12]
        if low in seen:
            pair = [seen[low], span_id]
            break
        seen[low] = span_id
    assert pair is not None
    store = await open_store(tmp_path)
    both = [replace(span(1), span_id=span_id) for span_id in pair]
    await store.append(both)
    assert [one.span_id for one in (await store.trace(span(1).trace_id))[0]] == pair
    await settle(store)
    await store.append(both[:1])
    assert sorted(one.span_id for one in await store.spans(EVERY)) == pair
    await store.close()


async def test_an_index_that_can_not_be_written_makes_no_span_come_twice(tmp_path, monkeypatch):
    counting = Question(group_by=("operation",), measures=(Aggregate(measure="count"),), tolerance=0.01)
    store = await open_store(tmp_path)
    await store.append([span(number) for number in range(20)], [score(3)])
    await settle(store)
    await store.append([span(number, name="again") for number in range(10, 30)], [score(4)])
    await store.spans(Question(limit=1))
    with monkeypatch.context() as patch:
        patch.setattr(Sidecar, "keep_run", failing)
        with pytest.raises(Unavailable, match="safe in the spool"):
            store._keeper.settle(everything=True)
    for settled in (False, True):
        if settled:
            await settle(store)
        assert len(await store.spans(EVERY)) == 30
        assert len(await store.scores(Question(source="scores", limit=None))) == 2
        assert (await store.query(counting)).rows == (("chat", 30),)
    await store.close()


def failing(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("erased", ["delete", "strip"])
async def test_nothing_of_what_is_erased_is_left_in_any_file(tmp_path, monkeypatch, erased):
    monkeypatch.setattr(recent, "ROW_GROUP", 8)
    store = await open_store(tmp_path)

    def secret(number: int):
        return span(
            number,
            name=SECRET if erased == "delete" else "chat",
            input=(Message(role="user", content=f"{SECRET} {number} " * 20),),
            output=(Message(role="assistant", content=f"so {SECRET} {number} it is"),),
            documents=(Document(text=SECRET),),
            error_message=SECRET,
            attributes={"said": f"{SECRET} " * 20, "n": number},
        )

    others = [span(number, input=(Message(role="user", content=f"else {number} " * 20),)) for number in range(40, 80)]
    await store.append(
        [secret(number) for number in range(20)], [score(3, reason=f"about {SECRET}")] if erased == "delete" else []
    )
    await store.append(others, [score(41)])
    await settle(store)
    await store.append([secret(number) for number in range(15, 25)])
    await store.append(others[:2])
    assert left_in(tmp_path)
    mine = Question(where=(Filter(column="span_id", op="<", value=span(30).span_id),))
    assert await (store.delete(mine) if erased == "delete" else store.strip(mine)) == 25
    assert left_in(tmp_path) == []
    found = await store.spans(Question(limit=None, order=(Order(column="span_id"),)))
    bare = [] if erased == "delete" else [span(number, name="chat", attributes={"n": number}) for number in range(25)]
    assert found == bare + others
    assert await store.scores(Question(source="scores")) == [score(41)]
    await store.close()
    assert left_in(tmp_path) == []
    again = await open_store(tmp_path)
    assert await again.spans(Question(limit=None, order=(Order(column="span_id"),))) == found
    await again.close()


def left_in(folder: Path) -> list[str]:
    """Files that hold the secret."""
    return [path.name for path in folder.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
