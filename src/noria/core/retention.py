"""Retention: how long records of an app are kept, by kind of content."""

from __future__ import annotations

from noria.core.struct import Noun

EVERY_APP = "*"
"""In place of an app's name: all spans whose app has no rule of its own."""


class RetentionRule(Noun, forbid_unknown_fields=True):
    """How long spans of one app are kept. What has no rule is kept for good."""

    app: str
    """App, or for records from elsewhere the service, as spans name it; ``*`` for all that have no rule of their own."""
    texts_days: int | None = None
    """Days after which messages, documents, variables and other texts are deleted and numbers stay; None: with the span."""
    spans_days: int | None = None
    """Days after which the span itself and all scores on it are deleted; None: never."""
    experiments: bool = False
    """Whether spans of experiments are meant too. They are the evidence of a decision, so by default they stay."""


class Trimmed(Noun):
    """What one rule did, or in a dry run would do."""

    rule: RetentionRule
    """The rule."""
    stripped: int
    """Spans whose texts were deleted; in a dry run all spans of that age."""
    deleted: int
    """Spans that were deleted, with the scores on them."""


class Tidied(Noun):
    """What a run of all rules did, or in a dry run would do."""

    rules: tuple[Trimmed, ...] = ()
    """By rule."""
    blobs: int = 0
    """Blobs deleted because no record mentions them any more; unknown, so 0, in a dry run."""
    blob_bytes: int = 0
    """Their size."""
