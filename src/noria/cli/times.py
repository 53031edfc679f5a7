"""Moments as people write them on the command line."""

from __future__ import annotations

import time

from noria.core.errors import InvalidInput
from noria.serve import times


def moment(option: str, written: str | None) -> int | None:
    """Nanoseconds since 1970 UTC, see :func:`noria.serve.times.moment`; None for None.

    Raises:
        InvalidInput: it is no time; the message names ``option``.
    """
    if written is None:
        return None
    try:
        return times.moment(written, time.time_ns())
    except InvalidInput as error:
        raise InvalidInput(f"{option} {error.message}", hint=error.hint) from error


def duration_s(option: str, written: str) -> int:
    """Seconds of a duration, see :func:`noria.serve.times.duration_s`. Raises ``InvalidInput``, which names ``option``."""
    try:
        return times.duration_s(written)
    except InvalidInput as error:
        raise InvalidInput(f"{option} {error.message}", hint=error.hint) from error
