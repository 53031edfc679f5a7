"""What the gateway is meant to cost, and which of it a run has met.

It knows numbers by name and nothing of how they are measured.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

import msgspec

BARE, NORIA = "uvicorn + aiohttp", "noria"
_T95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10)
"""97.5th percentiles of Student's t, by degrees of freedom from one."""


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """One server, measured."""

    cpu_s: float
    """CPU seconds for 1,000 calls of many connections."""
    calls_s: float
    """Of them answered in a second."""
    p50_ms: float
    """Their median."""
    p99_ms: float
    """Their 99th percentile."""
    added_ms: float | None = None
    """Median of one connection, without what the provider alone takes."""
    first_ms: float | None = None
    """The same for the first chunk of a stream."""
    chunk_us: float
    """CPU for a streamed chunk."""
    translated_us: float | None = None
    """The same in another dialect."""
    memory_mb: float
    """Resident at the end."""


class Target(msgspec.Struct, frozen=True):
    """A number of Noria's that is not to be above another."""

    what: str
    """Name of the number, a field of :class:`Cost`."""
    said: str
    """How a person calls it."""
    factor: float
    """The number itself, or how often the other server's."""
    of: str = ""
    """Name of the other server."""

    def judged(self, found: Mapping[str, Cost]) -> str | None:
        """One line, or nothing where it cannot be told from this run."""
        if NORIA not in found or (self.of and self.of not in found):
            return None
        number, limit, beside = getattr(found[NORIA], self.what), self.factor, ""
        if number is None:
            return None
        if self.of:
            other = getattr(found[self.of], self.what)
            limit, beside = self.factor * other, f" ({_times(self.factor)} {self.of}'s {other:.3g})"
        return f"{'met' if number <= limit else 'missed':<7}{self.said}: {number:.3g}, at most {limit:.3g}{beside}"


TARGETS = (
    Target("cpu_s", "CPU-s for 1,000 calls", 2, BARE),
    Target("cpu_s", "CPU-s for 1,000 calls", 1 / 20, "litellm"),
    Target("cpu_s", "CPU-s for 1,000 calls", 1 / 3, "mlflow"),
    Target("cpu_s", "CPU-s for 1,000 calls", 1, "tensorzero"),
    Target("cpu_s", "CPU-s for 1,000 calls, a stretch", 1 / 2, "tensorzero"),
    Target("added_ms", "ms added at one connection", 1),
    Target("p99_ms", "p99 of 32 connections, ms", 3, BARE),
    Target("first_ms", "ms until the first chunk, more than without a gateway", 1),
    Target("chunk_us", "CPU us for a chunk of the same dialect", 60),
    Target("translated_us", "CPU us for a translated chunk", 150),
)
"""What a call is meant to cost."""


def judged(found: Mapping[str, Cost], targets: Sequence[Target] = TARGETS) -> list[str]:
    """One line for each target that the run can tell of."""
    return [line for target in targets if (line := target.judged(found)) is not None]


def growth(readings: Sequence[tuple[int, float]]) -> str:
    """One line on memory over calls: it grows where the whole 95 % interval of its slope is above nothing.

    Arguments:
        readings: calls done and MB, in order; readings of one saw tooth after the other belong together.
    """
    calls, memory = [at / 1000 for at, _ in readings], [mb for _, mb in readings]
    slope, start = statistics.linear_regression(calls, memory)
    left = [mb - start - slope * at for at, mb in zip(calls, memory, strict=True)]
    spread = statistics.pvariance(calls) * len(calls)
    noise = math.sqrt(sum(rest**2 for rest in left) / (len(left) - 2))
    width = t95(len(left) - 2) * noise / math.sqrt(spread)
    return (
        f"{'missed' if slope > width else 'met':<7}MB for 1,000 calls over the second half: {slope:.3f}, between"
        f" {slope - width:.3f} and {slope + width:.3f}; readings vary by {noise:.1f} MB around it"
    )


def t95(freedom: int) -> float:
    """97.5th percentile of Student's t, a little too large beyond 18 degrees of freedom."""
    return _T95[min(freedom, len(_T95)) - 1]


def _times(factor: float) -> str:
    return f"{factor:g} times" if factor >= 1 else f"1/{1 / factor:g} of"


__all__ = ["BARE", "NORIA", "TARGETS", "Cost", "Target", "growth", "judged", "t95"]
