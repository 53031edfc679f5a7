"""The embedded trace store at ten million spans: what questions take while a thousand spans a second arrive.

    python benchmarks/ten_million.py [--spans 10000000] [--keep FOLDER] [--rounds 40] [--rate 1000] [--json]

Makes spans of varied text (1.5 kB; words drawn from 120,000 by Zipf's law), five models, twelve apps, thirty days, a
tenth of them with a score; appends them through the store's own door; then asks each question again and again while a
task appends at ``--rate``, and reads each answer's time. With ``--keep`` the folder stays, and what is missing to
``--spans`` is appended the next time. Loading ten million takes about an hour of one core, and 8 GB of disk.

``--multiply-from N`` loads N spans in that way and makes the others of them inside DuckDB, a row group at a time: new ids,
later times, the same texts, scores included. The index is made again from the file when the store opens, and waited for.
Each text is then there as often as there are copies, in other row groups, so bytes a span are what they would be.

``words`` are asked for in three kinds: in most spans, in about one of a thousand, and in about fifty of all.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import duckdb
import msgspec
import numpy as np
from report import Report, arguments

from noria.core.messages import Message
from noria.core.questions import Aggregate, Filter, Question, ScoreFilter
from noria.core.requests import Lineage
from noria.core.scores import Score
from noria.core.spans import Span
from noria.stores.traces.duckdb import DuckDBTraces
from noria.stores.traces.embedded.tables import ROW_GROUP

DAYS = 30
END_NS = 1_795_435_200 * 10**9
MODELS = {
    "gpt-4o-mini": "openai",
    "claude-haiku-4": "anthropic",
    "smollm2-135m": "local",
    "gemini-flash": "google",
    "mistral-small": "mistral",
}
SYLLABLES = [
    "ba",
    "re",
    "ti",
    "lo",
    "sun",
    "mer",
    "an",
    "der",
    "ch",
    "st",
    "ing",
    "ed",
    "er",
    "o",
    "qu",
    "vi",
    "ple",
    "tion",
    "na",
    "ko",
]
VOCABULARY = 120_000
BATCH = 2_000
_PREPARED = 50
"""Batches that arrive in turn."""


class Maker:
    """Spans by number: the same number gives the same length and time, and new text."""

    def __init__(self, spans: int) -> None:
        self._chance = np.random.default_rng(os.getpid())
        chance = random.Random(1)
        self._words = np.array([_word(number, chance) for number in range(VOCABULARY)], dtype=object)
        weights = 1 / np.arange(1, VOCABULARY + 1) ** 1.05
        self._sums = np.cumsum(weights / weights.sum())
        self._systems = [" ".join(self._words[self._drawn(45, fixed=number)]) for number in range(12)]
        self.step_ns = DAYS * 86_400 * 10**9 // spans
        self._start_ns = END_NS - spans * self.step_ns
        self.common = str(self._words[3])
        self.medium = str(self._words[700])
        self._references = max(1, spans // 150)
        self.rare = [f"ref{number}" for number in range(0, self._references, max(1, self._references // 400))]

    def _drawn(self, count: int, fixed: int | None = None) -> np.ndarray:
        chance = self._chance if fixed is None else np.random.default_rng(fixed)
        return np.searchsorted(self._sums, chance.random(count)).clip(0, VOCABULARY - 1)

    def made(self, first: int, count: int) -> tuple[list[Span], list[Score]]:
        """Spans ``first`` and following, and their scores."""
        words = self._words[self._drawn(count * 160)]
        # As in life, some texts name a thing that few others name: each reference comes about fifty times.
        words[100 : 480 * (count // 3) : 480] = [
            f"ref{number}"
            for number in self._chance.integers(0, self._references, len(range(100, 480 * (count // 3), 480)))
        ]
        draws = self._chance.random((count, 8))
        ids = self._chance.bytes(24 * count).hex()
        spans, scores = [], []
        for index in range(count):
            said = words[index * 160 : index * 160 + 160]
            draw = draws[index]
            start = self._start_ns + (first + index) * self.step_ns
            model, provider = list(MODELS.items())[int(draw[0] * 5)]
            app = int(draw[1] * 12)
            span = Span(
                trace_id=ids[48 * index : 48 * index + 32],
                span_id=ids[48 * index + 32 : 48 * index + 48],
                name=f"chat {model}",
                start_ns=start,
                end_ns=start + int(1e8 + draw[2] * 3e9),
                status="error" if draw[3] < 0.02 else "ok",
                error_type="call_timeout" if draw[3] < 0.02 else None,
                provider=provider,
                request_model=model,
                response_model=model,
                params={"temperature": 0.2, "max_tokens": 512},
                input=(
                    Message(role="system", content=self._systems[app]),
                    Message(role="user", content=" ".join(said[:60])),
                ),
                output=(Message(role="assistant", content=" ".join(said[60:])),),
                finish_reasons=("stop",),
                input_tokens=int(150 + draw[4] * 200),
                output_tokens=int(50 + draw[5] * 200),
                ttft_s=float(np.exp(draw[4] * 3 - 2)),
                tpot_s=0.005 + float(draw[5]) * 0.03,
                cost_usd=round(float(draw[6]) * 0.002, 7),
                lineage=Lineage(
                    app=f"app-{app}",
                    variant_id=f"variant_{app * 7 + int(draw[0] * 5):032x}",
                    session_id=f"s{int(draw[7] * 1e6)}",
                    user_id=f"u{int(draw[6] * 5e4)}",
                ),
                attributes={"server.address": f"10.0.0.{app + 1}", "http.response.status_code": 200},
            )
            spans.append(span)
            if draw[7] < 0.1:
                scores.append(
                    Score(
                        scorer="helpful",
                        version="1",
                        value=round(float(draw[2]), 3),
                        trace_id=span.trace_id,
                        span_id=span.span_id,
                        time_ns=start + 5 * 10**9,
                    )
                )
        return spans, scores


def _word(number: int, chance: random.Random) -> str:
    length = max(2, round(chance.gauss(4 + 1.2 * np.log10(number + 1), 1.5)))
    word = ""
    while len(word) < length:
        word += chance.choice(SYLLABLES)
    return word


def _rss_mb() -> float:
    status = Path("/proc/self/status")
    if not status.exists():  # only Linux says what it is now
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    [line] = [line for line in status.read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def _disk_bytes(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


async def load(store: DuckDBTraces, maker: Maker, spans: int, report: Report) -> int:
    """Append what is missing; how many are there."""
    [(there,)] = (await store.query(Question(measures=(Aggregate(measure="count"),)))).rows
    if there >= spans:
        return int(there)
    made_cpu, wall, cpu = 0.0, time.perf_counter(), time.process_time()
    for first in range(there, spans, BATCH):
        before = time.thread_time()
        batch = maker.made(first, min(BATCH, spans - first))
        made_cpu += time.thread_time() - before
        await store.append(*batch)
        while store.stats().pending > 20 * BATCH:  # noqa: ASYNC110 - the store tells counts, no moments
            await asyncio.sleep(0.05)  # not faster than it settles, so that its memory is what it is
        if first // 500_000 != (first + BATCH) // 500_000:
            done = first + BATCH - there
            used = time.process_time() - cpu - made_cpu
            report.note(
                f"{first + BATCH:,} spans: {done / (time.perf_counter() - wall):,.0f} a second,"
                f" {1e6 * used / done:.0f} us of CPU a span beside making them, {_rss_mb():.0f} MB"
            )
    return spans


def multiply(path: Path, spans: int, step_ns: int) -> None:
    """Copy what is settled in the file, later each time, until there are so many."""
    with duckdb.connect(":memory:", config={"memory_limit": "1GB"}) as connection:
        connection.execute(f"ATTACH '{path}' AS settled (ROW_GROUP_SIZE {ROW_GROUP})")
        [(base, seq, score)] = connection.execute(
            "SELECT (SELECT count(*) FROM settled.spans), next_seq, next_score FROM settled.meta"
        ).fetchall()
        for copy in range(1, -(-spans // base)):
            later, end = copy * base * step_ns, min(seq, 1 + spans - copy * (seq - 1))
            ids = f"md5(trace_id || '{copy}') AS trace_id, left(md5(trace_id || span_id || '{copy}'), 16) AS span_id"
            shifted = f"start_ns + {later} AS start_ns, end_ns + {later} AS end_ns, seq + {copy * (seq - 1)} AS seq"
            for first in range(1, end, ROW_GROUP):
                rows = f"seq >= {first} AND seq < {min(end, first + ROW_GROUP)}"
                connection.execute(
                    f"INSERT INTO settled.spans SELECT * REPLACE ({ids}, {shifted}) FROM settled.spans WHERE {rows}"
                )
            key = f"md5_number_lower(md5(trace_id || '{copy}')) AS trace_key"
            shifted = f"time_ns + {later} AS time_ns, seq + {copy * (score - 1)} AS seq"
            connection.execute(
                f"INSERT INTO settled.scores SELECT * REPLACE ({ids}, {key}, {shifted}) FROM settled.scores"
                f" WHERE seq < {score} AND trace_key IN (SELECT md5_number_lower(trace_id) FROM settled.spans WHERE seq < {end})"
            )
            connection.execute("CHECKPOINT settled")
        connection.execute(
            "UPDATE settled.meta SET next_seq = 1 + (SELECT max(seq) FROM settled.spans),"
            " next_score = 1 + (SELECT max(seq) FROM settled.scores)"
        )
        connection.execute("CHECKPOINT settled")


async def indexed(store: DuckDBTraces) -> None:
    """Wait until what is settled is in the index."""
    while store.stats().unindexed:  # noqa: ASYNC110 - the store tells counts, no moments
        await asyncio.sleep(0.5)


class Arriving:
    """Spans and scores that come while questions are asked: made before, so that making them takes nothing from the store."""

    def __init__(self, maker: Maker, count: int) -> None:
        self._batches = [maker.made(0, count) for _ in range(_PREPARED)]
        self._number = 0

    def next(self) -> tuple[list[Span], list[Score]]:
        """The next batch, with times just before now and ids of its own."""
        now, number = time.time_ns(), self._number
        self._number += 1
        spans, scores = self._batches[number % _PREPARED]
        moved = [
            msgspec.structs.replace(
                span,
                trace_id=f"{number:08x}{span.trace_id[8:]}",
                start_ns=now - index * 1000,
                end_ns=now - index * 1000 + span.end_ns - span.start_ns,
            )
            for index, span in enumerate(spans)
        ]
        judged = [
            msgspec.structs.replace(score, trace_id=f"{number:08x}{(score.trace_id or '')[8:]}", time_ns=now)
            for score in scores
        ]
        return moved, judged


async def arrive(store: DuckDBTraces, arriving: Arriving, waits: list[float]) -> None:
    """Append a batch ten times a second, until cancelled."""
    due = time.perf_counter()
    while True:
        spans, scores = arriving.next()
        before = time.perf_counter()
        await store.append(spans, scores)
        waits.append(time.perf_counter() - before)
        due += 0.1
        await asyncio.sleep(max(0.0, due - time.perf_counter()))


async def timed(ask: Callable[[int], Awaitable[int]], rounds: int) -> tuple[list[float], float]:
    """How long each round took, sorted; and rows an answer had on average."""
    took, rows = [], 0
    for number in range(rounds):
        before = time.perf_counter()
        rows += await ask(number)
        took.append(time.perf_counter() - before)
        await asyncio.sleep(0.05)
    return sorted(took), rows / rounds


async def measure(folder: Path, spans: int, base: int, rounds: int, rate: int, report: Report) -> None:
    """Load ``base`` spans, make ``spans`` of them, then ask."""
    maker = Maker(spans)
    own = _rss_mb()
    before = time.perf_counter()
    store = await DuckDBTraces.open(folder / "traces.duckdb", folder / "spool")
    await load(store, maker, base, report)
    await store.close()
    if base < spans:
        await asyncio.to_thread(multiply, folder / "traces.duckdb", spans, maker.step_ns)
        before = time.perf_counter()
        store = await DuckDBTraces.open(folder / "traces.duckdb", folder / "spool")
        await indexed(store)
        await store.close()
        report.note(f"The index of {spans - base:,} spans was made again in {time.perf_counter() - before:,.0f} s.")
    size = _disk_bytes(folder)
    before = time.perf_counter()
    store = await DuckDBTraces.open(folder / "traces.duckdb", folder / "spool")
    await store.query(Question(limit=1))
    opened = time.perf_counter() - before
    [(there,)] = (await store.query(Question(measures=(Aggregate(measure="count"),)))).rows
    size /= there  # more than asked for, where earlier runs let some arrive
    await indexed(store)
    traces = [row[0] for row in (await store.query(Question(columns=("trace_id",), limit=1000, offset=500))).rows]
    old = Question(columns=("trace_id",), until_ns=END_NS - 15 * 86_400 * 10**9, limit=1000)
    traces += [row[0] for row in (await store.query(old)).rows]
    random.Random(2).shuffle(traces)
    model, judged = (
        Filter(column="request_model", value="gemini-flash"),
        ScoreFilter(scorer="helpful", op="<", value=0.3),
    )
    charts = tuple(
        Aggregate(measure=measure, column=column)
        for column in ("ttft_s", "tpot_s", "cost_usd")
        for measure in ("p50", "p95", "p99")
    )
    hourly = Question(
        group_by=("time", "request_model"),
        bucket_s=3600,
        since_ns=END_NS - DAYS * 86_400 * 10**9,
        measures=(Aggregate(measure="count"), Aggregate(measure="mean", column="failed"), *charts),
        tolerance=0.01,
        limit=None,
    )

    async def query(question: Question) -> int:
        return len((await store.query(question)).rows)

    narrow = ("start_ns", "trace_id", "span_id", "name", "status", "request_model", "ttft_s", "cost_usd", "app")
    questions: dict[str, Callable[[int], Awaitable[int]]] = {
        "latest 50": lambda _: query(Question(columns=narrow, limit=50)),
        "latest 50, model and score": lambda _: query(
            Question(columns=narrow, where=(model,), scored=(judged,), limit=50)
        ),
        "the same, whole spans": lambda _: _count(store.spans(Question(where=(model,), scored=(judged,), limit=50))),
        "the same, 15 days ago": lambda _: query(
            Question(columns=narrow, where=(model,), scored=(judged,), limit=50, until_ns=END_NS - 15 * 86_400 * 10**9)
        ),
        "one trace": lambda number: _count_trace(store, traces[number]),
        "30 days hourly by model": lambda _: query(hourly),
        "words: in most, newest 50": lambda _: query(Question(columns=narrow, text=maker.common, limit=50)),
        "words: one in a thousand": lambda _: query(Question(columns=narrow, text=maker.medium, limit=50)),
        "words: rare, newest 50": lambda number: query(Question(columns=narrow, text=maker.rare[number], limit=50)),
        "words: rare, whole spans": lambda number: _count(
            store.spans(Question(text=maker.rare[200 + number], limit=50))
        ),
        "words: in none": lambda number: query(Question(columns=narrow, text=f"zq{number}x", limit=50)),
    }
    waits: list[float] = []
    arriving = Arriving(maker, rate // 10)
    while store.stats().pending:  # noqa: ASYNC110 - the store tells counts, no moments
        await asyncio.sleep(0.1)  # what loading left in the spool
    task = asyncio.create_task(arrive(store, arriving, waits))
    await asyncio.sleep(2)
    cpu, wall, arrived = time.process_time(), time.perf_counter(), store.stats().appended
    for name, ask in questions.items():
        took, rows = await timed(ask, rounds)
        report.add(
            name,
            *(1000 * took[min(len(took) - 1, int(part * len(took)))] for part in (0.5, 0.95)),
            1000 * took[-1],
            rows,
            _rss_mb(),
        )
    cpu, wall, arrived = time.process_time() - cpu, time.perf_counter() - wall, store.stats().appended - arrived
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    waits.sort()
    report.note(
        f"{size:.0f} bytes a span on disk, index included. Opened and answered in {opened:.2f} s."
        f" {arrived / wall:,.0f} records arrived a second; appends p50 {1000 * waits[len(waits) // 2]:.1f},"
        f" p99 {1000 * waits[int(0.99 * len(waits))]:.1f} ms."
        f" Most memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, of it {own:.0f} before the store"
        " was opened."
    )
    await store.close()


async def _count(spans: Awaitable[list[Span]]) -> int:
    return len(await spans)


async def _count_trace(store: DuckDBTraces, trace_id: str) -> int:
    spans, _ = await store.trace(trace_id)
    return len(spans)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--spans", type=int, default=10_000_000)
    parser.add_argument("--multiply-from", type=int, help="load so many, and make the others of them")
    parser.add_argument("--keep", type=Path, help="keep the data in this folder, and go on with what is there")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--rate", type=int, default=1000, help="spans a second that arrive meanwhile")
    given = parser.parse_args()
    columns = ["question", "p50 ms", "p95 ms", "most ms", "rows", "RSS MB"]
    title = f"Embedded traces: {given.spans:,} spans of 1.5 kB text, {given.rate:,} more a second"
    report = Report(title, columns, as_json=given.json)
    with contextlib.ExitStack() as stack:
        folder = given.keep
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="noria-bench-")))
        folder.mkdir(parents=True, exist_ok=True)
        asyncio.run(measure(folder, given.spans, given.multiply_from or given.spans, given.rounds, given.rate, report))
    report.end()


if __name__ == "__main__":
    main()
