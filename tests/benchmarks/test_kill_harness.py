"""A short run of the proof that nothing acknowledged is lost; ``benchmarks/kill_harness.py`` has the long one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import kill_harness
import pytest
from durable.batches import Batches
from durable.ledger import Ledger
from durable.watched import supported
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def test_a_batch_is_whole_and_no_id_comes_twice() -> None:
    batches = Batches(7, kinds=2)
    seen = set()
    for _ in range(5):
        batch = batches.new()
        [sender] = ExportTraceServiceRequest.FromString(batch.body).resource_spans
        spans = sender.scope_spans[0].spans
        assert [(span.trace_id.hex(), span.span_id.hex()) for span in spans] == batch.keys
        assert [span.name for span in spans] == [f"chat {span}" for _, span in batch.keys]
        seen |= set(batch.keys)
    assert len(seen) == 35
    assert 1_000 < batches.span_bytes < 1_400


def test_a_ledger_tells_what_is_lost_doubled_and_nobodys() -> None:
    ledger = Ledger()
    ledger.sent("span", "abcde")
    ledger.kept("span", "abc")
    [verdict] = ledger.against({"span": ["a", "b", "b", "d", "x"]})
    assert verdict._asdict() == {
        "kind": "span", "acknowledged": 3, "found": 2, "lost": 1, "doubled": 1, "unanswered": 1, "foreign": 1,
    }  # fmt: skip


def lost_nothing(lost: int) -> bool:
    return lost == 0


def lost_something(lost: int) -> bool:
    return lost > 0


@pytest.mark.skipif(sys.platform != "linux", reason="power cuts are tried with Linux' system calls")
@pytest.mark.parametrize(
    ("mode", "cycles", "as_promised"),
    [("kill", 3, lost_nothing), ("power", 3, lost_nothing), ("full", 1, lost_nothing), ("weaker", 1, lost_something)],
)
async def test_what_was_acknowledged_is_there_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, cycles: int, as_promised: Callable[[int], bool]
) -> None:
    assert supported()
    monkeypatch.setattr(kill_harness, "LONGEST_LOAD_S", 1.2)
    monkeypatch.setattr(kill_harness, "FULL_S", 0.3)
    trial = kill_harness.Trial(mode, tmp_path, cycles, seed=3, pause_s=0.02)
    spans = {one.kind: one for one in await trial.run()}
    assert trial.load is not None
    assert trial.load.strange == []
    assert sum(trial.stops.values()) == cycles
    assert spans["span"].acknowledged > 50
    for one in spans.values():
        assert (one.doubled, one.foreign) == (0, 0), one
    assert as_promised(sum(one.lost for one in spans.values()))
