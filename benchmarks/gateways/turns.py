"""Servers side by side, measured in turns: all run at once, and each turn asks one after the other.

A shared machine is faster now and slower a minute later, which a server measured after another pays alone. In turns both
see the same; what is told is the ratio of each turn, its mean and how sure that is, and the medians of the rest.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from gateways import Direct, Gateway, scratch, settled
from gateways.others import PEERS
from gateways.parts import chunk_us, many_at_a_time, one_at_a_time, translated_us
from gateways.targets import NORIA, Cost, judged, t95

WARMING = 500
ALONE = 200
STREAMED = 60


def take_turns(
    kinds: Sequence[type[Gateway]], peers: Sequence[str], turns: int, calls: int
) -> Iterator[tuple[str, Cost]]:
    """The numbers of each server in each turn, as they come.

    Arguments:
        kinds: servers of Noria's repository.
        peers: ``NAME=PROGRAM`` of others.
        turns: how many.
        calls: of many connections, by each server in each turn.
    """
    with _running(kinds, peers) as (direct, servers):
        for server in servers:
            many_at_a_time(server, WARMING)
        for _ in range(turns):
            for server in servers:
                yield server.name, _turn(server, direct, calls)


@contextmanager
def _running(kinds: Sequence[type[Gateway]], peers: Sequence[str]) -> Iterator[tuple[Gateway, list[Gateway]]]:
    with ExitStack() as stack:

        def started(kind: type[Gateway], upstream: str, *program: str) -> Gateway:
            server = kind(Path(stack.enter_context(scratch())), upstream, *program)
            server.start()
            stack.callback(server.stop)
            return server

        direct = started(Direct, "")
        servers = [started(kind, direct.upstream) for kind in kinds]
        servers += [started(PEERS[name], direct.upstream, path) for name, _, path in (p.partition("=") for p in peers)]
        yield direct, servers


def _turn(server: Gateway, direct: Gateway, calls: int) -> Cost:
    alone, through = one_at_a_time(direct, ALONE), one_at_a_time(server, ALONE)
    first_alone = one_at_a_time(direct, STREAMED, stream=True)
    first_through = one_at_a_time(server, STREAMED, stream=True)
    before = settled(server)
    many = many_at_a_time(server, calls)
    after = settled(server)
    return Cost(
        cpu_s=1000 * (after - before) / calls,
        calls_s=many.calls / many.seconds,
        p50_ms=many.p50_ms,
        p99_ms=many.p99_ms,
        added_ms=through.p50_ms - alone.p50_ms,
        first_ms=first_through.first_ms - first_alone.first_ms,
        chunk_us=chunk_us(server),
        translated_us=translated_us(server),
        memory_mb=server.memory_mb(),
    )


def said_of(found: dict[str, list[Cost]]) -> tuple[dict[str, Cost], list[str]]:
    """The medians of all turns, and what they say of Noria beside each other server, and of the targets."""
    medians = {name: _median(costs) for name, costs in found.items()}
    lines = [
        f"In each turn a call costs Noria {_ratio([ours.cpu_s / its.cpu_s for ours, its in pairs])} times {name}'s CPU,"
        f" a chunk {_ratio([ours.chunk_us / its.chunk_us for ours, its in pairs])} times (mean, 95 % interval)."
        for name, costs in found.items()
        if name != NORIA and (pairs := list(zip(found.get(NORIA, []), costs, strict=False)))
    ]
    return medians, [*lines, *judged(medians)]


def _median(costs: Sequence[Cost]) -> Cost:
    def of(name: str) -> float | None:
        values = [value for cost in costs if (value := getattr(cost, name)) is not None]
        return statistics.median(values) if values else None

    return msgspec.convert({name: of(name) for name in Cost.__struct_fields__}, Cost)


def _ratio(ratios: Sequence[float]) -> str:
    """Geometric mean, with Student's interval of the logarithms."""
    logs = [math.log(ratio) for ratio in ratios]
    middle = statistics.fmean(logs)
    if len(logs) < 2:
        return f"{math.exp(middle):.2f}"
    width = t95(len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
    return f"{math.exp(middle):.2f} ({math.exp(middle - width):.2f} to {math.exp(middle + width):.2f})"


__all__ = ["said_of", "take_turns"]
