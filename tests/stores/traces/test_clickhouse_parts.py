"""The parts of the ClickHouse store that its contract does not reach: URLs, tables of clusters, late arrivals, files."""

from __future__ import annotations

import asyncio

import chdb
import pytest
from clickhouse_stores import clickhouse_database, clickhouse_engine, clickhouse_url
from hypothesis import given
from hypothesis import strategies as st
from trace_records import NOON, SECOND, score, span

from noria.core.errors import InvalidInput, Unavailable
from noria.core.questions import Question
from noria.stores.traces.clickhouse import arrivals, inserts, schema
from noria.stores.traces.clickhouse.address import Address, address, is_address
from noria.stores.traces.clickhouse.connection import asking
from noria.stores.traces.clickhouse.literals import text
from noria.stores.traces.clickhouse.store import ClickHouseTraces
from noria.stores.traces.clickhouse.tables import DAY_NS, statements

__all__ = ["clickhouse_database", "clickhouse_engine", "clickhouse_url"]

MARKER = "A text that must go 7b1e"


# -- where it is


def test_a_url_is_understood() -> None:
    found = address("clickhouses://me:p%40ss@host/traces?cluster=main&batch_ms=200&async_insert=1&fsync=0&window_s=5")
    assert found == Address(
        host="host", port=8443, secure=True, user="me", password="p@ss", database="traces", cluster="main",
        batch_ms=200, async_insert=True, fsync=False, window_s=5.0,
    )  # fmt: skip
    assert address("clickhouse://host").port == 8123
    assert str(found) == "clickhouses://host:8443/traces"
    assert is_address("chdb:///x")
    assert not is_address("/srv/noria")


@pytest.mark.parametrize(
    "url",
    [
        "clickhouse://", "clickhouse://h:x", "mysql://h/x", "chdb://relative", "chdb:///", "clickhouse://h/a-b",
        "clickhouse://h/x?cluster=a'b", "clickhouse://h/x?unknown=1", "clickhouse://h/x?batch_ms=-1", "clickhouse://[",
        "clickhouse://secret@h/x?window_s=0",
    ],
)  # fmt: skip
def test_a_wrong_url_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        address(url)
    assert "secret" not in str(caught.value)


async def test_a_server_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(Unavailable, match=r"clickhouse://127\.0\.0\.1:1/noria does not answer"):
        await ClickHouseTraces.open("clickhouse://127.0.0.1:1")


