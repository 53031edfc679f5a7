"""What a generator yielded, put together: texts joined, anything else listed, up to a bound."""

from __future__ import annotations

from typing import Any

_MOST_ITEMS = 1000
_MOST_CHARACTERS = 4 << 20


class Pieces:
    """Collects while a generator runs. What comes after the bound is not kept: a stream may have no end."""

    __slots__ = ("_items", "_size")

    def __init__(self) -> None:
        self._items: list[Any] = []
        self._size = 0

    def add(self, item: Any) -> None:
        """One more."""
        if len(self._items) < _MOST_ITEMS or (isinstance(item, str) and self._size < _MOST_CHARACTERS):
            self._items.append(item)
            self._size += len(item) if isinstance(item, str) else 0

    def whole(self) -> Any:
        """All of it: one text, or a list; None when nothing came."""
        if not self._items:
            return None
        if all(isinstance(item, str) for item in self._items):
            return "".join(self._items)
        return self._items
