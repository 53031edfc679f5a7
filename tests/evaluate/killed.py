"""A process that runs an experiment against a model on a local port, to be killed while it does."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from trials import Exact, cases, experiment, span

from noria.core.requests import Request
from noria.core.spans import Span
from noria.evaluate.running.runner import run
from noria.stores.traces.duckdb import DuckDBTraces


async def main(folder: Path, port: int, count: int, concurrency: int) -> None:
    async def call(request: Request) -> Span:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{request.lineage.case_id} {request.lineage.repeat} {request.variables['q']}\n".encode())
        answer = (await reader.readline()).decode().strip()
        writer.close()
        await writer.wait_closed()
        return span(request, time.time_ns(), answer, number=0)

    store = await DuckDBTraces.open(folder / "traces.duckdb", folder / "spool")
    trial = experiment(count, "a", repeats=2)
    found = await run(
        trial,
        cases(count),
        calls={"run-a": call},
        scorers=[Exact()],
        store=store,
        now=time.time_ns,
        concurrency=concurrency,
    )
    await store.close()
    assert len(found["run-a"]) == 2 * count


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *map(int, sys.argv[2:])))
