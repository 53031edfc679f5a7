"""Monitors: scorers on apps' live calls, by name."""

from __future__ import annotations

import builtins

from sqlalchemy import Connection, delete, insert, select

from noria.core.audit import SYSTEM
from noria.core.monitors import Monitor
from noria.core.protocols import Clock
from noria.stores.catalogue.apps import check_app
from noria.stores.catalogue.audit import record
from noria.stores.catalogue.database import Database
from noria.stores.catalogue.names import check_name, unknown
from noria.stores.catalogue.records import decode, encode
from noria.stores.catalogue.stamp import stamped
from noria.stores.catalogue.tables import monitors


class Monitors:
    """``catalogue.monitors``."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    def put(self, monitor: Monitor) -> Monitor:
        """Store the monitor under its name, in place of what had the name before. Without a time, it gets one.

        Raises:
            UnknownName: there is no such app, so nothing would ever be scored.
        """
        check_name("monitor", monitor.name)
        made = stamped(monitor, self._now)
        body = encode(made)
        with self._database.write() as connection:
            check_app(connection, made.app)
            connection.execute(delete(monitors).where(monitors.c.name == made.name))
            connection.execute(insert(monitors).values(name=made.name, app=made.app, body=body))
            details = {"app": made.app, "kind": made.scorer.kind, "rate": made.rate}
            record(connection, self._now, "monitor.attached", made.name, by=made.created_by or SYSTEM, **details)
        return made

    def get(self, name: str) -> Monitor:
        """The monitor with this name. Raises ``UnknownName``."""
        with self._database.read() as connection:
            return _require(connection, name)

    def list(self, app: str | None = None) -> builtins.list[Monitor]:
        """All monitors, or those of one app, by name."""
        query = select(monitors.c.body).order_by(monitors.c.name)
        if app is not None:
            query = query.where(monitors.c.app == check_name("app", app))
        with self._database.read() as connection:
            return [decode(body, Monitor) for body in connection.execute(query).scalars()]

    def remove(self, name: str, *, by: str = SYSTEM) -> Monitor:
        """Detach the monitor, and return what it was. Its scores stay."""
        with self._database.write() as connection:
            gone = _require(connection, name)
            connection.execute(delete(monitors).where(monitors.c.name == name))
            record(connection, self._now, "monitor.detached", name, by=by, app=gone.app, kind=gone.scorer.kind)
        return gone


def _require(connection: Connection, name: str) -> Monitor:
    check_name("monitor", name)
    body = connection.execute(select(monitors.c.body).where(monitors.c.name == name)).scalar()
    if body is None:
        raise unknown("monitor", name, sorted(connection.execute(select(monitors.c.name)).scalars()))
    return decode(body, Monitor)
