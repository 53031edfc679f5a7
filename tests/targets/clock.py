"""Time and ids that the tests hold."""

from __future__ import annotations

from itertools import count

SECOND = 1_000_000_000


class Ticking:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now_ns = 1_700_000_000 * SECOND

    def __call__(self) -> int:
        return self.now_ns

    def tick(self, seconds: float) -> None:
        self.now_ns += round(seconds * SECOND)


class Numbered:
    """Ids that count."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def __call__(self) -> tuple[str, str]:
        number = next(self._numbers)
        return f"{number:032x}", f"{number:016x}"
