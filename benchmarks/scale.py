"""DuckDB and ClickHouse's engine (chdb), side by side on the same spans: what a record costs, what questions cost.

    python benchmarks/scale.py --spans 200000

Each store runs in a process of its own, through Noria's own ``append`` and questions. CPU time is of the whole process:
what Noria does to a record and what the engine does. A server across a network adds the network and takes the engine's
part away.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from noria.core.messages import Message
from noria.core.protocols import TraceStore
from noria.core.questions import Aggregate, Filter, Question, ScoreFilter
from noria.core.requests import Lineage
from noria.core.scores import Score
from noria.core.spans import Span
from noria.stores.traces.clickhouse.store import ClickHouseTraces
from noria.stores.traces.duckdb import DuckDBTraces

DAY_NS = 86_400 * 10**9
START_NS = 1_795_435_200 * 10**9
DAYS = 10
VOCABULARY = 40_000


def records(count: int, seed: int = 1) -> list[tuple[Span, Score | None]]:
    """Spans of about 1.5 kB of text from a Zipf vocabulary, a fifth of them judged."""
    chance = random.Random(seed)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 10))) for _ in range(VOCABULARY)]
    weights = [1 / (rank + 10) for rank in range(VOCABULARY)]
    pool = chance.choices(words, weights, k=1_000_000)

    def text(size: int) -> str:
        start = chance.randrange(len(pool) - size)
        return " ".join(pool[start : start + size])

    made = []
    for number in range(count):
        start = START_NS + number * DAYS * DAY_NS // count
        span = Span(
            trace_id=f"{chance.getrandbits(128):032x}",
            span_id=f"{chance.getrandbits(64):016x}",
            name="chat",
            start_ns=start,
            end_ns=start + chance.randrange(10**9, 5 * 10**9),
            status="error" if number % 50 == 0 else "ok",
            provider="openai",
            request_model=f"model-{chance.randrange(5)}",
            input=(Message(role="user", content=text(170)),),
            output=(Message(role="assistant", content=text(70)),),
            finish_reasons=("stop",),
            input_tokens=chance.randrange(100, 2000),
            output_tokens=chance.randrange(10, 500),
            ttft_s=chance.lognormvariate(-1, 0.5),
            tpot_s=chance.lognormvariate(-4, 0.3),
            cost_usd=chance.random() / 100,
            lineage=Lineage(app=f"app-{number % 7}", session_id=f"session-{chance.randrange(count // 10 + 1)}"),
            attributes={"service.name": "shop", "http.status_code": 200},
        )
        score = Score(
            scorer="correct", version="1", value=chance.random(), trace_id=span.trace_id, span_id=span.span_id,
            time_ns=start + 10**9,
        )  # fmt: skip
        made.append((span, score if number % 5 == 0 else None))
    return made


def questions(sample: Span, rare: str) -> dict[str, Question]:
    """What is asked."""
    hourly = tuple(Aggregate(measure=m, column=c) for c in ("ttft_s", "tpot_s") for m in ("p50", "p95", "p99"))
    return {
        "newest 50 of a model": Question(where=(Filter(column="request_model", value="model-1"),), limit=50),
        "newest 50 of a model with a score under 0.5": Question(
            where=(Filter(column="request_model", value="model-1"),),
            scored=(ScoreFilter(scorer="correct", op="<", value=0.5),),
            limit=50,
        ),
        "one trace by id": Question(where=(Filter(column="trace_id", value=sample.trace_id),)),
        "hourly p50, p95, p99 of two times by model": Question(
            group_by=("time", "request_model"),
            bucket_s=3600,
            measures=(*hourly, Aggregate(measure="count")),
            limit=None,
        ),
        "newest 50 with a frequent word": Question(text=sample.input[0].text.split()[0], limit=50),
        "newest 50 with a rare word": Question(text=rare, limit=50),
        "newest 50 with an absent word": Question(text="absentword", limit=50),
    }


def cpu_s() -> float:
    """CPU time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def measure(name: str, folder: Path, count: int, repeats: int) -> dict[str, Any]:
    """Everything of one store."""
    made = records(count)
    store, size = await opened(name, folder)
    began, used = time.perf_counter(), cpu_s()
    for start in range(0, count, 1000):
        part = made[start : start + 1000]
        batches = [part[at : at + 50] for at in range(0, len(part), 50)]  # as twenty clients at once would send them
        await asyncio.gather(
            *(store.append([span for span, _ in batch], [score for _, score in batch if score]) for batch in batches)
        )
    await store.query(Question(limit=1))
    found: dict[str, Any] = {
        "spans": count,
        "spans a second": count / (time.perf_counter() - began),
        "CPU ms a span": 1000 * (cpu_s() - used) / count,
    }
    await asyncio.sleep(5)  # what merges by itself, merges
    found["bytes a span"] = await size() / count
    for label, question in questions(made[-1][0], made[0][0].input[0].text.split()[3] + "x").items():
        walls, cpus = [], []
        for _ in range(repeats):
            wall, used = time.perf_counter(), cpu_s()
            await store.query(question)
            walls.append(1000 * (time.perf_counter() - wall))
            cpus.append(1000 * (cpu_s() - used))
        found[label] = {"wall ms p50": statistics.median(walls[1:]), "CPU ms p50": statistics.median(cpus[1:])}
    found["RSS MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    await store.close()  # type: ignore[attr-defined]  # both have it
    return found


async def opened(name: str, folder: Path) -> tuple[TraceStore, Callable[[], Awaitable[float]]]:
    """The store, and what tells its size on disk."""
    if name == "duckdb":
        embedded = await DuckDBTraces.open(folder / "traces.duckdb", folder / "spool")

        async def file() -> float:
            return _size(folder)

        return embedded, file
    shared = await ClickHouseTraces.open(f"chdb://{folder}/chdb?batch_ms=5")

    async def parts() -> float:
        rows = await shared._ask(  # noqa: SLF001  # what no question asks
            "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase()"
        )
        return float(rows[0][0])

    return shared, parts


def _size(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def one(name: str, count: int, repeats: int, results: Any) -> None:
    """A store in this process."""
    with tempfile.TemporaryDirectory(prefix="noria-scale-", ignore_cleanup_errors=True) as folder:
        results[name] = asyncio.run(measure(name, Path(folder), count, repeats))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=200_000)
    parser.add_argument("--repeats", type=int, default=11, help="times that each question is asked")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager:
        results = manager.dict()
        for name in ("duckdb", "clickhouse"):
            process = context.Process(target=one, args=(name, options.spans, options.repeats, results))
            process.start()
            process.join()
        found = dict(results)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for label in found["duckdb"]:
        print(f"{label:48}", *(f"{name}: {found[name][label]}" for name in found), sep="  ")


if __name__ == "__main__":
    main()
