"""How many spans a second become durable over OTLP/HTTP, and what one costs; Phoenix and MLflow in the same run.

    python benchmarks/otlp_intake.py [--spans 50000] [--peers phoenix=PYTHON mlflow=PYTHON] [--json]

Batches of 50 spans of 1.2 kB, protobuf, from eight connections of one light client on the same machine: bodies are
encoded before, and only ids are written into them. *durable/s* divides the rows that are in the server's own database
by the time until they were there; for Noria a 200 means just that, and the rows are counted after its stop. *CPU* is of
the server's whole process tree for a row, everything included: taking in, settling, and stopping in good order. *200s*
are spans that were acknowledged, *rows* those in the database when it had caught up, *after* those after SIGTERM.
Targets: 5,000 durable spans/s, 0.35 CPU-ms a span, p99 under 250 ms, 1/20 of Phoenix's and 1/5 of MLflow's CPU.

``benchmarks/peers/README.md`` tells how to install the peers. ``--rounds`` repeats; ``--durability os`` is the weaker
mode.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import aiohttp
from durable.batches import Batches
from peers import PEERS, Noria, Taker
from report import Report, arguments

CONNECTIONS = 8
BATCH = 50
QUIET_S = 10.0
"""A database that has got no further row for so long has caught up, or never will."""


class Sent(NamedTuple):
    """What a client saw."""

    spans: int
    """Acknowledged."""
    seconds: float
    """From the first request to the last answer."""
    waits_ms: list[float]
    """Time to each acknowledgement, shortest first."""
    refused: int
    """Requests answered with 429 or 503, sent again a little later."""


async def send(taker: Taker, spans: int, batches: Batches) -> Sent:
    """Send until so many spans are acknowledged."""
    waits: list[float] = []
    refused = 0
    left = spans // BATCH
    headers = {"content-type": "application/x-protobuf", **taker.headers}
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    timeout = aiohttp.ClientTimeout(total=120)

    async def client(session: aiohttp.ClientSession) -> None:
        nonlocal left, refused
        while left > 0:
            left -= 1
            body = batches.new().body
            while True:
                before = time.perf_counter()
                async with session.post(taker.url, data=body) as response:
                    await response.read()
                if response.status == 200:
                    waits.append(1000 * (time.perf_counter() - before))
                    break
                if response.status not in {429, 503}:
                    response.raise_for_status()
                refused += 1
                await asyncio.sleep(0.2)

    async with aiohttp.ClientSession(headers=headers, connector=connector, timeout=timeout) as session:
        began = time.perf_counter()
        await asyncio.gather(*(client(session) for _ in range(CONNECTIONS)))
        seconds = time.perf_counter() - began
    return Sent(len(waits) * BATCH, seconds, sorted(waits), refused)


def caught_up(taker: Taker, expected: int) -> tuple[int, float]:
    """Rows when all are there or no more come, and when the last of them came."""
    rows, since = taker.rows(), time.perf_counter()
    while rows < expected and time.perf_counter() - since < QUIET_S:
        time.sleep(0.2)
        now = taker.rows()
        if now > rows:
            rows, since = now, time.perf_counter()
    return rows, since


def measure(taker: Taker, spans: int, report: Report) -> float:
    """One server, started, measured, stopped and counted; CPU milliseconds a row."""
    taker.start()
    batches = Batches(BATCH)
    asyncio.run(send(taker, CONNECTIONS * BATCH, batches))  # what a first request costs is another question
    counts_while_running = not isinstance(taker, Noria)
    before = caught_up(taker, CONNECTIONS * BATCH)[0] if counts_while_running else CONNECTIONS * BATCH
    cpu, began = taker.cpu_s(), time.perf_counter()
    sent = asyncio.run(send(taker, spans, batches))
    memory = taker.memory_mb()
    durable_s = sent.seconds
    rows = None
    if counts_while_running:
        rows, last = caught_up(taker, before + sent.spans)
        rows -= before
        durable_s = last - began
    taker.stop()
    after = taker.rows() - before
    cpu_ms = 1000 * (taker.cpu_s() - cpu) / max(1, after)
    report.add(
        taker.name,
        sent.spans,
        rows,
        after,
        after / durable_s,
        cpu_ms,
        sent.waits_ms[len(sent.waits_ms) // 2],
        sent.waits_ms[int(len(sent.waits_ms) * 0.99)],
        memory,
        sent.refused,
    )
    return cpu_ms


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--spans", type=int, default=50_000)
    parser.add_argument("--peer-spans", type=int, default=5_000, help="spans for each peer: they are slower")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--durability", choices=["fsync", "os"], default="fsync")
    parser.add_argument("--peers", nargs="*", default=[], metavar="NAME=PYTHON", help=f"of {', '.join(PEERS)}")
    given = parser.parse_args()
    columns = ["server", "200s", "rows", "after", "durable/s", "CPU ms/span", "p50 ms", "p99 ms", "MB", "refused"]
    size = Batches(BATCH).span_bytes
    title = f"OTLP/HTTP, batches of {BATCH} spans of {size:,.0f} bytes, {CONNECTIONS} connections"
    report = Report(title, columns, as_json=given.json)
    for _ in range(given.rounds):
        costs = {}
        with tempfile.TemporaryDirectory(prefix="noria-intake-") as folder:
            settings = {"NORIA_DURABILITY": given.durability}
            costs["noria"] = measure(Noria(Path(folder), settings), given.spans, report)
        for peer in given.peers:
            name, _, python = peer.partition("=")
            with tempfile.TemporaryDirectory(prefix="noria-intake-") as folder:
                costs[name] = measure(PEERS[name](Path(folder), python), given.peer_spans, report)
                report.note(f"A span costs Noria 1/{costs[name] / costs['noria']:.0f} of {name}'s CPU.")
    report.end()


if __name__ == "__main__":
    main()
