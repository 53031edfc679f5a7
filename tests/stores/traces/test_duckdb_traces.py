from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import structlog
from trace_contract import TraceContract
from trace_records import score, span

from noria.core.errors import Conflict, InvalidInput, StorageFull, Unavailable
from noria.core.messages import Message
from noria.core.questions import Aggregate, Arrivals, Filter, Order, Question
from noria.core.spans import Document, SpanEvent
from noria.stores.segments import Position
from noria.stores.spool import Spool
from noria.stores.traces.duckdb import DuckDBTraces
from noria.stores.traces.embedded import intake as intake_module
from noria.stores.traces.embedded import keeper as keeper_module
from noria.stores.traces.embedded import upkeep as upkeep_module
from noria.stores.traces.rows import pack
from noria.stores.traces.schema import VERSION

LATER = 3600.0
"""A drain delay that no test lives to see."""


async def open_store(folder: Path, *, drain_after_s: float = LATER) -> DuckDBTraces:
    return await DuckDBTraces.open(folder / "traces.duckdb", folder / "spool", drain_after_s=drain_after_s)


def next_drain(store: DuckDBTraces) -> asyncio.Event:
    """Set when the background task has taken something."""
    taken, loop, take = asyncio.Event(), asyncio.get_running_loop(), store._keeper.take

    def watched(until: Position) -> None:
        take(until)
        loop.call_soon_threadsafe(taken.set)

    store._keeper.take = watched
    return taken


async def names(store: DuckDBTraces) -> list[str]:
    return [item.name for item in await store.spans(Question(limit=None, order=(Order(column="start_ns"),)))]


async def spool_only(folder: Path, *payloads: bytes) -> None:
    """What a process leaves that died before DuckDB took anything."""
    spool = Spool.open(folder / "spool")
    for payload in payloads:
        await spool.append(payload)
    spool.close()


class TestDuckDBTraces(TraceContract):
    @pytest.fixture
    async def store(self, tmp_path):
        store = await open_store(tmp_path, drain_after_s=0.01)
        yield store
        await store.close()


async def test_records_survive_a_restart_and_the_spool_is_empty_after_it(tmp_path):
    store = await open_store(tmp_path)
    await store.append([span(1), span(2)], [score(1)])
    assert (store.stats().appended, store.stats().pending, store.stats().drained) == (3, 3, 0)
    await store.close()
    await store.close()
    assert list((tmp_path / "spool").iterdir()) == []
    again = await open_store(tmp_path)
    assert again.stats().pending_bytes == 0
    assert await again.trace(span(1).trace_id) == ([span(1), span(2)], [score(1)])
    await again.close()


async def test_what_an_earlier_process_left_in_the_spool_is_taken_without_being_asked(tmp_path):
    await spool_only(tmp_path, pack([span(1)], []), pack([span(2)], [score(2)]))
    store = await open_store(tmp_path, drain_after_s=0.0)
    await asyncio.wait_for(next_drain(store).wait(), 20)
    assert (store.stats().recovered, store.stats().pending) == (3, 0)
    await store.close()


async def test_records_are_drained_in_the_background(tmp_path):
    store = await open_store(tmp_path, drain_after_s=0.0)
    drained = next_drain(store)
    await store.append([span(1)])
    await asyncio.wait_for(drained.wait(), 20)
    assert (store.stats().drained, store.stats().pending) == (1, 0)
    await store.close()


async def test_much_is_drained_early(tmp_path):
    store = await open_store(tmp_path)
    drained = next_drain(store)
    await store.append([span(number, attributes={"text": "x" * 1_000_000}) for number in range(9)])
    await asyncio.wait_for(drained.wait(), 20)
    assert store.stats().drained == 9
    assert len(await names(store)) == 9
    await store.close()


async def test_a_record_longer_than_duckdb_reads_by_default(tmp_path):
    store = await open_store(tmp_path)
    big = span(1, attributes={"image": "x" * 20_000_000})
    await store.append([big, span(2)])
    assert await store.spans(Question(order=(Order(column="start_ns"),))) == [big, span(2)]
    await store.close()


async def test_a_folder_with_odd_characters(tmp_path):
    folder = tmp_path / 'it\'s [1]* "data" $x é'
    store = await open_store(folder)
    await store.append([span(1)], [score(1)])
    assert await store.trace(span(1).trace_id) == ([span(1)], [score(1)])
    await store.close()


