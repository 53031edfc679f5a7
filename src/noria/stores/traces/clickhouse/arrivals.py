"""The order in which spans came, where several processes write and none of them counts.

Each insert is stamped before it is made and shown after it, so of two inserts the one with the earlier stamp may be
shown later. A reader that only remembered the last stamp would miss it. What bounds this is the *window*: an insert
that took longer than half of it is made again with a new stamp (``inserts``), and a replica that is further behind is
not asked. So everything stamped before now minus the window is there, and nothing will slip in behind it. A cursor
holds that stamp and, for the seconds since, which inserts were read already; a reader gets new spans at once and none
twice.

Where very many inserts fall into the window, reading waits for it to pass instead of letting the cursor grow.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput
from noria.stores.traces.clickhouse.tables import DAY_NS

MOST_AHEAD = 128
"""Inserts that a cursor remembers."""


class Ahead(NamedTuple):
    """An insert that is younger than the window: one batch of one day, which ClickHouse shows whole or not at all."""

    batch: int
    day: int
    arrived: int
    """Up to which of its stamps it was read."""


class Cursor(NamedTuple):
    """Where a reader is."""

    settled: int = -1
    """Everything stamped up to here was read."""
    ahead: tuple[Ahead, ...] = ()
    """And these beyond it."""

    @property
    def condition(self) -> str:
        """What was not read yet; for after ``FINAL``, so that no older copy appears in place of a copy that was."""
        made = [
            f"NOT (batch = {item.batch} AND intDiv(start_ns, {DAY_NS}) = {item.day} AND arrived <= {item.arrived})"
            for item in self.ahead
        ]
        return " AND ".join(["1", *made])

    def encode(self) -> str:
        """As a text."""
        return base64.urlsafe_b64encode(msgspec.msgpack.encode(self)).decode().rstrip("=")


def cursor(text: str | None) -> Cursor:
    """Understand a cursor. Raises ``InvalidInput``."""
    if text is None:
        return Cursor()
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.msgpack.decode(packed, type=Cursor)
    except (*UNREADABLE, ValueError):
        raise InvalidInput("The cursor is none of this store.", hint="Begin again without one.") from None


def statement(columns: Sequence[str], at: Cursor, limit: int) -> str:
    """The next spans, oldest stamp first; then their start, batch and stamp."""
    # Before FINAL only the stamp is looked at: a copy that is left out by it is older than any that replaces it.
    wanted = ", ".join([*columns, "start_ns", "batch", "arrived"])
    return (
        f"SELECT {wanted} FROM spans FINAL PREWHERE arrived > {at.settled} WHERE {at.condition}"  # noqa: S608 - numbers
        f" ORDER BY arrived LIMIT {limit}"
    )


def inserts_since(horizon: int) -> str:
    """What there is beyond the horizon, as :class:`Ahead` remembers it."""
    day = f"intDiv(start_ns, {DAY_NS})"
    return f"SELECT batch, {day} AS day, max(arrived) FROM spans WHERE arrived > {horizon} GROUP BY batch, day"  # noqa: S608


def moved(at: Cursor, found: Sequence[tuple[Any, ...]], horizon: int, *, ended: bool) -> tuple[Cursor, int]:
    """The cursor behind the rows ``found``, and how many of them it can be behind.

    Arguments:
        at: the cursor that they were read from.
        found: rows of :func:`statement`.
        horizon: stamp of now minus the window, taken before they were read.
        ended: there were no more.
    """
    settled, ahead, count = at.settled, {(item.batch, item.day): item.arrived for item in at.ahead}, 0
    for *_, start_ns, batch, arrived in found:
        key = (batch, start_ns // DAY_NS)
        if arrived <= horizon:
            settled = arrived
        elif key in ahead or len(ahead) < MOST_AHEAD:
            ahead[key] = arrived
        else:
            break
        count += 1
    if ended or (count and found[count - 1][-1] > horizon):
        settled = max(settled, horizon)
    kept = (Ahead(batch, day, arrived) for (batch, day), arrived in ahead.items() if arrived > settled)
    return Cursor(settled, tuple(kept)), count
