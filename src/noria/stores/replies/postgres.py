"""Kept replies in PostgreSQL, asked from the event loop itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from noria.core.errors import NoriaError, Unavailable
from noria.stores.catalogue.database import parse_url
from noria.stores.replies.line import Line
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
    callers, however far away the database is.
    """

    def __init__(self, url: str) -> None:
        self._place = parse_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._line: Line | None = None
        self._connecting: asyncio.Future[Line] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._waiting: dict[str, asyncio.Future[bytes | None]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._rests_until = 0.0

    async def body(self, key: str) -> bytes | None:
        """See :class:`~noria.stores.replies.reading.Reading`."""
        self._check_rested()
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(), name="noria-replies-look-up")
        return await asyncio.shield(future)

    async def newer(self, about: str, since_ns: int, now_ns: int, most: int) -> Newer:
        """See :class:`~noria.stores.replies.reading.Reading`."""
        self._check_rested()
        values = [about.encode(), *(str(number).encode() for number in (since_ns, now_ns, most))]
        rows = await self._asked(b"newer", values)
        return [(key.decode(), vector, int.from_bytes(kept_ns, signed=True)) for key, vector, kept_ns in rows]

    async def close(self) -> None:
        """See :class:`~noria.stores.replies.reading.Reading`."""
        if self._asking is not None:
            await asyncio.wait({self._asking})
        if self._connecting is not None:
            await asyncio.wait({self._connecting})
            if self._connecting.exception() is None:
                self._connecting.result().close()
        self._let_go()

    def _check_rested(self) -> None:
        if asyncio.get_running_loop().time() < self._rests_until:
            raise Unavailable("Kept replies are not asked for: their database failed a moment ago.")

    async def _ask(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, {}
                try:
                    rows = await self._asked(b"bodies", [_array(asked)])
                except NoriaError as error:
                    for future in asked.values():
                        future.add_done_callback(_seen)  # whoever asked may have gone away
                        future.set_exception(Unavailable(error.message))
                    continue
                found = {key.decode(): body for key, body in rows}
                for key, future in asked.items():
                    future.set_result(found.get(key))
        finally:
            self._asking = None

    async def _asked(self, question: bytes, values: Sequence[bytes]) -> list[Any]:
        import psycopg  # noqa: PLC0415  # an extra, there where this is used

        async with self._one_at_a_time:
            answered = False
            try:
                async with asyncio.timeout(LONGEST_S):
                    if self._line is None:
                        self._line = await self._connected()
                    rows = await self._line.ask(question, values)
                answered = True
            except (psycopg.Error, OSError, TimeoutError) as error:
                self._rests_until = asyncio.get_running_loop().time() + PAUSE_S
                raise Unavailable(f"Kept replies can't be read: {type(error).__name__}.") from error
            finally:
                if not answered:  # the answer to this question would be taken for that to the next
                    self._let_go()
            return rows

    async def _connected(self) -> Line:
        """A new connection: the one that is being made, where a question before did not wait for it."""
        if self._connecting is None:
            self._connecting = asyncio.ensure_future(asyncio.to_thread(Line.connect, self._place, _QUESTIONS))
            self._connecting.add_done_callback(_seen)
        line = await asyncio.shield(self._connecting)
        self._connecting = None
        return line

    def _let_go(self) -> None:
        if self._connecting is not None and self._connecting.done():  # with an error: it would be everybody's
            self._connecting = None
        line, self._line = self._line, None
        if line is not None:
            line.close()


def _array(keys: Sequence[str] | dict[str, Any]) -> bytes:
    """Texts as PostgreSQL writes an array of them."""
    quoted = (key.replace("\\", "\\\\").replace('"', '\\"') for key in keys)
    return ("{" + ",".join(f'"{key}"' for key in quoted) + "}").encode()


def _seen(answer: asyncio.Future[Any]) -> None:
    """An answer that nobody waits for any more may be an error."""
    if not answer.cancelled():
        answer.exception()
