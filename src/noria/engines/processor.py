"""The processor of this machine: what it can do, and how much of it this process may use. Standard library alone."""

from __future__ import annotations

import math
import os
import platform
import sys
from pathlib import Path


def missing_instructions() -> str:
    """The instruction set that the engine's build needs and this processor lacks; empty when nothing is missing.

    The llama.cpp wheel for x86-64 is built for AVX2; on an older processor it dies of an illegal instruction.
    """
    if platform.machine().lower() not in {"x86_64", "amd64"} or sys.platform != "linux":
        return ""
    try:
        return lacks_avx2(Path("/proc/cpuinfo").read_text())
    except OSError:
        return ""


def lacks_avx2(cpuinfo: str) -> str:
    """``AVX2`` when the text of Linux's ``/proc/cpuinfo`` lists flags without it, else empty."""
    flags = [line.partition(":")[2].split() for line in cpuinfo.splitlines() if line.startswith("flags")]
    return "AVX2" if flags and any("avx2" not in listed for listed in flags) else ""


def usable_cores(
    cpus: set[int] | None = None,
    *,
    topology: Path = Path("/sys/devices/system/cpu"),
    quota: Path = Path("/sys/fs/cgroup/cpu.max"),
) -> int:
    """Physical cores that this process may use: its affinity, two hyper-threads as one, a container's limit respected.

    A second thread on a core makes llama.cpp no faster: both wait for the same arithmetic units and memory.
    """
    if cpus is None:
        cpus = os.sched_getaffinity(0) if sys.platform == "linux" else set(range(os.cpu_count() or 1))
    return max(1, min(len({_siblings(topology, cpu) for cpu in cpus}), _quota(quota)))


def _siblings(topology: Path, cpu: int) -> str:
    try:
        return (topology / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text().strip()
    except OSError:
        return str(cpu)


def _quota(path: Path) -> int:
    """Whole processors that a cgroup (version 2) allows: microseconds used in each period of microseconds."""
    try:
        used, period = path.read_text().split()
    except (OSError, ValueError):
        return sys.maxsize
    return sys.maxsize if used == "max" else math.ceil(int(used) / int(period))
