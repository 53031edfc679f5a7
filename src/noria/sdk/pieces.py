"""What a generator yielded, put together: texts joined, anything else listed, up to a bound."""

from __future__ import annotations

import time
from typing import Any

from noria.sdk.values import builtins_of

_MOST_ITEMS = 10_000
_MOST_CHARACTERS = 4 << 20


class Pieces:
    """Collects while a generator runs. What comes after the bound is not kept: a stream may have no end.

    Items are copied as plain values, because the consumer may change them, or let go of large ones.

    Arguments:
        wanted: whether contents are recorded; if not, only the time of the first is.
    """

    __slots__ = ("_began", "_items", "_texts", "_wanted", "first_s")

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted
        self._began = time.perf_counter()
        self._items: list[Any] = []
        self._texts = 0
        self.first_s: float | None = None
        """Seconds until the first item; None before."""

    def add(self, item: Any) -> None:
        """One more."""
        if self.first_s is None:
            self.first_s = time.perf_counter() - self._began
        if not self._wanted or len(self._items) >= _MOST_ITEMS or self._texts >= _MOST_CHARACTERS:
            return
        if isinstance(item, str):
            self._texts += len(item)
            self._items.append(item)
        else:
            self._items.append(builtins_of(item))

    def whole(self) -> Any:
        """All of it: one text, or a list; None when nothing came."""
        if not self._items:
            return None
        if all(isinstance(item, str) for item in self._items):
            return "".join(self._items)
        return self._items
