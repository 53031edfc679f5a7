"""The gateway's benchmark says which of its targets a run has met."""

from __future__ import annotations

from pathlib import Path

import gateways.targets as targets
import msgspec
import pytest
from gateways.others import PEERS
from gateways.turns import said_of

COST = targets.Cost(
    cpu_s=0.3,
    calls_s=1000.0,
    p50_ms=5.0,
    p99_ms=20.0,
    added_ms=0.9,
    first_ms=1.1,
    chunk_us=60.0,
    translated_us=None,
    memory_mb=200.0,
)


def test_a_target_is_met_up_to_its_limit_and_missed_above_it() -> None:
    bare = targets.Cost(cpu_s=0.16, calls_s=1.0, p50_ms=1.0, p99_ms=6.0, chunk_us=20.0, memory_mb=1.0)
    lines = targets.judged({targets.NORIA: COST, targets.BARE: bare})
    assert [line.split(maxsplit=1)[0] for line in lines] == ["met", "met", "missed", "missed", "met"]
    assert lines[0] == "met    CPU-s for 1,000 calls: 0.3, at most 0.32 (2 times uvicorn + aiohttp's 0.16)"


def test_what_was_not_measured_is_not_judged() -> None:
    lines = targets.judged({targets.NORIA: COST})
    assert len(lines) == 3  # neither another server's nor a translated chunk
    assert targets.judged({targets.BARE: COST}) == []


@pytest.mark.parametrize("name", [target.of for target in targets.TARGETS if target.of not in {"", targets.BARE}])
def test_whoever_noria_is_held_against_can_be_measured(name: str) -> None:
    assert name in PEERS


def test_everybody_can_install_the_peers() -> None:
    said = Path(targets.__file__).parents[1].joinpath("peers", "README.md").read_text()
    assert [name for name in PEERS if f"{name}=" not in said] == []


def test_servers_that_take_turns_are_compared_turn_by_turn() -> None:
    """The machine is twice as slow in the second turn, which changes neither ratio."""
    ours = [msgspec.structs.replace(COST, cpu_s=0.2 * slow, chunk_us=30.0 * slow) for slow in (1, 2, 1)]
    bare = [msgspec.structs.replace(COST, cpu_s=0.1 * slow, chunk_us=60.0 * slow) for slow in (1, 2, 1)]
    medians, lines = said_of({targets.BARE: bare, targets.NORIA: ours})
    assert medians[targets.NORIA].cpu_s == 0.2
    assert medians[targets.NORIA].translated_us is None
    assert "costs Noria 2.00 (2.00 to 2.00) times uvicorn + aiohttp's CPU, a chunk 0.50 (0.50 to 0.50)" in lines[0]
    assert lines[1].startswith("met ")
    wavering = [
        msgspec.structs.replace(cost, cpu_s=cost.cpu_s * by) for cost, by in zip(ours, (0.9, 1, 1.2), strict=True)
    ]
    assert "2.05 (1.4" in said_of({targets.BARE: bare, targets.NORIA: wavering})[1][0]


def test_memory_that_climbs_is_told_from_memory_that_only_varies() -> None:
    saw = [210.0, 225.0, 214.0, 228.0, 208.0, 224.0, 212.0, 226.0, 209.0, 225.0]
    level = [(10_000 * at, mb) for at, mb in enumerate(saw)]
    assert targets.growth(level).startswith("met ")
    climbing = [(at, mb + at / 1000) for at, mb in level]
    assert targets.growth(climbing).startswith("missed ")
