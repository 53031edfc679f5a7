import pytest

from noria.core.models import EngineOptions
from noria.engines.gguf import GGUFHeader
from noria.engines.memory import Memory, MemoryNeed, memory_here, memory_need, memory_verdict

SMOL = GGUFHeader(
    version=3, size=98_362_432, architecture="llama", layers=30, kv_heads=(3,) * 30, key_length=64, value_length=64
)


@pytest.mark.parametrize(("kind", "size"), [("f16", 377_487_360), ("q8_0", 200_540_160), ("q4_0", 106_168_320)])
def test_the_cache_of_four_full_slots(kind, size):
    """16,384 tokens x 30 layers x 3 heads x 128 elements of 2, 34/32 and 18/32 bytes: 360, 191.25 and 101.25 MiB."""
    assert memory_need(SMOL, EngineOptions(kv_cache=kind)).kv_cache == size


def test_plenty_tight_and_hopeless():
    need = MemoryNeed(weights=600, kv_cache=300, overhead=100)
    assert memory_verdict(need, Memory(available=1000, total=2000)) == (True, "")
    sensible, sentence = memory_verdict(need, Memory(available=999, total=2000))
    assert sensible
    assert "may be slow" in sentence
    sensible, sentence = memory_verdict(need, Memory(available=500, total=999))
    assert not sensible
    assert "in all" in sentence


def test_a_containers_limit_counts(tmp_path):
    machine = memory_here(tmp_path)
    (tmp_path / "memory.max").write_text("max\n")
    assert memory_here(tmp_path).total == machine.total
    (tmp_path / "memory.max").write_text("50000000\n")
    (tmp_path / "memory.current").write_text("20000000\n")
    assert memory_here(tmp_path) == Memory(available=30_000_000, total=50_000_000)
