"""How a table of kept replies is looked up: without a thread, for beside a busy event loop a thread waits long for its turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

Newer = Sequence[tuple[str, bytes | None, int]]
"""Questions: key, vector, when kept. The newest come first."""


class Reading(Protocol):
    """Asks the table, each time anew: another process may have kept a reply there, or forgotten it.

    Whatever it raises is a ``NoriaError``.
    """

    async def body(self, key: str) -> bytes | None:
        """The reply under a key, as it is stored."""
        ...

    async def newer(self, about: str, since_ns: int, now_ns: int, most: int) -> Newer:
        """At most so many of the newest questions with the same everything else, kept since then and not too old."""
        ...

    async def close(self) -> None:
        """Close what it opened."""
        ...
