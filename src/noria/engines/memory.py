"""How much memory a set-up needs, and how much there is."""

from __future__ import annotations

from pathlib import Path

import psutil

from noria.core.models import EngineOptions, KVCacheType
from noria.core.struct import Noun
from noria.engines.gguf import GGUFHeader

_BYTES_PER_ELEMENT: dict[KVCacheType, float] = {"f16": 2.0, "q8_0": 34 / 32, "q4_0": 18 / 32}
_OVERHEAD = 150_000_000
"""Compute buffers, interpreter and libraries. SmolLM2-135M was seen to take 70 MB of it; wider models take more."""


class MemoryNeed(Noun):
    """An estimate, in bytes."""

    weights: int
    """The file, mapped into memory."""
    kv_cache: int
    """Keys and values of all slots at full context."""
    overhead: int = _OVERHEAD
    """Everything else, roughly."""

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.kv_cache + self.overhead


class Memory(Noun):
    """What this process may use, in bytes."""

    available: int
    """Without pushing anything out."""
    total: int
    """At all: the machine's memory, or the container's limit."""


def memory_need(header: GGUFHeader, options: EngineOptions) -> MemoryNeed:
    """Estimate for a model and its flags. KV cache: tokens x layers x kv heads x (key + value width) x element size.

    A model that does not tell its shape counts with no cache. Sliding-window layers count as full ones.
    """
    tokens = options.context * options.slots
    width = (header.key_length or 0) + (header.value_length or 0)
    elements = tokens * sum(header.kv_heads) * width
    return MemoryNeed(weights=header.size, kv_cache=int(elements * _BYTES_PER_ELEMENT[options.kv_cache]))


def memory_here(cgroup: Path = Path("/sys/fs/cgroup")) -> Memory:
    """This machine's memory; in a container with a limit (cgroup version 2), that limit's."""
    machine = psutil.virtual_memory()
    limit, used = _number(cgroup / "memory.max"), _number(cgroup / "memory.current") or 0
    if limit is None or limit > machine.total:
        return Memory(available=machine.available, total=machine.total)
    return Memory(available=min(machine.available, max(0, limit - used)), total=limit)


def memory_verdict(need: MemoryNeed, here: Memory) -> tuple[bool, str]:
    """Whether a start makes sense, and a sentence when it is tight; empty when there is plenty."""
    if need.total <= here.available:
        return True, ""
    parts = f"about {_mb(need.total)} (weights {_mb(need.weights)}, KV cache {_mb(need.kv_cache)})"
    if need.total > here.total:
        return False, f"It needs {parts} of memory, and this machine has {_mb(here.total)} in all."
    return True, f"It needs {parts} of memory, and {_mb(here.available)} are free now: it may be slow or be killed."


def _number(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


def _mb(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
