"""What a look-up in the response cache costs, and how long a call waits for it.

    python benchmarks/cache_lookups.py [--replies 20000] [--characters 8500] [--looks 2000] [--url URL] [--json]

Fills a table of kept replies (a file, or the PostgreSQL database at ``--url``, best an empty one), opens it anew, and looks up
what is not there, what is, each for the first time, and fifty of them again and again; then a question in other words among
2,000 with the same everything else. ``busy`` is an event loop on which thirty tasks compute for a millisecond each in turn; what comes over a socket waits for one or
two turns of it, as the call itself does. CPU is the whole process's per look-up, the thirty tasks' left out by measuring it on the idle loop alone.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import numpy as np
from report import Report, arguments

from noria.core.caching import KeptReply, Piece
from noria.core.events import Delta
from noria.stores.replies import KeptReplies

TASKS = 30
ALIKE = 2000
SIZE = 384
Look = Callable[[], Awaitable[object]]


def unit(chance: np.random.Generator) -> bytes:
    vector = chance.normal(size=SIZE)
    return bytes((vector / np.linalg.norm(vector)).astype("<f4").tobytes())


def filled(url: str, count: int, characters: int) -> None:
    kept = opened(url)
    chance = np.random.default_rng(1)
    for number in range(count):
        if number % 500 == 0:
            kept.forget()  # nothing, but it waits until all is written
        pieces = tuple(Piece(after_s=0.1, event=Delta(text="x" * 100)) for _ in range(characters // 100))
        reply = KeptReply(
            key=f"{number:040x}", trace_id=f"{number:032x}", span_id="s", kept_ns=time.time_ns(), pieces=pieces,
            ends_ns=time.time_ns() + 10**15, about="same" if number < ALIKE else "", embedder="e",
            vector=unit(chance) if number < ALIKE else b"",
        )  # fmt: skip
        kept.keep(reply)
    asyncio.run(kept.close())


def opened(url: str) -> KeptReplies:
    return KeptReplies.open(url, most_bytes=10**10, now=time.time_ns, alone=False)


async def compute() -> None:
    while True:
        until = time.perf_counter() + 0.001
        while time.perf_counter() < until:
            pass
        await asyncio.sleep(0)


async def timed(look: Look, times: int) -> list[float]:
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        await look()
        found.append((time.perf_counter() - begun) * 1000)
        await asyncio.sleep(0)
    return sorted(found)


async def measure(report: Report, name: str, look: Look, times: int) -> None:
    cpu = time.process_time()
    idle = await timed(look, times)
    cpu = (time.process_time() - cpu) / times * 1e6
    tasks = [asyncio.create_task(compute()) for _ in range(TASKS)]
    busy = await timed(look, times // 20)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    cells = [found[int(len(found) * part)] for found in (idle, busy) for part in (0.5, 0.95)]
    report.add(name, cpu, *cells)


async def look_ups(report: Report, url: str, count: int, times: int) -> None:
    kept = opened(url)
    chance, vectors = random.Random(1), np.random.default_rng(2)
    numbers: Iterator[int] = itertools.cycle(chance.sample(range(count), min(count, 2 * times)))
    few = [next(numbers) for _ in range(50)]
    await measure(report, "a turn of the loop", lambda: asyncio.sleep(0), times)
    await measure(report, "nothing kept", lambda: kept.find("no such key"), times)
    await measure(report, "kept, first time", lambda: kept.find(f"{next(numbers):040x}"), times)
    await measure(report, "kept, asked again", lambda: kept.find(f"{chance.choice(few):040x}"), times)
    await kept.near("same", "e", unit(vectors), 0.99)
    await measure(report, "in other words, none", lambda: kept.near("same", "e", unit(vectors), 0.99), times)
    await measure(report, "in other words, hit", lambda: kept.near("same", "e", unit(vectors), -1.0), times)
    await kept.close()


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--replies", type=int, default=20_000)
    parser.add_argument("--characters", type=int, default=8_500)
    parser.add_argument("--looks", type=int, default=2_000)
    parser.add_argument("--url", default="")
    given = parser.parse_args()
    columns = ["look-up", "CPU µs", "idle p50 ms", "p95 ms", "busy p50 ms", "p95  ms"]
    report = Report(f"Look-ups among {given.replies:,} kept replies", columns, as_json=given.json)
    with tempfile.TemporaryDirectory() as folder:
        url = given.url or f"sqlite:///{Path(folder) / 'replies.sqlite'}"
        filled(url, given.replies, given.characters)
        asyncio.run(look_ups(report, url, given.replies, given.looks))
    report.end()


if __name__ == "__main__":
    main()