async def test_sql_reaches_no_file_but_the_spools_and_cannot_change_that(tmp_path):
    (tmp_path / "secret.txt").write_text("a key")
    store = await open_store(tmp_path)
    await store.append([span(1)])
    assert await names(store) == ["chat 1"]
    for statement in (
        f"SELECT * FROM read_text('{tmp_path}/secret.txt')",
        f"SELECT * FROM read_text('{tmp_path}/spool/../secret.txt')",
        f"COPY settled.spans TO '{tmp_path}/stolen.csv'",
        f"ATTACH '{tmp_path}/other.duckdb'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        f"SET allowed_directories = ['{tmp_path}']",
    ):
        with pytest.raises((duckdb.PermissionException, duckdb.InvalidInputException), match=r"disabled|locked"):
            store._keeper.holdings.connection.execute(statement)
    assert not (tmp_path / "stolen.csv").exists()
    await store.close()


async def test_many_tasks_append_and_ask_at_once(tmp_path):
    store = await open_store(tmp_path, drain_after_s=0.001)
    counts = Question(measures=(Aggregate(measure="count"),))

    async def one(number: int) -> None:
        await store.append([span(number)])
        [(found,)] = (await store.query(counts)).rows
        assert found >= 1
        assert [item.name for item in (await store.trace(span(number).trace_id))[0]].count(span(number).name) == 1

    await asyncio.gather(*(one(number) for number in range(40)))
    assert (await store.query(counts)).rows == ((40,),)
    assert await names(store) == [f"chat {number}" for number in range(40)]
    await store.close()


async def test_a_second_owner_is_refused(tmp_path):
    store = await open_store(tmp_path)
    program = f"""
import asyncio
from noria.core.errors import Conflict
from noria.stores.traces.duckdb import DuckDBTraces
async def main():
    try:
        await DuckDBTraces.open({str(tmp_path / "traces.duckdb")!r}, {str(tmp_path / "spool")!r})
    except Conflict as error:
        print(error)
asyncio.run(main())
"""
    done = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=subprocess.PIPE)
    said, _ = await done.communicate()
    assert b"open in another process" in said
    await store.append([span(1)])
    assert await names(store) == ["chat 1"]
    await store.close()


async def test_files_that_are_not_ours_to_open(tmp_path):
    await (await open_store(tmp_path)).close()
    path = tmp_path / "traces.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("UPDATE meta SET schema_version = $1", [VERSION + 1])
    with pytest.raises(InvalidInput, match=f"schema version {VERSION + 1}.*knows up to {VERSION}"):
        await open_store(tmp_path)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    with duckdb.connect(str(foreign / "traces.duckdb")) as connection:
        connection.execute("CREATE TABLE t (i INTEGER)")
    with pytest.raises(InvalidInput, match="no trace file"):
        await open_store(foreign)
    (foreign / "traces.duckdb").write_bytes(b"this is no database" * 1000)
    with pytest.raises(Unavailable, match="can't be opened"):
        await open_store(foreign)
    locks = tmp_path / "locks"  # a word of DuckDB's own sentence about locks
    (locks / "traces.duckdb").mkdir(parents=True)
    with pytest.raises(Unavailable, match="can't be opened"):
        await open_store(locks)
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="can't be made"):
        await open_store(tmp_path / "file" / "data")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "spool").write_text("")
    with pytest.raises(StorageFull):
        await open_store(tmp_path / "other")


async def test_an_append_that_duckdb_will_not_take_is_set_aside_and_sinks_no_other(tmp_path):
    good = [pack([span(number)], []) for number in range(5)]
    bad = pack([span(9, start_ns=1)], []).replace(b'"start_ns":1,', b'"start_ns":x,')
    await spool_only(tmp_path, *good[:3], bad, b"no payload of ours", *good[3:])
    store = await open_store(tmp_path)
    with structlog.testing.capture_logs() as logs:
        assert await names(store) == [f"chat {number}" for number in range(5)]
    assert (store.stats().refused, store.stats().drained, store.stats().pending) == (2, 5, 0)
    kept = sorted((tmp_path / "spool" / "refused").iterdir())
    assert [path.read_bytes() for path in kept] == [bad, b"no payload of ours"]
    assert [entry["kept"] for entry in logs if entry["event"] == "traces.refused"] == [str(path) for path in kept]
    await store.close()
    again = await open_store(tmp_path)
    assert len(await names(again)) == 5
    await again.close()


