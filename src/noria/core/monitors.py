"""Monitors: a scorer on live traffic."""

from __future__ import annotations

from noria.core.scores import ScorerSpec
from noria.core.struct import Noun


class Monitor(Noun):
    """A scorer attached to an app's calls."""

    name: str
    """Unique name; its scores carry it."""
    app: str
    """App whose calls are scored."""
    scorer: ScorerSpec
    """The judgement. One that needs a reference is refused here, not when it is called."""
    rate: float = 1.0
    """Part of the calls that is scored, 0 to 1, chosen by a hash of the trace id."""
    created_ns: int = 0
    """When it was attached, nanoseconds since 1970 UTC."""
    created_by: str = ""
    """Who attached it."""


class MonitorFailures(Noun):
    """Judgements of one monitor that failed since the server started: scores that are missing, not bad ones."""

    name: str
    """The monitor."""
    count: int
    """How many."""
    code: str
    """The last one's error code, or the name of the exception of a scorer from elsewhere."""
    time_ns: int
    """When that was, nanoseconds since 1970 UTC."""
