"""Bringing the tables up to date, inside one transaction.

Opening compares the stored revision with :data:`HEAD` by one look-up. Only when they differ, and the database is no new
SQLite file, is Alembic imported, which takes longer than everything else at start.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from noria.core.audit import SYSTEM
from noria.core.errors import InvalidInput
from noria.core.protocols import Clock
from noria.stores.catalogue.audit import record
from noria.stores.catalogue.database import Database
from noria.stores.catalogue.fresh import make

HEAD = "0003"
"""Revision of the tables in ``tables.py``; a test holds it equal to the newest migration's."""

MIGRATIONS = Path(__file__).parent / "migrations"
"""Alembic's folder: ``env.py`` and ``versions/``."""


def migrate(database: Database, *, now: Clock, migrations: Path = MIGRATIONS, head: str = HEAD) -> str:
    """Create or upgrade the tables, tell it in the audit log, and return their revision.

    All steps share one transaction, on SQLite too, so a failure leaves the store as it was. Of several processes that
    open a database at the same time, one migrates and the others wait.

    Raises:
        InvalidInput: a newer version of Noria wrote the database; nothing was changed.
    """
    with database.read() as connection:
        if revision_of(connection) == head:
            return head
    with database.write() as connection:
        found = revision_of(connection)
        if found != head:
            if not (database.shared or inspect(connection).get_table_names()) and head == HEAD:
                make(connection, head)
            else:
                bring_to(connection, head, database.place, migrations)
            action = "catalogue.made" if found is None else "catalogue.upgraded"
            record(connection, now, action, "catalogue", by=SYSTEM, before=found, revision=head)
    return head


def revision_of(connection: Connection) -> str | None:
    """The stored revision; None in an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def bring_to(connection: Connection, revision: str, place: str, migrations: Path = MIGRATIONS) -> None:
    """Run the migrations up to ``revision``, in the transaction of ``connection``.

    Raises:
        InvalidInput: this version of Noria does not know the revision that is stored, or ``revision``.
    """
    from alembic import command  # noqa: PLC0415 - slow, and seldom needed
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    for needed in (revision_of(connection), revision):
        if needed is not None and needed not in known:
            raise InvalidInput(
                f"The catalogue at {place} was written by a newer version of Noria (tables {needed}).",
                kept="Nothing was changed.",
                hint="Upgrade Noria, or use another catalogue.",
            )
    command.upgrade(config, revision)
