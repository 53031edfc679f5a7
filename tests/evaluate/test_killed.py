"""kill -9 in the middle of an experiment, again and again: no finished case is called twice."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path

from noria.core.questions import Question
from noria.stores.traces.duckdb import DuckDBTraces

COUNT, REPEATS, CONCURRENCY = 40, 2, 4


class Upstream:
    """Answers one line a connection, writes every call down, and kills its caller when told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.kill_at: int | None = None
        self.process: asyncio.subprocess.Process | None = None

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        case_id, repeat, question = (await reader.readline()).decode().split()
        self.calls.append((case_id, int(repeat)))
        if len(self.calls) == self.kill_at and self.process is not None:
            self.process.kill()
        elif self.process is not None and self.process.returncode is None:
            writer.write(f"{question}\n".encode())
        writer.close()

    async def start(self, folder: Path, port: int) -> int:
        script = str(Path(__file__).with_name("killed.py"))
        arguments = map(str, (folder, port, COUNT, CONCURRENCY))
        self.process = await asyncio.create_subprocess_exec(sys.executable, script, *arguments)
        return await self.process.wait()


async def test_a_killed_experiment_goes_on_and_repeats_no_finished_call(tmp_path: Path) -> None:
    upstream = Upstream()
    server = await asyncio.start_server(upstream.answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        for kill_at in (17, 50):
            upstream.kill_at = kill_at
            before, _ = await recorded(tmp_path)
            known = len(upstream.calls)
            assert await upstream.start(tmp_path, port) == -9
            assert len((await recorded(tmp_path))[0]) > len(before)
            assert not before & set(upstream.calls[known:])
        durable, _ = await recorded(tmp_path)
        known = len(upstream.calls)
        upstream.kill_at = None
        assert await upstream.start(tmp_path, port) == 0
    wanted = {(f"c{number}", repeat) for number in range(COUNT) for repeat in range(REPEATS)}
    assert set(upstream.calls[known:]) == wanted - durable
    assert await recorded(tmp_path) == (wanted, len(wanted))
    # Only what was in flight at a kill was called again: at most CONCURRENCY calls for each of the two kills.
    assert len(upstream.calls) <= len(wanted) + 2 * CONCURRENCY
    assert max(Counter(upstream.calls).values()) <= 3


async def recorded(folder: Path) -> tuple[set[tuple[str | None, int | None]], int]:
    """Cases and repeats with a durable answer, and how many scores there are."""
    store = await DuckDBTraces.open(folder / "traces.duckdb", folder / "spool")
    try:
        spans = await store.spans(Question(limit=None))
        scores = await store.scores(Question(source="scores", limit=None))
    finally:
        await store.close()
    keys = {(span.lineage.case_id, span.lineage.repeat) for span in spans}
    assert len(keys) == len(spans)
    return keys, len(scores)
