"""Windows of time in which limits count."""

from __future__ import annotations

from datetime import UTC, datetime

from noria.core.limits import Limit, Window

_S = 1_000_000_000
_WIDTHS_NS: dict[Window, int] = {"minute": 60 * _S, "hour": 3600 * _S, "day": 86_400 * _S}


def bounds(limit: Limit, now_ns: int) -> tuple[int, int]:
    """Start and end of the window that ``now_ns`` is in, aligned to UTC; for ``concurrency`` all of time."""
    if limit.measure == "concurrency":
        return 0, 2**62
    if limit.window == "month":
        day = datetime.fromtimestamp(now_ns // _S, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        after = day.replace(year=day.year + day.month // 12, month=day.month % 12 + 1)
        return int(day.timestamp()) * _S, int(after.timestamp()) * _S
    width = _WIDTHS_NS[limit.window]
    starts = now_ns - now_ns % width
    return starts, starts + width
