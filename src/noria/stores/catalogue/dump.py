"""The whole catalogue as JSON lines, table by table, and back: the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, MetaData, Table, func, insert, inspect, select, text

from noria.core.audit import check_chain
from noria.core.decoding import UNREADABLE
from noria.core.errors import Conflict, InvalidInput
from noria.core.protocols import Clock
from noria.stores.catalogue.audit import record, rows
from noria.stores.catalogue.database import Database
from noria.stores.catalogue.schema import HEAD, bring_to
from noria.stores.catalogue.tables import metadata

_AT_ONCE = 500


def dump(database: Database) -> dict[str, bytes]:
    """All rows of all tables at one moment: one JSON object a line, in order of the primary key."""
    lines = msgspec.json.Encoder()
    with database.read() as connection:
        return {
            table.name: lines.encode_lines(
                [row._asdict() for row in connection.execute(select(table).order_by(*table.primary_key))]
            )
            for table in metadata.sorted_tables
        }


def load(database: Database, revision: str, tables: Mapping[str, bytes], *, now: Clock, by: str, backup: str) -> None:
    """Fill an empty database with what :func:`dump` gave, bring it up to date, and tell it in the audit log.

    All of it is one transaction.

    Arguments:
        database: an empty one.
        revision: revision of the tables that were dumped.
        tables: rows by table.
        now: clock for the entry in the audit log.
        by: who restores.
        backup: id of the backup.

    Raises:
        Conflict: there is a catalogue in the database already.
        InvalidInput: rows don't fit the tables, or the audit log among them is not whole.
    """
    with database.write() as connection:
        if inspect(connection).get_table_names():
            raise Conflict(
                f"The database at {database.place} is not empty.",
                kept="Nothing was changed.",
                hint="Restore into an empty one.",
            )
        bring_to(connection, revision, database.place)
        _fill(connection, tables)
        bring_to(connection, HEAD, database.place)
        report = check_chain(rows(connection))
        if not report.whole:
            raise InvalidInput(f"The audit log in the backup is not whole. {report.problem}")
        record(connection, now, "backup.restored", backup, by=by, before=revision, revision=HEAD)


def _fill(connection: Connection, tables: Mapping[str, bytes]) -> None:
    """Insert the rows as the revision's own tables take them, parents first."""
    reflected = MetaData()
    reflected.reflect(connection)
    if unknown := tables.keys() - reflected.tables.keys():
        raise InvalidInput(f"The backup has rows for {min(unknown)}, a table that this version does not know.")
    for table in reflected.sorted_tables:
        values = _rows(table, tables.get(table.name, b""))
        for start in range(0, len(values), _AT_ONCE):
            connection.execute(insert(table), values[start : start + _AT_ONCE])
        if values and connection.dialect.name == "postgresql":
            _count_on(connection, table)


def _rows(table: Table, lines: bytes) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any]).decode_lines(lines)
    except UNREADABLE as error:
        raise InvalidInput(f"The rows of {table.name} in the backup can't be read: {error}.") from error
    if any(row.keys() != set(table.c.keys()) for row in found):
        raise InvalidInput(f"The rows of {table.name} in the backup have other columns than the table.")
    return found


def _count_on(connection: Connection, table: Table) -> None:
    """Let a sequence go on behind the rows that brought their own numbers."""
    if "seq" not in table.c:
        return
    name = connection.execute(select(func.pg_get_serial_sequence(table.name, "seq"))).scalar()
    if name is not None:
        newest = connection.execute(select(func.max(table.c.seq))).scalar_one()
        connection.execute(text("SELECT setval(:name, :newest)"), {"name": name, "newest": newest})
