"""What workers spool reaches the holder's store: each record once, whoever dies when."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from trace_records import score, span

from noria.core.questions import Filter, Question
from noria.stores.segments import Position
from noria.stores.spool import Spool
from noria.stores.traces.duckdb import DuckDBTraces
from noria.stores.traces.embedded import gathering
from noria.stores.traces.rows import pack
from noria.stores.worker_spool import WorkerSpool

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no workers")

EVERYTHING = Question(limit=None)
SCORES = Question(source="scores", limit=None)


def judged(number: int) -> bytes:
    return pack([span(number)], [score(number, float(number))])


@contextlib.asynccontextmanager
async def store(folder: Path) -> AsyncIterator[DuckDBTraces]:
    traces = await DuckDBTraces.open(folder / "traces.duckdb", folder / "spool", drain_after_s=0.05)
    try:
        yield traces
    finally:
        await traces.close()


@contextlib.asynccontextmanager
async def worker(folder: Path, name: str = "one", **options: int) -> AsyncIterator[WorkerSpool]:
    def small(path: Path, *, taken: Position) -> Spool:
        return Spool.open(path, taken=taken, **options)

    opened = WorkerSpool.open(folder / "spool", name, small)
    try:
        yield opened
    finally:
        await opened.close()


async def numbers(traces: DuckDBTraces) -> list[int]:
    """Of the scores, which the store would keep twice; each has its span."""
    values = sorted(int(found.value) for found in await traces.scores(SCORES))
    assert sorted(int(found.span_id, 16) for found in await traces.spans(EVERYTHING)) == sorted(set(values))
    return values


async def append(spool: WorkerSpool, some: Iterable[int]) -> None:
    await asyncio.gather(*(spool.spool.append(judged(number)) for number in some))


def left(folder: Path) -> list[str]:
    workers = folder / "spool" / "workers"
    return sorted(path.name for path in workers.rglob("*")) if workers.exists() else []


def files_with(folder: Path, text: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]


async def test_a_question_sees_what_workers_were_told_is_durable(tmp_path: Path) -> None:
    async with store(tmp_path) as traces, worker(tmp_path, "one") as one, worker(tmp_path, "two") as two:
        await append(one, range(10))
        assert await numbers(traces) == [*range(10)]
        await append(two, range(10, 20))
        found, judged = await traces.trace(f"{1:032x}")
        assert (len(found), len(judged)) == (10, 10)
        await append(one, range(20, 30))
        assert await numbers(traces) == [*range(30)]
        stats = traces.stats()
        assert (stats.appended, stats.pending) == (60, 0)


async def test_it_is_taken_without_being_asked_for_and_the_worker_deletes_it(tmp_path: Path) -> None:
    async with store(tmp_path) as traces, worker(tmp_path, segment_bytes=2000) as one:
        for number in range(20):
            await append(one, [number])
        segments = tmp_path / "spool" / "workers" / "one"
        async with asyncio.timeout(10):
            while traces.stats().drained < 40 or len(list(segments.glob("*.spool"))) > 1:  # noqa: ASYNC110  # counts
                await asyncio.sleep(0.01)
        assert one.spool.pending_bytes == 0


async def test_what_a_worker_leaves_is_taken_and_its_folder_deleted(tmp_path: Path) -> None:
    async with worker(tmp_path) as one:
        await append(one, range(5))
    assert left(tmp_path)
    async with store(tmp_path) as traces:
        assert await numbers(traces) == [*range(5)]
        async with worker(tmp_path, "two") as two:
            await append(two, range(5, 9))
        assert await numbers(traces) == [*range(9)]
        assert left(tmp_path) == []
    async with store(tmp_path) as traces:
        assert await numbers(traces) == [*range(9)]


async def test_a_deletion_leaves_nothing_in_the_spool_of_a_worker_that_goes_on(tmp_path: Path) -> None:
    async with store(tmp_path) as traces, worker(tmp_path) as one:
        await one.spool.append(pack([span(99, name="unforgettable")], []))
        await append(one, [1])
        assert await traces.delete(Question(where=(Filter(column="name", value="unforgettable"),))) == 1
        assert not files_with(tmp_path, b"unforgettable")
        await append(one, [2])
        assert await numbers(traces) == [1, 2]


class Died(BaseException):
    pass


@pytest.mark.parametrize("moment", ["before", "after", "noted"])
async def test_a_holder_that_dies_while_it_moves_moves_each_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """As left on disk by a kill before the move, after it, and after it was noted; the worker goes on meanwhile."""
    async with worker(tmp_path) as one:
        spool = Spool.open(tmp_path / "spool")
        await append(one, range(3))
        moving = gathering.Gathering(spool, tmp_path / "spool", Position(0, 0))
        await moving.gather()
        await append(one, range(3, 6))

        def die(*_: object) -> None:
            raise Died

        with monkeypatch.context() as patched:
            if moment == "before":
                patched.setattr(Spool, "move_in", die)
            elif moment == "after":
                patched.setattr(gathering._Source, "keep", die)
            with contextlib.suppress(Died):
                await moving.gather()
        spool.close()
        async with store(tmp_path) as traces:
            assert await numbers(traces) == [*range(6)]
            await append(one, range(6, 8))
            assert await numbers(traces) == [*range(8)]


async def test_what_was_moved_and_settled_is_not_moved_again(tmp_path: Path) -> None:
    async with worker(tmp_path) as one:
        await append(one, range(4))
        async with store(tmp_path) as traces:
            assert await numbers(traces) == [*range(4)]
        await append(one, range(4, 6))  # the holder is away
        async with store(tmp_path) as traces:
            assert await numbers(traces) == [*range(6)]


async def test_who_asks_and_goes_away_makes_nobody_forget_what_was_moved(tmp_path: Path) -> None:
    async with store(tmp_path) as traces, worker(tmp_path) as one:
        for number in range(30):
            await append(one, [number])
            asking = asyncio.create_task(traces.latest_cursor())
            await asyncio.sleep(0.0003 * number)
            asking.cancel()
            await asyncio.wait({asking})
        assert await numbers(traces) == [*range(30)]


KILLED = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_worker_spools import append
from noria.stores.worker_spool import WorkerSpool
async def work():
    one = WorkerSpool.open(Path(sys.argv[1]) / "spool", "killed")
    for number in range(10**6):
        await append(one, [number])
        print(number, flush=True)
asyncio.run(work())
"""


async def test_of_a_killed_worker_everything_acknowledged_is_there(tmp_path: Path) -> None:
    async with store(tmp_path) as traces:
        program = [sys.executable, "-c", KILLED, str(tmp_path), str(Path(__file__).parent)]
        with subprocess.Popen(program, stdout=subprocess.PIPE) as process:  # noqa: ASYNC220  # it takes a moment only
            assert process.stdout is not None
            for _ in range(20):
                await asyncio.to_thread(process.stdout.readline)
            await traces.latest_cursor()
            process.kill()
            acknowledged = 20 + len(await asyncio.to_thread(process.stdout.readlines))
        found = await numbers(traces)
        assert found == [*range(len(found))]
        assert acknowledged <= len(found) <= acknowledged + 2
        assert left(tmp_path) == []
