"""Scores on their way to ``POST /api/scores``."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from noria.core.scores import GivenScore
from noria.sdk.outbox import Letter


def scores_letter() -> Letter:
    """The REST API's way."""
    return Letter(
        path="/api/scores", content_type="application/json", compress=False, encode=_encode, refused=lambda _: (0, "")
    )


def _encode(scores: Sequence[GivenScore]) -> bytes:
    return msgspec.json.encode(scores)
