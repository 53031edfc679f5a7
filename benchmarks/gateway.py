"""What a call through the gateway costs, beside the least that Python can do, nginx, and peers in the same run.

    python benchmarks/gateway.py [--calls 20000] [--workers 2] [--only noria bare] [--json]
                                 [--peers litellm=PYTHON mlflow=PYTHON tensorzero=PYTHON portkey=PROGRAM]
    python benchmarks/gateway.py --turns 10          the same in turns, for machines that are not alone
    python benchmarks/gateway.py --streams 1000      many paced streams at once
    python benchmarks/gateway.py --soak 200000       memory over many calls

One fake provider, one light client and the gateway, each in a process of its own. *CPU* is of the gateway's whole process
tree over ``--calls`` calls of 32 connections, what it does afterwards and its stop included: for Noria the key, the price,
and the record, durable before each reply ends. *added* is the median of one connection without what the provider alone
takes. *us/chunk* is CPU over paced streams of 200 chunks, 10 ms apart, the calls themselves included; *translated* is the
same where callers speak OpenAI's dialect and the provider Anthropic's.
Each run ends with the targets that it can tell of, met or missed: those of the table are in ``gateways/targets.py``; of the
other two, no error, and no growth that stands out of the readings.

In turns the stop is not counted: it takes a third of a second, however many calls there were.

With ``--workers`` Noria is measured once more with that many processes on one folder. The client and the provider are on
the same machine, and take their part of its cores.

``benchmarks/peers/README.md`` tells how to install the peers.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
from gateways import Bare, Direct, Gateway, Nginx, Noria, ask, scratch, send, settled
from gateways.others import PEERS
from gateways.parts import CONNECTIONS, chunk_us, many_at_a_time, one_at_a_time, translated_us
from gateways.targets import Cost, growth, judged
from gateways.turns import said_of, take_turns
from report import Report, arguments

SLOW = "gpt-4o-100x100"


class Measured:
    """One server, measured from its start to its stop."""

    def __init__(self, server: Gateway, calls: int, report: Report, direct: Measured | None = None) -> None:
        server.start()
        try:
            self._measure(server, calls, report, direct)
        except SystemExit:
            server.stop()
            raise

    def _measure(self, server: Gateway, calls: int, report: Report, direct: Measured | None) -> None:
        self.one = one_at_a_time(server, min(500, calls))  # what a first request costs is another question
        self.one = one_at_a_time(server, max(200, calls // 20))
        self.streamed = one_at_a_time(server, max(100, calls // 50), stream=True)
        same_us, other_us = chunk_us(server), translated_us(server)
        before = server.cpu_s()
        many = many_at_a_time(server, calls)
        memory = server.memory_mb()
        if direct is not None:
            server.stop()
        self.cost = Cost(
            cpu_s=1000 * (server.cpu_s() - before) / calls,
            calls_s=many.calls / many.seconds,
            p50_ms=many.p50_ms,
            p99_ms=many.p99_ms,
            added_ms=self.one.p50_ms - direct.one.p50_ms if direct else None,
            first_ms=self.streamed.first_ms - direct.streamed.first_ms if direct else None,
            chunk_us=same_us,
            translated_us=other_us,
            memory_mb=memory,
        )
        report.add(server.name, *msgspec.structs.astuple(self.cost))


def compare(
    calls: int, peer_calls: int, peers: list[str], only: list[str], report: Report, *, workers: int = 1
) -> None:
    """The table."""
    found = {}
    with scratch() as folder:
        provider = Direct(Path(folder), "")
        direct = Measured(provider, calls, report)

        def cost(kind: type[Gateway], calls: int, *program: str, **how: int) -> Cost:
            with scratch() as place:
                return Measured(kind(Path(place), provider.upstream, *program, **how), calls, report, direct).cost

        try:
            for kind in chosen(only):
                found[kind.name] = cost(kind, calls)
            several = cost(Noria, calls, workers=workers) if workers > 1 else None
            for peer in peers:
                name, _, program = peer.partition("=")
                found[name] = cost(PEERS[name], peer_calls, program)
        finally:
            provider.stop()
    ours = found.get(Noria.name)
    if ours is None:
        return
    if several is not None:
        times = several.calls_s / ours.calls_s
        report.note(f"{workers} workers answer {times:.2f} times as many calls a second as one process.")
    for name, other in found.items():
        if other is not ours:
            report.note(
                f"A call costs Noria {ours.cpu_s / other.cpu_s:.2g} times {name}'s CPU, and its p99 is"
                f" {ours.p99_ms / other.p99_ms:.2g} times that."
            )
    for line in judged(found):
        report.note(line)


def chosen(only: list[str]) -> list[type[Gateway]]:
    """The servers that need no installation."""
    kinds = {"bare": Bare, "nginx": Nginx, "noria": Noria}
    return [
        kind
        for name, kind in kinds.items()
        if (not only or name in only) and (kind is not Nginx or Path("/usr/sbin/nginx").exists())
    ]


def in_turns(turns: int, calls: int, peers: list[str], only: list[str], report: Report) -> None:
    """The table, of servers that take turns."""
    found: dict[str, list[Cost]] = {}
    for name, cost in take_turns(chosen(only), peers, turns, max(1, calls // turns)):
        found.setdefault(name, []).append(cost)
        report.add(f"{name} {len(found[name])}", *msgspec.structs.astuple(cost))
    medians, lines = said_of(found)
    for name, cost in medians.items():
        report.add(f"{name}, median", *msgspec.structs.astuple(cost))
    for line in lines:
        report.note(line)


def streams(count: int, report: Report) -> None:
    """Many streams at once, each with a chunk every 100 ms for 10 seconds."""
    with scratch() as folder, scratch() as place:
        provider = Direct(Path(folder), "")
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
        report.note(f"{'missed' if seen.failed else 'met':<7}failed streams: {seen.failed}, at most 0")
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
    report.note(f"{'missed' if failed else 'met':<7}failed calls: {failed}, at most 0")
    report.note(growth(points[len(points) // 2 :]))


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--peer-calls", type=int, default=2_000, help="calls of each peer: they are slower")
    parser.add_argument("--workers", type=int, default=1, help="also measure Noria with so many processes")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument(
        "--turns", type=int, default=0, help="measure all side by side, in so many turns of --calls in all"
    )
    parser.add_argument("--only", nargs="*", default=[], metavar="SERVER", help="of bare, nginx, noria")
    parser.add_argument("--peers", nargs="*", default=[], metavar="NAME=PROGRAM", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--streams", type=int, default=0)
    parser.add_argument("--soak", type=int, default=0)
    given = parser.parse_args()
    if given.turns and (given.workers > 1 or not 0 < given.turns <= given.calls):
        parser.error("--turns takes one process of each server, and as many calls of it as turns at least.")
    if given.streams:
        columns = ["server", "whole", "failed", "seconds", "p99 s", "us/chunk", "MB grown"]
        report = Report(f"{given.streams:,} streams of 100 chunks, 100 ms apart", columns, as_json=given.json)
        streams(given.streams, report)
    elif given.soak:
        columns = ["server", "calls", "failed", "calls/s", "p99 ms", "MB"]
        report = Report(f"{given.soak:,} calls of {CONNECTIONS} connections", columns, as_json=given.json)
        soak(given.soak, report)
    else:
        times = ["calls/s", "p50 ms", "p99 ms", "added ms", "first ms"]
        columns = ["server", "CPU-s/1,000", *times, "us/chunk", "translated", "MB"]
        report = Report(f"Calls of {CONNECTIONS} connections", columns, as_json=given.json)
        if given.turns:
            in_turns(given.turns, given.calls, given.peers, given.only, report)
        for _ in range(0 if given.turns else given.rounds):
            compare(given.calls, given.peer_calls, given.peers, given.only, report, workers=given.workers)
    report.end()


if __name__ == "__main__":
    main()
