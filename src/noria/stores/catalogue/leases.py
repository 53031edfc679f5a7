"""What only one of several processes may do at a time, on PostgreSQL by an advisory lock that dies with its connection.

SQLite's catalogue belongs to the one process that holds the data folder, so there a lease is always to be had.
"""

from __future__ import annotations

import contextlib
import hashlib

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from noria.stores.catalogue.database import Database


class Lease:
    """Something that this process alone does now. ``release`` ends it, and so does the end of the process."""

    def __init__(self, connection: Connection | None) -> None:
        self._connection = connection

    @property
    def held(self) -> bool:
        """Whether it is still this process's: a database that was restarted has forgotten it."""
        if self._connection is None:
            return True
        try:
            self._connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            return False
        return True

    def release(self) -> None:
        """Let others have it. A second call does nothing."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            # Closed, not given back: what is pooled would keep the lock.
            with contextlib.suppress(SQLAlchemyError):
                connection.invalidate()
                connection.close()


class Leases:
    """``catalogue.leases``. Synchronous, and safe to call from several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._taken: set[Lease] = set()

    def close(self) -> None:
        """Let go of all."""
        for lease in list(self._taken):
            lease.release()

    def take(self, name: str) -> Lease | None:
        """The lease of ``name``, or None while another process has it. It does not wait.

        Each lease keeps a connection to PostgreSQL, so they are for work of minutes, not for each call.

        Raises:
            Unavailable: the database does not answer.
        """
        if not self._database.shared:
            return Lease(None)
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        connection = self._database.lasting()
        try:
            with self._database.errors():
                if connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": key}).scalar():
                    lease = Lease(connection)
                    self._taken.add(lease)
                    return lease
        except BaseException:
            connection.close()
            raise
        connection.close()
        return None
