"""A connection to PostgreSQL on the event loop, through libpq's own non-blocking calls.

psycopg's ``AsyncConnection`` goes round the event loop some eighteen times for one question, and on a busy loop each round is
waited for. Here it is two: the answer is seen, and whoever asked goes on (https://www.postgresql.org/docs/current/libpq-async.html).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.pq.abc import PGresult

_CONNECT_S = 5
"""Longest wait for a connection, seconds."""


class Line:
    """One connection, on which one question is under way at a time; a question that was given up ends it."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._libpq = connection.pgconn

    @classmethod
    def connect(cls, place: str, questions: Mapping[bytes, bytes]) -> Self:
        """Connect, and prepare the questions by their names: for a thread. Raises ``psycopg.Error``."""
        import psycopg  # noqa: PLC0415  # an extra, there where this is used

        connection = psycopg.connect(place, autocommit=True, connect_timeout=_CONNECT_S)
        try:
            for name, question in questions.items():
                _check(connection.pgconn.prepare(name, question))
        except psycopg.Error:
            connection.close()
            raise
        return cls(connection)

    async def ask(self, name: bytes, values: Sequence[bytes]) -> list[list[bytes | None]]:
        """The rows, each value as PostgreSQL's binary format has it. Raises ``psycopg.Error``.

        Arguments:
            name: the question's.
            values: what it is asked with, as text.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[PGresult | None] = loop.create_future()
        results: list[PGresult] = []

        def read() -> None:
            try:
                self._libpq.consume_input()
                while not self._libpq.is_busy():
                    result = self._libpq.get_result()
                    if result is None:
                        if not answer.done():
                            answer.set_result(None)
                        return
                    results.append(result)
            except Exception as error:  # noqa: BLE001  # handed on, whatever it is, to the one who asked
                if not answer.done():
                    answer.set_exception(error)

        # It may wait for the socket to take it, but a question is shorter than any socket's buffer.
        self._libpq.send_query_prepared(name, values, result_format=1)
        socket = self._libpq.socket
        loop.add_reader(socket, read)
        try:
            await answer
        finally:
            loop.remove_reader(socket)
        for result in results:
            _check(result)
        return [
            [result.get_value(row, column) for column in range(result.nfields)]
            for result in results
            for row in range(result.ntuples)
        ]

    def close(self) -> None:
        """End it."""
        self._connection.close()


def _check(result: PGresult) -> None:
    import psycopg  # noqa: PLC0415  # see above

    if result.status not in (psycopg.pq.ExecStatus.TUPLES_OK, psycopg.pq.ExecStatus.COMMAND_OK):
        raise psycopg.OperationalError(result.error_message.decode(errors="replace"))
