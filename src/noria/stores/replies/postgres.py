"""Kept replies in PostgreSQL, asked from the event loop itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from noria.core.errors import Unavailable
from noria.stores.catalogue.database import parse_url
from noria.stores.replies.line import Line, Row, Told
from noria.stores.replies.reading import Newer
from noria.stores.replies.table import TABLE

LONGEST_S = 1.0
"""A call waits no longer for a question; then the model is asked."""
PAUSE_S = 2.0
"""After a question that failed nobody asks for so long, and no call waits."""
_QUESTIONS = {
    b"bodies": f"SELECT key, body FROM {TABLE} WHERE key = ANY($1::text[])".encode(),  # noqa: S608  # a constant
    b"newer": (
        f"SELECT key, vector, kept_ns FROM {TABLE} WHERE about = $1 AND kept_ns >= $2 AND ends_ns > $3"  # noqa: S608
        " ORDER BY kept_ns DESC LIMIT $4::bigint"
    ).encode(),
}


class PostgresReading:
    """A :class:`~noria.stores.replies.reading.Reading` for one event loop.

    Look-ups that come while a question is under way are asked together in the next, so that they are no line of waiting
    callers, however far away the database is. Nothing here is a task: on a busy event loop each would wait for its turn.
    """

    def __init__(self, url: str) -> None:
        self._place = parse_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._line: Line | None = None
        self._connecting: asyncio.Future[Line] | None = None
        self._bodies: dict[str, list[asyncio.Future[bytes | None]]] = {}
        self._others: list[tuple[list[bytes], asyncio.Future[list[Row]]]] = []
        self._under_way: list[asyncio.Future[Any]] = []
        self._limit: asyncio.TimerHandle | None = None
        self._rests_until = 0.0
        self._closed = False

    async def body(self, key: str) -> bytes | None:
        """See :class:`~noria.stores.replies.reading.Reading`."""
        self._check_rested()
        future: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._bodies.setdefault(key, []).append(future)
        self._go_on()
        return await future

    async def newer(self, about: str, since_ns: int, now_ns: int, most: int) -> Newer:
        """See :class:`~noria.stores.replies.reading.Reading`."""
        self._check_rested()
        future: asyncio.Future[list[Row]] = asyncio.get_running_loop().create_future()
        numbers = (since_ns, now_ns, most)
        self._others.append(([about.encode(), *(str(number).encode() for number in numbers)], future))
        self._go_on()
        rows: list[Any] = await future
        return [(key.decode(), vector, int.from_bytes(kept_ns, signed=True)) for key, vector, kept_ns in rows]

    async def close(self) -> None:
        """See :class:`~noria.stores.replies.reading.Reading`."""
        self._closed = True
        self._fail("they are closed")
        if self._connecting is not None:
            await asyncio.wait({self._connecting})

    def _check_rested(self) -> None:
        if asyncio.get_running_loop().time() < self._rests_until:
            raise Unavailable("Kept replies are not asked for: their database failed a moment ago.")

    def _go_on(self) -> None:
        """Ask what waits, unless something is under way."""
        if self._under_way or not (self._bodies or self._others):
            return
        if self._limit is None:
            self._limit = asyncio.get_running_loop().call_later(LONGEST_S, self._fail, "their database does not answer")
        if self._line is None:
            self._connect()
            return
        told: Told
        if self._bodies:
            asked, self._bodies = self._bodies, {}
            self._under_way = [future for futures in asked.values() for future in futures]
            question, values, told = b"bodies", [_array(asked)], partial(self._tell_bodies, asked)
        else:
            values, future = self._others.pop(0)
            self._under_way = [future]
            question, told = b"newer", partial(self._tell, future)
        try:
            self._line.ask(question, values, told)
        except Exception as error:  # noqa: BLE001  # libpq's; handed on to those who asked
            self._fail(type(error).__name__)

    def _tell_bodies(self, asked: Mapping[str, list[asyncio.Future[bytes | None]]], rows: Any) -> None:
        if isinstance(rows, Exception):
            self._fail(type(rows).__name__)
            return
        found = {key.decode(): body for key, body in rows}
        for key, futures in asked.items():
            for future in futures:
                if not future.done():  # whoever asked may have gone away
                    future.set_result(found.get(key))
        self._told()

    def _tell(self, future: asyncio.Future[list[Row]], rows: list[Row] | Exception) -> None:
        if isinstance(rows, Exception):
            self._fail(type(rows).__name__)
            return
        if not future.done():
            future.set_result(rows)
        self._told()

    def _told(self) -> None:
        self._under_way = []
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        self._go_on()

    def _fail(self, why: str) -> None:
        """Give up what is asked and what waits, with the connection: a late answer would be taken for that to the next question."""
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        self._rests_until = asyncio.get_running_loop().time() + PAUSE_S
        waiting = [*self._under_way, *(future for futures in self._bodies.values() for future in futures)]
        waiting += [future for _, future in self._others]
        self._under_way, self._bodies, self._others = [], {}, []
        line, self._line = self._line, None
        if line is not None:
            line.close()
        for future in waiting:
            if not future.done():
                future.set_exception(Unavailable(f"Kept replies can't be read: {why}."))

    def _connect(self) -> None:
        """Connect in a thread. What is given up meanwhile finds the connection at the next look-up."""
        if self._connecting is None:
            self._connecting = asyncio.ensure_future(asyncio.to_thread(Line.connect, self._place, _QUESTIONS))
            self._connecting.add_done_callback(self._connected)

    def _connected(self, connecting: asyncio.Future[Line]) -> None:
        self._connecting = None
        if connecting.cancelled():
            return
        error = connecting.exception()
        if error is not None:
            self._fail(type(error).__name__)
        elif self._closed:
            connecting.result().close()
        else:
            self._line = connecting.result()
            self._go_on()


def _array(keys: Iterable[str]) -> bytes:
    """Texts as PostgreSQL writes an array of them."""
    quoted = (key.replace("\\", "\\\\").replace('"', '\\"') for key in keys)
    return ("{" + ",".join(f'"{key}"' for key in quoted) + "}").encode()
