"""The gateway's benchmark says which of its targets a run has met."""

from __future__ import annotations

from pathlib import Path

import gateways.targets as targets
import pytest
from gateways.others import PEERS

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


def test_memory_that_climbs_is_told_from_memory_that_only_varies() -> None:
    saw = [210.0, 225.0, 214.0, 228.0, 208.0, 224.0, 212.0, 226.0, 209.0, 225.0]
    level = [(10_000 * at, mb) for at, mb in enumerate(saw)]
    assert targets.growth(level).startswith("met ")
    climbing = [(at, mb + at / 1000) for at, mb in level]
    assert targets.growth(climbing).startswith("missed ")