@pytest.mark.parametrize("error", [duckdb.IOException("disk full"), duckdb.FatalException("invalidated")])
async def test_while_duckdb_fails_records_stay_in_the_spool(tmp_path, monkeypatch, error):
    store = await open_store(tmp_path, drain_after_s=0.01)
    await store.append([span(1)])

    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(intake_module.Intake, "_insert", fail)
        await store.append([span(2)], [score(2)])
        with pytest.raises(Unavailable, match=r"can't take records now.*safe in the spool"):
            await store.query(Question())
        await store.append([span(3)])
    assert await names(store) == ["chat 1", "chat 2", "chat 3"]
    assert await store.scores(Question(source="scores")) == [score(2)]
    await store.close()


async def test_the_background_task_outlives_a_defect(tmp_path, monkeypatch):
    store = await open_store(tmp_path, drain_after_s=0.01)
    failed, loop = asyncio.Event(), asyncio.get_running_loop()

    def fail(*_: object) -> None:
        loop.call_soon_threadsafe(failed.set)
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(store._keeper, "take", fail)
        await store.append([span(1)])
        await asyncio.wait_for(failed.wait(), 5)
    taken = next_drain(store)
    await asyncio.wait_for(taken.wait(), 5)
    assert store.stats().drained == 1
    await store.close()


async def test_a_file_that_cannot_be_opened_again_yet_is_opened_later(tmp_path, monkeypatch):
    store = await open_store(tmp_path)
    await store.append([span(1)])

    def fatal(*_: object) -> None:
        raise duckdb.FatalException("invalidated")

    def locked(*_: object) -> None:
        raise Conflict("The trace file is open in another process.")

    with monkeypatch.context() as patched:
        patched.setattr(intake_module.Intake, "_insert", fatal)
        patched.setattr(keeper_module, "connect", locked)
        for _ in range(2):
            with pytest.raises(Unavailable, match=r"another process.*safe in the spool"):
                await names(store)
    with pytest.raises(Unavailable):  # the failed connection is noticed, and replaced
        await names(store)
    assert await names(store) == ["chat 1"]
    await store.close()
    with pytest.raises(Unavailable, match="closed"):
        await names(store)


async def test_closing_while_duckdb_fails_leaves_the_records_for_the_next_open(tmp_path, monkeypatch):
    store = await open_store(tmp_path)
    await store.append([span(1)])

    def fail(*_: object) -> None:
        raise duckdb.IOException("disk full")

    with monkeypatch.context() as patched, structlog.testing.capture_logs() as logs:
        patched.setattr(intake_module.Intake, "_insert", fail)
        await store.close()
    assert "traces.left_in_spool" in [entry["event"] for entry in logs]
    again = await open_store(tmp_path)
    assert await names(again) == ["chat 1"]
    await again.close()
    with pytest.raises(Unavailable):
        await again.append([span(2)])


async def test_closing_does_not_wait_for_a_long_backlog_which_the_next_open_takes(tmp_path, monkeypatch):
    payloads = [pack([span(number)], []) for number in range(3)]
    for payload in payloads:
        await spool_only(tmp_path, payload)  # one segment each, and so one batch each
    monkeypatch.setattr(upkeep_module, "_CLOSE_S", 0.0)
    store = await open_store(tmp_path)
    await store.append([span(3)])
    with structlog.testing.capture_logs() as logs:
        await store.close()
    assert {"event": "traces.left_in_spool", "log_level": "warning"}.items() <= logs[0].items()
    monkeypatch.undo()
    again = await open_store(tmp_path)
    assert await names(again) == [f"chat {number}" for number in range(4)]
    await again.close()


async def test_a_question_that_duckdb_cannot_answer_is_a_sentence(tmp_path):
    store = await open_store(tmp_path)
    await store.append([span(1)])
    await names(store)
    store._keeper.holdings.connection.execute("DROP TABLE settled.spans")
    with pytest.raises(Unavailable, match="can't answer"):
        await store.query(Question())
    await store.close()


