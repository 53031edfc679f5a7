"""What a table of kept replies holds, as far as it is in memory: every key, and the bodies that were asked for lately.

A look-up in a thread costs a millisecond of the CPU, and beside a busy event loop it waits for its turn many times longer.
Most look-ups need none of that: what is not there is known by its key, and what is asked for often is here.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable


class HeldReplies:
    """The keys of a table that nobody else writes, and some of its bodies, as they are stored.

    Arguments:
        most_bytes: of bodies; those that were not asked for the longest make room.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._keys: set[str] = set()
        self._bodies: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def __contains__(self, key: str) -> bool:
        """Whether the table has the key."""
        return key in self._keys

    def body(self, key: str) -> bytes | None:
        """The body under a key, where it is held."""
        with self._lock:
            body = self._bodies.get(key)
            if body is not None:
                self._bodies.move_to_end(key)
            return body

    def hold(self, key: str, body: bytes) -> None:
        """Hold a body that was read: unless its key was dropped meanwhile."""
        with self._lock:
            if key in self._keys:
                self._put(key, body)

    def add(self, key: str, body: bytes) -> None:
        """A body was written."""
        with self._lock:
            self._keys.add(key)
            self._put(key, body)

    def drop(self, keys: Iterable[str]) -> None:
        """Rows were deleted."""
        with self._lock:
            for key in keys:
                self._keys.discard(key)
                self._bytes -= len(self._bodies.pop(key, b""))

    def become(self, keys: Iterable[str]) -> None:
        """The table has these keys, and no others."""
        now = set(keys)
        with self._lock:
            self._keys = now
            for key in [key for key in self._bodies if key not in now]:
                self._bytes -= len(self._bodies.pop(key))

    def _put(self, key: str, body: bytes) -> None:
        self._bytes += len(body) - len(self._bodies.pop(key, b""))
        self._bodies[key] = body
        while self._bytes > self._most_bytes:
            self._bytes -= len(self._bodies.popitem(last=False)[1])
