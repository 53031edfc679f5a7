"""The audit log: written in the transaction of what it tells, read and checked here."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select

from noria.core.audit import GENESIS, AuditEntry, AuditReport, check_chain, entry_hash, entry_text
from noria.core.errors import InvalidInput
from noria.core.protocols import Clock
from noria.stores.catalogue.database import Database
from noria.stores.catalogue.names import check_text
from noria.stores.catalogue.records import decode
from noria.stores.catalogue.tables import audit_log

_HEX = frozenset("0123456789abcdef")
_SHORTEST = 16
"""Digits of a hash that are enough to know it by."""


class Audit:
    """``catalogue.audit``."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    def add(self, action: str, subject: str, *, by: str, **details: Any) -> AuditEntry:
        """Tell of something that is no change of the catalogue, such as a login. Details that are None are left out."""
        with self._database.write() as connection:
            return record(connection, self._now, action, subject, by=by, **details)

    def list(
        self,
        limit: int = 100,
        *,
        before: int | None = None,
        action: str | None = None,
        subject: str | None = None,
    ) -> builtins.list[AuditEntry]:
        """Entries, newest first.

        Arguments:
            limit: at most so many.
            before: only those with a smaller place, to go on with.
            action: only this action, or with a dot at its end all that begin so: ``release.``.
            subject: only what was done to this.
        """
        query = select(audit_log.c.body, audit_log.c.hash).order_by(audit_log.c.seq.desc()).limit(limit)
        if before is not None:
            query = query.where(audit_log.c.seq < before)
        if action is not None:
            named = audit_log.c.action.startswith(check_text("action", action), autoescape=True)
            query = query.where(named if action.endswith(".") else audit_log.c.action == action)
        if subject is not None:
            query = query.where(audit_log.c.subject == check_text("subject", subject))
        with self._database.read() as connection:
            return [_entry(row.body, row.hash) for row in connection.execute(query)]

    def verify(self, head: str | None = None) -> AuditReport:
        """Check the whole chain.

        Arguments:
            head: a hash that was written down earlier, or the first sixteen digits of it or more; the log must hold it.

        Raises:
            InvalidInput: ``head`` is no hash.
        """
        if head is not None and not (_SHORTEST <= len(head) <= len(GENESIS) and set(head) <= _HEX):
            raise InvalidInput(f"{head!r} is no hash: {_SHORTEST} to {len(GENESIS)} hex digits in lower case.")
        with self._database.read() as connection:
            return check_chain(rows(connection), head)


def record(connection: Connection, now: Clock, action: str, subject: str, *, by: str, **details: Any) -> AuditEntry:
    """Append an entry in the transaction of what it tells, so that neither can be without the other.

    The transaction must be a writing one: only one runs at a time, so none can come between.
    """
    newest = select(audit_log.c.seq, audit_log.c.hash).order_by(audit_log.c.seq.desc()).limit(1)
    last = connection.execute(newest).first()
    entry = AuditEntry(
        seq=last.seq + 1 if last else 1,
        time_ns=now(),
        actor=by,
        action=action,
        subject=check_text("subject", subject),
        details={name: value for name, value in details.items() if value not in (None, "", (), [], {})},
        previous=last.hash if last else GENESIS,
    )
    text = entry_text(entry)
    entry = msgspec.structs.replace(entry, hash=entry_hash(text))
    values = {"seq": entry.seq, "action": action, "subject": subject, "body": text.decode(), "hash": entry.hash}
    connection.execute(insert(audit_log).values(values))
    return entry


def rows(connection: Connection) -> Iterator[tuple[int, bytes, str]]:
    """The log as it is stored, in order: place, text and hash."""
    query = select(audit_log.c.seq, audit_log.c.body, audit_log.c.hash).order_by(audit_log.c.seq)
    for row in connection.execute(query.execution_options(yield_per=1000)):
        yield row.seq, row.body.encode(), row.hash


def _entry(body: str, hash: str) -> AuditEntry:
    return msgspec.structs.replace(decode(body, AuditEntry), hash=hash)
