"""The tables of a new SQLite file, made as ``tables.py`` tells them.

The migrations come to the same, but need Alembic, whose import takes a third of a command's start in a new folder. A test
holds both equal. PostgreSQL is set up once and for long, so there the migrations always run.
"""

from __future__ import annotations

import functools
from typing import Any

from sqlalchemy import Connection, create_mock_engine
from sqlalchemy.dialects import sqlite

from noria.stores.catalogue.tables import metadata

_APPEND_ONLY = (
    """
    CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END
    """,
    """
    CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END
    """,
    # Also what INSERT OR REPLACE would do, which SQLite does not count as a deletion.
    """
    CREATE TRIGGER audit_log_in_order BEFORE INSERT ON audit_log
    WHEN NEW.seq <> 1 + coalesce((SELECT max(seq) FROM audit_log), 0)
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END
    """,
)
_VERSION = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL,"
    " CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
)


def make(connection: Connection, revision: str) -> None:
    """Make all tables in the transaction of ``connection``, as of ``revision``, which must be the newest."""
    for statement in (*_tables(), *_APPEND_ONLY, _VERSION):
        connection.exec_driver_sql(statement)
    connection.exec_driver_sql("INSERT INTO alembic_version VALUES (?)", (revision,))


@functools.cache
def _tables() -> tuple[str, ...]:
    """The statements that make the tables; to compile them takes as long as to run them."""
    made: list[str] = []

    def note(statement: Any, *_: Any) -> None:
        made.append(str(statement.compile(dialect=sqlite.dialect())))

    metadata.create_all(create_mock_engine("sqlite://", note), checkfirst=False)
    return tuple(made)
