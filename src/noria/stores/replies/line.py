"""A connection to PostgreSQL on the event loop, through libpq's own non-blocking calls.

psycopg's ``AsyncConnection`` goes round the event loop many times for one question, and on a busy loop each round is
waited for. Here it is two: the answer is seen, and whoever asked goes on (https://www.postgresql.org/docs/current/libpq-async.html).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.pq.abc import PGresult

Row = list[bytes | None]
"""One row's values."""
Told = Callable[[list[Row] | Exception], None]
"""Takes an answer."""
_CONNECT_S = 5
"""Longest wait for a connection, seconds."""


class Line:
    """One connection, on which one question is under way at a time; to give a question up is to close it."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self._libpq = connection.pgconn
        self._told: Told | None = None
        self._results: list[PGresult] = []
        self._socket = -1
        self._reading: asyncio.AbstractEventLoop | None = None

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

    def ask(self, name: bytes, values: Sequence[bytes], told: Told) -> None:
        """Ask, and have the answer told. Raises ``psycopg.Error``.

        Arguments:
            name: the question's.
            values: what it is asked with, as text.
            told: given the rows, each value as PostgreSQL's binary format has it, or why there are none; at most once.
        """
        # It may wait for the socket to take it, but a question is shorter than any socket's buffer.
        self._libpq.send_query_prepared(name, values, result_format=1)
        self._told, self._results = told, []
        if not self._reading:
            self._socket, self._reading = self._libpq.socket, asyncio.get_running_loop()
            self._reading.add_reader(self._socket, self._read)

    def close(self) -> None:
        """End it. What is under way is told nothing."""
        self._read_no_more()
        self._told = None
        self._connection.close()

    def _read_no_more(self) -> None:
        if self._reading:
            self._reading.remove_reader(self._socket)
            self._reading = None

    def _read(self) -> None:
        found: list[Row] | Exception
        try:
            self._libpq.consume_input()
            while not self._libpq.is_busy():
                result = self._libpq.get_result()
                if result is None:
                    break
                self._results.append(result)
            else:
                return
            found = [row for result in self._results for row in _rows(result)]
        except Exception as error:  # noqa: BLE001  # handed on, whatever it is, to the one who asked
            found = error
            self._read_no_more()  # a socket that is at its end stays readable
        told, self._told = self._told, None
        if told is not None:
            told(found)


def _rows(result: PGresult) -> list[Row]:
    _check(result)
    return [[result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples)]


def _check(result: PGresult) -> None:
    import psycopg  # noqa: PLC0415  # see above

    if result.status not in (psycopg.pq.ExecStatus.TUPLES_OK, psycopg.pq.ExecStatus.COMMAND_OK):
        raise psycopg.OperationalError(result.error_message.decode(errors="replace"))
