"""How many spans a second become durable, and what one costs.

    python benchmarks/record_path.py [--spans 20000] [--tasks 32] [--json]

Appends 2 kB spans from concurrent tasks in batches of 1 and of 50, and from one task, through the public door of the
embedded trace store, while its background task takes them into DuckDB; then counts the rows in the database itself.
``durable/s`` is until the last append returned, ``in DuckDB/s`` until the spool was empty; CPU is the whole process,
all threads, per span, to that end. ``close s`` is how long closing took after it.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from pathlib import Path

from report import Report, arguments

from noria.core.messages import Message, Role
from noria.core.questions import Aggregate, Question
from noria.core.requests import Lineage
from noria.core.spans import Span
from noria.stores.traces.duckdb import DuckDBTraces

WORDS = [f"{number:x}" * 2 for number in random.Random(1).choices(range(10_000), k=2_000)]


def made(number: int, chance: random.Random) -> Span:
    def said(role: Role, words: int) -> Message:
        return Message(role=role, content=" ".join(chance.choices(WORDS, k=words)))

    start = 1_795_435_200_000_000_000 + number * 1_000_000
    return Span(
        trace_id=f"{chance.getrandbits(128):032x}",
        span_id=f"{chance.getrandbits(64):016x}",
        name="chat local/smollm2-135m",
        start_ns=start,
        end_ns=start + chance.randrange(10**8, 10**9),
        provider="local",
        request_model="smollm2-135m",
        response_model="smollm2-135m",
        params={"temperature": 0.0, "max_tokens": 64},
        input=(said("system", 40), said("user", 60)),
        output=(said("assistant", 60),),
        finish_reasons=("stop",),
        input_tokens=200,
        output_tokens=80,
        ttft_s=0.14,
        tpot_s=0.01,
        cost_usd=0.0,
        lineage=Lineage(app="boolq", variant_id="variant_" + "b" * 32, session_id=f"s{number % 100}"),
        attributes={"server.address": "127.0.0.1", "k": number},
    )


async def measure(spans: list[Span], batch: int, tasks: int, report: Report) -> None:
    """Append all spans, and add the row."""
    waits: list[float] = []
    batches = [spans[at : at + batch] for at in range(0, len(spans), batch)]
    with tempfile.TemporaryDirectory(prefix="noria-bench-") as folder:
        store = await DuckDBTraces.open(Path(folder) / "traces.duckdb", Path(folder) / "spool")

        async def append_some(mine: list[list[Span]]) -> None:
            for some in mine:
                before = time.perf_counter()
                await store.append(some)
                waits.append(time.perf_counter() - before)

        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(append_some(batches[task::tasks]) for task in range(tasks)))
        appended_s = time.perf_counter() - wall
        [(rows,)] = (await store.query(Question(measures=(Aggregate(measure="count"),)))).rows
        drained_s, drained_cpu = time.perf_counter() - wall, time.process_time() - cpu
        assert rows == len(spans)
        before = time.perf_counter()
        await store.close()
        closed_s = time.perf_counter() - before
    waits.sort()
    report.add(
        f"{batch} a batch, {tasks} tasks",
        len(spans) / appended_s,
        len(spans) / drained_s,
        1000 * drained_cpu / len(spans),
        1000 * waits[len(waits) // 2],
        1000 * waits[int(len(waits) * 0.99)],
        closed_s,
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--spans", type=int, default=20_000)
    parser.add_argument("--tasks", type=int, default=32)
    given = parser.parse_args()
    columns = ["appends", "durable/s", "in DuckDB/s", "CPU ms/span", "append p50 ms", "p99 ms", "close s"]
    report = Report(f"Record path: {given.spans:,} spans of 2 kB", columns, as_json=given.json)
    chance = random.Random(1)
    spans = [made(number, chance) for number in range(given.spans)]
    for batch in (1, 50):
        asyncio.run(measure(spans, batch, given.tasks, report))
    asyncio.run(measure(spans[:2_000], 1, 1, report))
    report.end()


if __name__ == "__main__":
    main()
