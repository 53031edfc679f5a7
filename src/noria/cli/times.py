"""Moments as people write them: a time ago, a day, a time."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from noria.core.errors import InvalidInput

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_AGO = re.compile(r"(\d{1,9})([smhdw])")


def moment(option: str, written: str | None) -> int | None:
    """Nanoseconds since 1970 UTC of ``2h`` (ago), ``2026-11-25`` or ``2026-11-25T08:00Z``; None for None.

    A time without a zone is UTC.

    Raises:
        InvalidInput: it is none of these.
    """
    if written is None:
        return None
    if found := _AGO.fullmatch(written):
        return max(0, time.time_ns() - int(found[1]) * _UNITS[found[2]] * 10**9)
    try:
        read = datetime.fromisoformat(written)
        at = read if read.tzinfo else read.replace(tzinfo=UTC)
        seconds = int(at.timestamp())
    except (ValueError, OverflowError):
        seconds = -1
    if seconds < 0:
        raise InvalidInput(
            f"{option} {written[:40]!r} is no time.", hint="Write 30m, 2h, 7d, 2026-11-25 or 2026-11-25T08:00Z."
        )
    return seconds * 10**9 + at.microsecond * 1000
