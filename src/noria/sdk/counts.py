"""What became of the records that an application made."""

from __future__ import annotations

from noria.core.struct import Noun


class Counts(Noun):
    """Records of one kind. At any moment ``made = sent + queued + dropped``, dropped being the sum over its reasons."""

    made: int = 0
    """Records that the application handed over."""
    sent: int = 0
    """Records that Noria acknowledged, which it does when they are durable."""
    queued: int = 0
    """Records that wait, or are on their way."""
    queued_bytes: int = 0
    """Memory that they take, about."""
    dropped: dict[str, int] = {}
    """Records that are lost, by reason: ``full`` (the queue was), ``refused`` (Noria did not want them), ``unreachable``
    (Noria did not take them in time), ``exit`` (the process ended first), ``broken`` (they could not be encoded)."""
    retries: int = 0
    """Requests that were sent again."""
    last_problem: str = ""
    """The latest reason why something could not be sent."""


class Stats(Noun):
    """What the SDK did in this process, since it started or was forked."""

    spans: Counts = Counts()
    """Spans."""
    scores: Counts = Counts()
    """Scores."""
