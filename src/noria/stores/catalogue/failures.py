"""What the databases' errors mean to a user; the one place where SQLAlchemy's exceptions are known."""

from __future__ import annotations

import sqlite3

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from noria.core.errors import Conflict, InvalidInput, NoriaError, StorageFull, Unavailable

_SQLITE_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY})
_SQLITE_UNUSABLE = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PERM})
_POSTGRES_FULL = frozenset({"53100", "25006"})
"""``disk_full`` and ``read_only_sql_transaction`` (PostgreSQL manual, appendix A)."""
_POSTGRES_UNUSABLE = frozenset({"42501", "3D000", "28P01", "28000"})
"""No privilege, no such database, wrong password, wrong user."""


def translated(error: SQLAlchemyError, place: str) -> NoriaError:
    """Noria's error for SQLAlchemy's.

    Arguments:
        error: what was caught.
        place: the database, without its password.
    """
    if not isinstance(error, DBAPIError):
        return Unavailable(f"The catalogue at {place} has no connection free: {error}.", hint="Try again.")
    reason = _reason(error)
    full, unusable = _kind(error.orig)
    if full:
        return StorageFull(
            f"Nothing more can be written to the catalogue at {place}: {reason}.",
            kept="Everything committed before is kept, and nothing of this change.",
            hint="Free some space, or make the place writable.",
        )
    if unusable:
        return InvalidInput(f"The catalogue at {place} can't be used: {reason}.", hint="Check its URL.")
    if isinstance(error, IntegrityError):
        return Conflict(f"The catalogue at {place} refused a contradiction: {reason}.", kept="Nothing was changed.")
    if isinstance(error, DataError):
        return InvalidInput(f"The catalogue at {place} can't hold a value: {reason}.", kept="Nothing was changed.")
    return Unavailable(
        f"The catalogue at {place} does not answer: {reason}.", kept="Nothing was changed.", hint="Try again."
    )


def _reason(error: DBAPIError) -> str:
    """The driver's own words, first line, without SQLAlchemy's background links and the statement's values."""
    lines = str(error.orig).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error.orig).__name__


def _kind(cause: BaseException | None) -> tuple[bool, bool]:
    """Whether a driver's error says that the disk is full, and that the place is no good."""
    if isinstance(cause, sqlite3.Error):
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the rest of an extended code is detail
        return code in _SQLITE_FULL, code in _SQLITE_UNUSABLE
    state = getattr(cause, "sqlstate", None)
    return state in _POSTGRES_FULL, state in _POSTGRES_UNUSABLE
