"""Times as people write them: ``2h`` ago, ``2026-11-23``, ``2026-11-23T06:00+01:00``."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from noria.core.errors import InvalidInput

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}
_AGO = re.compile(r"([0-9]{1,9})([smhdw])")
_NANOSECONDS = re.compile(r"[0-9]{16,19}")


def moment(text: str, now_ns: int) -> int:
    """Nanoseconds since 1970 UTC: of a duration before now, a date or time (UTC where no zone is given), or nanoseconds.

    Raises:
        InvalidInput: it is none of these.
    """
    written = text.strip()
    if ago := _AGO.fullmatch(written):
        return max(0, now_ns - int(ago[1]) * _UNITS[ago[2]] * 10**9)
    if _NANOSECONDS.fullmatch(written):
        return int(written)
    try:
        found = datetime.fromisoformat(written)
        found = found if found.tzinfo else found.replace(tzinfo=UTC)
        since = found - datetime(1970, 1, 1, tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(
            f"{written[:60]!r} is no time.", hint="Write 30m, 2h, 7d, 2026-11-23 or 2026-11-23T06:00Z."
        ) from error
    return max(0, (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000)


def duration_s(text: str) -> int:
    """Seconds of a duration: ``30m``, ``24h``, ``90d``.

    Raises:
        InvalidInput: it is none.
    """
    found = _AGO.fullmatch(text.strip())
    if found is None:
        raise InvalidInput(f"{text.strip()[:60]!r} is no duration.", hint="Write 90s, 30m, 24h, 7d or 2w.")
    return int(found[1]) * _UNITS[found[2]]
