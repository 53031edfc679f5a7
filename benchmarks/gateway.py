"""What a call through the gateway costs, beside the least that Python can do, nginx, and peers in the same run.

    python benchmarks/gateway.py [--calls 20000] [--workers 2] [--peers litellm=PYTHON]
                                 [--only noria bare] [--json]
    python benchmarks/gateway.py --streams 1000      many paced streams at once
    python benchmarks/gateway.py --soak 200000       memory over many calls

One fake provider, one light client and the gateway, each in a process of its own. *CPU* is of the gateway's whole process
tree over ``--calls`` calls of 32 connections, what it does afterwards and its stop included: for Noria the key, the price,
and the record, durable before each reply ends. *added* is the median of one connection without what the provider alone
takes. *us/chunk* is CPU over paced streams of 200 chunks, 10 ms apart, the calls themselves included; *translated* is the
same where callers speak OpenAI's dialect and the provider Anthropic's.
Targets: CPU at most twice the bare pass-through's (and 0.25), p50 added 1 ms, p99 at most three times the bare one's, first
chunk 1 ms later, 60 us a chunk and 150 translated, and no error and no growth in the other two.

With ``--workers`` Noria is measured once more with that many processes on one folder. The client and the provider are on
the same machine, and take their part of its cores.

``benchmarks/peers/README.md`` tells how to install the peers.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from gateways import PEERS, TRANSLATED, Bare, Direct, Gateway, Nginx, Noria, Seen, ask, scratch, send, settled
from report import Report, arguments

CONNECTIONS = 32
STREAMS = 32
CHUNKS = 200
PACED = f"gpt-4o-{CHUNKS}x10"
SLOW = "gpt-4o-100x100"


class Measured:
    """One server, measured from its start to its stop."""

    def __init__(self, server: Gateway, calls: int, report: Report, direct: Measured | None = None) -> None:
        server.start()
        self.one = self._send(server, "gpt-4o", calls=500)  # what a first request costs is another question
        self.one = self._send(server, "gpt-4o", calls=max(200, calls // 20))
        self.streamed = self._send(server, "gpt-4o", stream=True, calls=max(100, calls // 50))
        self.chunk_us = self._chunk_us(server, server.model(PACED))
        translated_us = self._chunk_us(server, f"{TRANSLATED}/{PACED}") if isinstance(server, Noria) else None
        before = server.cpu_s()
        self.many = self._send(server, "gpt-4o", calls=calls, connections=CONNECTIONS)
        memory = server.memory_mb()
        if direct is not None:
            server.stop()
        self.cpu_s = 1000 * (server.cpu_s() - before) / calls
        report.add(
            server.name,
            self.cpu_s,
            self.many.calls / self.many.seconds,
            self.many.p50_ms,
            self.many.p99_ms,
            self.one.p50_ms - direct.one.p50_ms if direct else None,
            self.streamed.first_ms - direct.streamed.first_ms if direct else None,
            self.chunk_us,
            translated_us,
            memory,
        )

    @staticmethod
    def _chunk_us(server: Gateway, model: str) -> float:
        before, calls = settled(server), 2 * STREAMS
        seen = send(server.calls, ask(model, stream=True), server.headers, calls=calls, connections=STREAMS)
        if seen.failed:
            sys.exit(f"{seen.failed} of {calls} streams through {server.name} failed; see {server.folder}.")
        return 1e6 * (settled(server) - before) / (calls * CHUNKS)

    def _send(self, server: Gateway, model: str, *, stream: bool = False, calls: int, connections: int = 1) -> Seen:
        body = ask(server.model(model), stream=stream)
        seen = send(server.calls, body, server.headers, calls=calls, connections=connections)
        if seen.failed:
            sys.exit(f"{seen.failed} of {calls} calls through {server.name} failed; see {server.folder}.")
        return seen


def compare(
    calls: int, peer_calls: int, peers: list[str], only: list[str], report: Report, *, workers: int = 1
) -> None:
    """The table."""
    ours = {"bare": Bare, "nginx": Nginx, "noria": Noria}
    with scratch() as folder:
        provider = Direct(Path(folder), "")
        direct = Measured(provider, calls, report)
        found = {}
        for name, kind in ours.items():
            if (only and name not in only) or (kind is Nginx and not Path("/usr/sbin/nginx").exists()):
                continue
            with scratch() as place:
                found[name] = Measured(kind(Path(place), provider.upstream), calls, report, direct)
        if workers > 1:
            with scratch() as place:
                server = Noria(Path(place), provider.upstream, workers=workers)
                several = Measured(server, calls, report, direct)
            if "noria" in found:
                one, many = (seen.many.calls / seen.many.seconds for seen in (found["noria"], several))
                report.note(f"{workers} workers answer {many / one:.2f} times as many calls a second as one process.")
        for peer in peers:
            name, _, python = peer.partition("=")
            with scratch() as place:
                found[name] = Measured(PEERS[name](Path(place), provider.upstream, python), peer_calls, report, direct)
        provider.stop()
    if "noria" in found:
        for name, other in found.items():
            if name != "noria":
                report.note(
                    f"A call costs Noria {found['noria'].cpu_s / other.cpu_s:.2g} times {name}'s CPU, and its p99 is"
                    f" {found['noria'].many.p99_ms / other.many.p99_ms:.2g} times that."
                )


def streams(count: int, report: Report) -> None:
    """Many streams at once, each with a chunk every 100 ms for 10 seconds."""
    with scratch() as folder, scratch() as place:
        provider, server = Direct(Path(folder), ""), None
        provider.start()
        server = Noria(Path(place), provider.upstream)
        server.start()
        send(server.calls, ask(server.model("gpt-4o")), server.headers, calls=100)
        before, memory = settled(server), server.memory_mb()
        body = ask(server.model(SLOW), stream=True)
        seen = send(server.calls, body, server.headers, calls=count, connections=count)
        grown = server.memory_mb() - memory
        cpu = settled(server) - before
        report.add("noria", seen.calls, seen.failed, seen.seconds, seen.p99_ms / 1000, 1e6 * cpu / (count * 100), grown)
        server.stop()
        provider.stop()


def soak(calls: int, report: Report) -> None:
    """Memory after each twentieth of many calls; the slope is of the second half."""
    with scratch() as folder, scratch() as place:
        provider = Direct(Path(folder), "")
        provider.start()
        server = Noria(Path(place), provider.upstream)
        server.start()
        body, points, failed = ask(server.model("gpt-4o")), [], 0
        for done in range(calls // 20, calls + 1, calls // 20):
            seen = send(server.calls, body, server.headers, calls=calls // 20, connections=CONNECTIONS)
            failed += seen.failed
            time.sleep(2)
            points.append((done, server.memory_mb()))
            report.add("noria", done, failed, seen.calls / seen.seconds, seen.p99_ms, points[-1][1])
        server.stop()
        provider.stop()
    half = points[len(points) // 2 :]
    slope = statistics.linear_regression([at / 1000 for at, _ in half], [mb for _, mb in half]).slope
    noise = statistics.stdev([mb for _, mb in half])
    report.note(
        f"Over the second half memory grows by {slope:.3f} MB for 1,000 calls; readings vary by {noise:.1f} MB."
    )


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--peer-calls", type=int, default=2_000, help="calls of each peer: they are slower")
    parser.add_argument("--workers", type=int, default=1, help="also measure Noria with so many processes")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[], metavar="SERVER", help="of bare, nginx, noria")
    parser.add_argument("--peers", nargs="*", default=[], metavar="NAME=PYTHON", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--streams", type=int, default=0)
    parser.add_argument("--soak", type=int, default=0)
    given = parser.parse_args()
    if given.streams:
        columns = ["server", "whole", "failed", "seconds", "p99 s", "us/chunk", "MB grown"]
        report = Report(f"{given.streams:,} streams of 100 chunks, 100 ms apart", columns, as_json=given.json)
        streams(given.streams, report)
    elif given.soak:
        columns = ["server", "calls", "failed", "calls/s", "p99 ms", "MB"]
        report = Report(f"{given.soak:,} calls of {CONNECTIONS} connections", columns, as_json=given.json)
        soak(given.soak, report)
    else:
        columns = [
            "server",
            "CPU-s/1,000",
            "calls/s",
            "p50 ms",
            "p99 ms",
            "added ms",
            "first ms",
            "us/chunk",
            "translated",
            "MB",
        ]
        report = Report(f"Calls of {CONNECTIONS} connections", columns, as_json=given.json)
        for _ in range(given.rounds):
            compare(given.calls, given.peer_calls, given.peers, given.only, report, workers=given.workers)
    report.end()


if __name__ == "__main__":
    main()
