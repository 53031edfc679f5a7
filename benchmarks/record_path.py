"""How many spans a second become durable, and what one costs: ``python benchmarks/record_path.py [--spans N]``.

Appends 2 kB spans from concurrent tasks in batches of 1 and of 50, through the public door of the embedded trace
store, while its background task takes them into DuckDB; then counts the rows in the database itself. Prints, for
each batch size: durable spans a second (until the last append returned), spans a second into DuckDB (until the spool
was empty), CPU milliseconds a span for both (whole process, all threads), and the p50 and p99 of one append.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path

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


async def measure(spans: list[Span], batch: int, tasks: int) -> None:
    waits: list[float] = []
    batches = [spans[at : at + batch] for at in range(0, len(spans), batch)]
    with tempfile.TemporaryDirectory() as folder:
        store = await DuckDBTraces.open(Path(folder) / "traces.duckdb", Path(folder) / "spool")

        async def append_some(mine: list[list[Span]]) -> None:
            for some in mine:
                before = time.perf_counter()
                await store.append(some)
                waits.append(time.perf_counter() - before)

        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(append_some(batches[task::tasks]) for task in range(tasks)))
        appended_s, appended_cpu = time.perf_counter() - wall, time.process_time() - cpu
        behind = store.stats().pending
        [(rows,)] = (await store.query(Question(measures=(Aggregate(measure="count"),)))).rows
        drained_s, drained_cpu = time.perf_counter() - wall, time.process_time() - cpu
        await store.close()
    waits.sort()
    count = len(spans)
    print(
        f"batch {batch:3}, {tasks} tasks: {count / appended_s:8,.0f} durable spans/s"
        f" at {appended_cpu / count * 1e3:.3f} CPU-ms (drain included), {behind:,} behind then;"
        f" {rows:,} rows in DuckDB at {count / drained_s:,.0f} spans/s, {drained_cpu / count * 1e3:.3f} CPU-ms;"
        f" append p50 {waits[len(waits) // 2] * 1e3:.2f} ms, p99 {waits[int(len(waits) * 0.99)] * 1e3:.2f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--spans", type=int, default=20_000)
    parser.add_argument("--tasks", type=int, default=32)
    options = parser.parse_args()
    chance = random.Random(1)
    spans = [made(number, chance) for number in range(options.spans)]
    for batch in (1, 50):
        asyncio.run(measure(spans, batch, options.tasks))
    asyncio.run(measure(spans[:2_000], 1, 1))


if __name__ == "__main__":
    main()
