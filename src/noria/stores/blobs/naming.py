"""What blobs are called, and where they lie."""

from __future__ import annotations

import re
from pathlib import Path

from noria.core.errors import InvalidInput, UnknownName

DIGEST = re.compile(r"[0-9a-f]{64}")
"""A blob's name."""


def place_of(sha256: str) -> str:
    """Where a blob lies, below the root. Raises ``InvalidInput`` for a digest that is none, which never becomes a path."""
    if not DIGEST.fullmatch(sha256):
        raise InvalidInput(f"{sha256!r} is not a SHA-256: 64 hex digits in lower case.")
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def missing(sha256: str, place: str | Path) -> UnknownName:
    """What is raised where there is none of that name."""
    return UnknownName(f"There is no blob {sha256} in {place}.")