async def test_spans_arrive_in_order_however_late_they_are_and_again_when_sent_again(tmp_path):
    store = await open_store(tmp_path)
    await store.append([span(5), span(1)])
    first = await store.arrivals(limit=1)
    assert first.spans == (span(5),)
    cursor = await store.latest_cursor()
    await store.append([span(0)])
    await store.append([span(5, name="again")])
    assert (await store.arrivals(first.cursor)).spans == (span(1), span(0), span(5, name="again"))
    late = await store.arrivals(cursor)
    assert late.spans == (span(0), span(5, name="again"))
    assert (await store.arrivals(late.cursor)).spans == ()
    await store.close()
    again = await open_store(tmp_path)
    assert await again.arrivals(late.cursor) == Arrivals(spans=(), cursor=late.cursor)
    await again.append([span(7)])
    assert (await again.arrivals(late.cursor)).spans == (span(7),)
    with pytest.raises(InvalidInput, match="no cursor"):
        await again.arrivals("first")
    await again.close()


async def test_deleted_spans_go_with_their_scores(tmp_path):
    store = await open_store(tmp_path)
    await store.append([span(number) for number in range(4)], [score(1), score(2), score(1, 0.5)])
    found = await store.delete(Question(where=(Filter(column="name", op="in", value=["chat 1", "chat 3"]),), limit=1))
    assert found == 2
    assert await names(store) == ["chat 0", "chat 2"]
    assert await store.scores(Question(source="scores")) == [score(2)]
    await store.close()


async def test_stripped_spans_keep_their_numbers(tmp_path):
    texts = {
        "input": (Message(role="user", content="secret"),),
        "error_message": "secret",
        "variables": {"a": "secret"},
        "documents": (Document(text="secret"),),
        "events": (SpanEvent(name="secret"),),
        "attributes": {"long": "x" * 65, "short": "x" * 64, "list": ["x" * 65], "n": 1},
    }
    left = {"attributes": {"short": "x" * 64, "list": ["x" * 65], "n": 1}, "cost_usd": 0.5}
    store = await open_store(tmp_path)
    await store.append([span(1, **texts, cost_usd=0.5), span(2), span(3, **texts)])
    first = Question(where=(Filter(column="name", op="!=", value="chat 3"),), limit=1)
    assert await store.strip(first) == 1
    assert await store.spans(Question()) == [span(3, **texts), span(2), span(1, **left)]
    assert await store.strip(first) == 0
    await store.close()


APPENDER = """
import asyncio, sys
import structlog
from trace_records import score, span
from noria.stores.traces.duckdb import DuckDBTraces
structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
async def main(folder, number):
    store = await DuckDBTraces.open(folder + "/traces.duckdb", folder + "/spool", drain_after_s=0.005)
    while True:
        await store.append([span(number)], [score(number)])
        print(number, flush=True)
        number += 1
asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def test_kill_9_loses_and_doubles_nothing(tmp_path):
    chance = random.Random(9)
    printed: list[int] = []
    for _ in range(3):
        start = printed[-1] + 100 if printed else 0  # a number that was kept but not printed is not used again
        process = subprocess.Popen(
            [sys.executable, "-c", APPENDER, str(tmp_path), str(start)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent,
        )
        assert process.stdout is not None
        stop = chance.randint(1, 100)
        for line in process.stdout:
            printed.append(int(line))
            if len(printed) % 101 >= stop:
                break
        process.send_signal(signal.SIGKILL)
        printed += [int(line) for line in process.stdout.read().split("\n")[:-1] if line]
        process.wait()
        process.stdout.close()
        found, judged = asyncio.run(numbers(tmp_path))
        for kept in (found, judged):
            assert len(set(kept)) == len(kept)
            assert set(printed) <= set(kept)
        assert found == judged
    assert len(printed) >= 3


async def numbers(folder: Path) -> tuple[list[int], list[int]]:
    store = await open_store(folder)
    spans = [int(item.span_id, 16) for item in await store.spans(Question(limit=None))]
    scores = [int(item.span_id, 16) for item in await store.scores(Question(source="scores", limit=None))]
    await store.close()
    return sorted(spans), sorted(scores)
