"""What was wrong with what came in: counted by reason, and the latest of each kept to be looked at.

Contents never get here: a problem names the sender, the span and one attribute's name.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Literal

from noria.core.struct import Noun

Severity = Literal["refused", "repaired", "noted"]

REASONS: dict[str, tuple[Severity, str]] = {
    "no_trace_id": ("refused", "The trace id is missing, all zeros, or not 16 bytes."),
    "no_span_id": ("refused", "The span id is missing, all zeros, or not 8 bytes."),
    "no_time": ("refused", "It has neither a start nor an end."),
    "time_out_of_range": ("refused", "Its time is before 2000 or after 2100."),
    "in_the_future": ("refused", "It begins more than a day from now."),
    "ends_before_start": ("refused", "It ends more than a day before it begins."),
    "too_large": ("refused", "Even without its large contents it is larger than a record may be."),
    "not_an_event": ("refused", "The log record is no GenAI event, and Noria keeps no other logs."),
    "no_span_named": ("refused", "The log record names no span."),
    "not_storable": ("refused", "The store has no form for one of its values."),
    "bad_body": ("refused", "The request could not be decoded; nothing of it was kept."),
    "end_repaired": ("repaired", "It ended before it began, or never: its end was set to its start."),
    "start_repaired": ("repaired", "It had no start: it was set to its end."),
    "parent_repaired": ("repaired", "Its parent's id is none, or its own: it was made a root."),
    "not_understood": ("repaired", "Noria failed to read its attributes, which is a defect: they are kept as sent."),
    "attributes_cut": ("repaired", "It has too many attributes or events; those over the limit were left out."),
    "key_cut": ("repaired", "An attribute's name is too long and was cut."),
    "value_replaced": ("repaired", "A value that JSON has no form for, or that is nested too deeply, became text."),
    "not_a_score": ("noted", "An evaluation has no name, or neither a value nor a label; it stays an event."),
    "clock_ahead": ("noted", "It begins more than ten minutes from now: the sender's clock is wrong."),
    "old": ("noted", "It began more than a day ago: it is late, or the sender's clock is wrong."),
}
"""Reason -> what happened to the record, and in words why."""
KEPT = 500
"""Latest problems that are kept."""


class Problem(Noun):
    """Something that was wrong with a record from elsewhere."""

    time_ns: int
    """When it came in, nanoseconds since 1970 UTC."""
    reason: str
    """Stable name of what was wrong."""
    severity: Severity
    """``refused``: the record was not kept. ``repaired``: kept, with a change. ``noted``: kept as it is."""
    message: str
    """In words."""
    service: str = ""
    """Who sent it: ``service.name``."""
    trace_id: str = ""
    """Of the record, as far as it has one."""
    span_id: str = ""
    """Of the record, as far as it has one."""
    key: str = ""
    """Name of the attribute that it is about, cut to 100 characters."""


class Problems:
    """Counts for good, and the latest problems."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = dict.fromkeys(REASONS, 0)
        """Reason -> how often since the start."""
        self._latest: deque[Problem] = deque(maxlen=KEPT)

    def add(self, notes: Notes) -> None:
        """Count what was noted, and keep some of it for a while."""
        for reason, count in notes.counts.items():
            self.counts[reason] += count
        self._latest.extend(notes.problems)

    def latest(self) -> list[Problem]:
        """Newest first."""
        return list(reversed(self._latest))

    def numbers(self) -> Mapping[str, float]:
        """For ``/metrics``."""
        return {f"noria_intake_{REASONS[name][0]}_{name}_total": count for name, count in self.counts.items()}


class Notes:
    """Collects what is wrong while one request is read; any thread may hold it.

    Arguments:
        now_ns: when the request came.
    """

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns
        """When the request came."""
        self.problems: list[Problem] = []
        """The first of them, in order: a request of nothing else must not fill the memory."""
        self.counts: dict[str, int] = {}
        """Reason -> how often, in all."""
        self.service = ""
        """Whose records are being read."""

    def note(self, reason: str, *, trace_id: str = "", span_id: str = "", key: str = "") -> None:
        """Keep a problem."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        if len(self.problems) >= KEPT:
            return
        severity, message = REASONS[reason]
        self.problems.append(
            Problem(
                time_ns=self.now_ns,
                reason=reason,
                severity=severity,
                message=message,
                service=self.service[:200],
                trace_id=trace_id[:64],
                span_id=span_id[:32],
                key=key[:100],
            )
        )

    @property
    def refused(self) -> dict[str, int]:
        """Reason -> records refused for it."""
        return {reason: count for reason, count in self.counts.items() if REASONS[reason][0] == "refused"}
