"""Values in statements: of a text only letters and digits reach the statement as they are, or else as hex digits.

Bound parameters would travel in the URL of ClickHouse's HTTP interface, which is too short for a list of ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_PLAIN = re.compile(r"[0-9A-Za-z_]*")


def text(value: str) -> str:
    """A string."""
    return f"'{value}'" if _PLAIN.fullmatch(value) else f"unhex('{value.encode().hex()}')"


def number(value: float) -> str:
    """A number; booleans are 1 and 0."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, int):
        return str(value) if value >= 0 else f"({value})"
    return f"toFloat64('{value!r}')"


def scalar(value: str | float) -> str:
    """A string or a number."""
    return text(value) if isinstance(value, str) else number(value)


def rows(found: Iterable[tuple[str | float, ...]]) -> str:
    """Tuples, for ``IN``."""
    return "(" + ", ".join(f"({', '.join(map(scalar, row))})" for row in found) + ")"
