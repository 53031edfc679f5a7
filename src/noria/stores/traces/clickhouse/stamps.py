"""When records came, as numbers that rise: microseconds of ClickHouse's clock, and which process stamped them.

All processes follow the clock of the server that they talk to, however wrong their own is.
"""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

STEP = 1024
"""Between two stamps of one process; the stamps between belong to other processes, which draw theirs when they start."""
SECOND = 1_000_000 * STEP
_KEEP_TIME_S = 300.0


class Stamps:
    """Gives stamps. Safe to call from several threads."""

    def __init__(self, client: Client) -> None:
        self._mine = secrets.randbelow(STEP)
        self._last = 0
        self._lock = threading.Lock()
        self._offset_ns = 0
        self._asked = 0.0
        self._ask(client)

    def keep_time(self, client: Client) -> None:
        """Ask the server for the time again, every few minutes."""
        if time.monotonic() - self._asked > _KEEP_TIME_S:
            self._ask(client)

    def now(self) -> int:
        """The stamp of this moment, without taking it."""
        return (time.monotonic_ns() + self._offset_ns) // 1000 * STEP

    def take(self, count: int) -> int:
        """The first of ``count`` stamps, ``STEP`` apart, which nobody else gets."""
        with self._lock:
            first = max(self.now() + self._mine, self._last + STEP)
            self._last = first + (count - 1) * STEP
        return first

    def _ask(self, client: Client) -> None:
        before = time.monotonic_ns()
        [[server_ns]] = client.query("SELECT toUnixTimestamp64Nano(now64(9))").result_rows
        self._asked = time.monotonic()
        self._offset_ns = server_ns - (before + time.monotonic_ns()) // 2
