"""When to start a crashed engine again, how long to wait first, and when to give up. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from noria.core.struct import Noun


class RestartPolicy(Noun):
    """How patient a supervisor is. All times in seconds."""

    crash_limit: int = 5
    """Crashes within the window after which it gives up."""
    window_s: float = 60.0
    """How long a crash counts."""
    first_delay_s: float = 0.5
    """Pause after the first crash; it doubles with each further one in the window."""
    longest_delay_s: float = 30.0
    """Longest pause."""
    jitter: float = 0.5
    """Part of the pause that is random, 0 to 1, so that many engines do not come back in step."""
    start_timeout_s: float = 300.0
    """Longest time from spawn to the first healthy answer; big weights on a slow disk take minutes."""
    grace_s: float = 5.0
    """Time between SIGTERM and SIGKILL."""
    check_every_s: float = 10.0
    """Pause between health checks."""
    check_timeout_s: float = 10.0
    """Longest wait for a health check's answer."""
    check_misses: int = 3
    """Missed checks in a row after which an idle process counts as hung."""


def recent(crashes: Sequence[float], now: float, policy: RestartPolicy) -> list[float]:
    """Those crash times that still count at ``now`` (same clock, seconds)."""
    return [crash for crash in crashes if now - crash < policy.window_s]


def pause(crashes: int, policy: RestartPolicy, random: float) -> float:
    """Seconds to wait after so many crashes (1 or more): exponential, capped, ``random`` in [0, 1) for the jitter."""
    # The exponent is capped, because 2.0**1024 overflows and the result is capped anyway.
    full = min(policy.longest_delay_s, policy.first_delay_s * 2.0 ** min(crashes - 1, 60))
    return full * (1.0 - policy.jitter * random)


def patience_returns(crashes: Sequence[float], now: float, policy: RestartPolicy) -> float:
    """Seconds until so many crashes have aged that one more start is allowed; 0 when it is allowed now."""
    counted = recent(crashes, now, policy)
    if len(counted) < policy.crash_limit:
        return 0.0
    return policy.window_s - (now - sorted(counted)[len(counted) - policy.crash_limit])
