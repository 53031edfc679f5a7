"""The clock that is handed to everyone: wall time that never goes backwards while the process lives."""

from __future__ import annotations

import time

_ANCHOR_NS = time.time_ns() - time.monotonic_ns()


def now() -> int:
    """Nanoseconds since 1970 UTC, advancing with the monotonic clock, because durations are differences of it."""
    return _ANCHOR_NS + time.monotonic_ns()