async def test_a_newer_schema_is_refused(clickhouse_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await (await ClickHouseTraces.open(clickhouse_url)).close()
    monkeypatch.setattr(schema, "VERSION", 0)
    with pytest.raises(InvalidInput, match="schema version 1; this Noria knows up to 0"):
        await ClickHouseTraces.open(clickhouse_url)


# -- what it says to ClickHouse


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_nothing_of_a_text_but_letters_and_digits_reaches_a_statement(value: str) -> None:
    written = text(value)
    inside = written.removeprefix("unhex('").removeprefix("'").rstrip("')")
    assert inside == "" or (inside.isascii() and inside.replace("_", "").isalnum())


def test_tables_of_a_cluster_are_replicated_and_distributed() -> None:
    made = statements(Address(host="h", database="noria", cluster="main"))
    for name in ("spans", "scores", "places", "chosen", "versions"):
        local = next(
            one for one in made if one.startswith(f"CREATE TABLE IF NOT EXISTS {name}_local ON CLUSTER 'main' ")
        )
        assert f"'/clickhouse/tables/{{shard}}/noria/{name}_local', '{{replica}}'" in local
        spread = next(one for one in made if one.startswith(f"CREATE TABLE IF NOT EXISTS {name} ON CLUSTER 'main' "))
        assert f"Distributed('main', 'noria', '{name}_local', " in spread
    assert "ReplicatedReplacingMergeTree(" in made[2]
    for statement in made:  # ClickHouse's own parser takes each
        assert b"CreateQuery" in chdb.query(f"EXPLAIN AST {statement}", "TabSeparated").bytes()


def test_a_replica_that_is_behind_is_not_asked() -> None:
    cluster = asking(Address(host="h", database="noria", cluster="main", window_s=20.0))
    assert cluster["max_replica_delay_for_distributed_queries"] == 10
    assert cluster["fallback_to_stale_replicas_for_distributed_queries"] == 0
    for name, value in cluster.items():  # ClickHouse knows each of them
        assert chdb.query(f"SELECT 1 SETTINGS {name} = {value!r}", "TabSeparated").bytes() == b"1\n"
    assert "max_replica_delay_for_distributed_queries" not in asking(Address(host="h", database="noria"))


# -- appends


def with_option(url: str, option: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}{option}"


async def test_appends_that_come_together_are_one_insert(clickhouse_url: str) -> None:
    store = await ClickHouseTraces.open(clickhouse_url.replace("batch_ms=0", "batch_ms=50"))
    await asyncio.gather(*(store.append([span(number)]) for number in range(40)))
    assert len(await store.spans(Question(limit=None))) == 40
    assert store.stats().appended == 40
    assert store.stats().inserts <= 3
    await store.close()


async def test_an_insert_whose_answer_was_lost_is_kept_once(
    clickhouse_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await ClickHouseTraces.open(clickhouse_url)
    monkeypatch.setattr(inserts.time, "sleep", lambda _: None)
    lost = [ConnectionResetError("the answer was lost"), None, ConnectionResetError("again"), None]
    send = {}

    def breaking(client: object) -> None:
        send["real"] = client.raw_insert  # type: ignore[attr-defined]

        def raw_insert(*args: object, **options: object) -> None:
            send["real"](*args, **options)
            if error := lost.pop(0):
                raise error

        client.raw_insert = raw_insert  # type: ignore[attr-defined]

    await store._connections.write(breaking)
    await store.append([span(1)], [score(1)])
    assert lost == []
    assert store.stats().repeated == 2
    assert len(await store.spans(Question())) == 1
    assert len(await store.scores(Question(source="scores"))) == 1
    await store.close()


async def test_inserts_that_readers_may_have_passed_by_are_not_acknowledged(clickhouse_url: str) -> None:
    store = await ClickHouseTraces.open(with_option(clickhouse_url, "window_s=0.000001"))
    with pytest.raises(Unavailable, match="too slow"):
        await store.append([span(1)], [score(1)])
    assert len(await store.spans(Question())) == 1
    assert await store.scores(Question(source="scores")) == []
    await store.close()


async def test_a_span_sent_again_with_another_start_is_one_span(clickhouse_url: str) -> None:
    one, other = await ClickHouseTraces.open(clickhouse_url), await ClickHouseTraces.open(clickhouse_url)
    await one.append([span(1, name="first")])
    await other.append([span(1, name="second", start_ns=NOON + 40 * DAY_NS)])
    assert [item.name for item in await one.spans(Question())] == ["second"]
    await one.append([span(1, name="third")])
    assert [item.name for item in await other.spans(Question())] == ["third"]
    assert [item.name for item in (await other.arrivals()).spans] == ["third"]
    for store in (one, other):
        await store.close()


# -- arrivals


def row(number: int, *, batch: int, day: int = 0) -> tuple[int, int, int]:
    return day * DAY_NS, batch, number


def test_an_insert_that_is_shown_late_is_not_missed() -> None:
    first = [row(100, batch=100), row(101, batch=100)]
    at, count = arrivals.moved(arrivals.Cursor(), first, horizon=50, ended=True)
    assert (count, at.settled) == (2, 50)
    late = [row(60, batch=60), *first]  # stamped before, shown after
    assert "batch = 100" in at.condition
    at, count = arrivals.moved(at, late[:1], horizon=70, ended=True)
    assert (count, at.settled) == (1, 70)
    at, _ = arrivals.moved(at, [], horizon=200, ended=True)
    assert at == arrivals.Cursor(200, ())


def test_a_cursor_does_not_grow_without_end() -> None:
    many = [row(number, batch=number) for number in range(1000, 3000)]
    at, count = arrivals.moved(arrivals.Cursor(), many, horizon=10, ended=False)
    assert count == arrivals.MOST_AHEAD == len(at.ahead)
    at, count = arrivals.moved(at, many[count:], horizon=2500, ended=False)
    assert count > 1000
    assert len(at.encode()) < 5000
    assert arrivals.cursor(at.encode()) == at


def test_a_batch_of_two_days_is_followed_day_by_day() -> None:
    at, _ = arrivals.moved(arrivals.Cursor(), [row(100, batch=100), row(102, batch=100)], horizon=50, ended=True)
    at, count = arrivals.moved(at, [row(101, batch=100, day=1)], horizon=50, ended=True)
    assert count == 1
    assert len(at.ahead) == 2


@pytest.mark.parametrize("text_", ["", "x", "AAAA", "é", "gg=="])
async def test_a_damaged_cursor_is_refused(text_: str) -> None:
    with pytest.raises(InvalidInput, match="none of this store"):
        arrivals.cursor(text_)


# -- what is deleted is gone


async def test_deleted_and_stripped_texts_leave_the_parts_in_use(clickhouse_url: str) -> None:
    store = await ClickHouseTraces.open(clickhouse_url, wait_until_gone=False)
    kept = span(1, attributes={"note": MARKER[::-1]})
    await store.append([kept, span(2, error_message=MARKER), span(3, attributes={"note": MARKER * 3})], [score(2)])
    assert MARKER.encode() in await copies(store)
    assert await store.delete(Question(until_ns=NOON + 3 * SECOND, since_ns=NOON + 2 * SECOND)) == 1
    assert await store.strip(Question(since_ns=NOON + 3 * SECOND)) == 1
    left = await copies(store)
    assert MARKER.encode() not in left
    assert MARKER[::-1].encode() in left
    assert await store.scores(Question(source="scores")) == []
    await store.close()


async def copies(store: ClickHouseTraces) -> bytes:
    """Every copy in the parts in use, not only the latest ones."""
    found = await store._ask("SELECT toString(tuple(*)) FROM spans")
    return "".join(str(row) for row in found).encode()
