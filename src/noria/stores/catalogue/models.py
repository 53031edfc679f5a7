"""Local models: weights with engine flags, by name."""

from __future__ import annotations

import builtins

from sqlalchemy import Connection, delete, insert, select

from noria.core.audit import SYSTEM
from noria.core.models import LocalModel
from noria.core.protocols import Clock
from noria.stores.catalogue.audit import record
from noria.stores.catalogue.database import Database
from noria.stores.catalogue.names import check_name, unknown
from noria.stores.catalogue.records import decode, encode
from noria.stores.catalogue.stamp import stamped
from noria.stores.catalogue.tables import models


class Models:
    """``catalogue.models``."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    def put(self, model: LocalModel, *, by: str = SYSTEM) -> LocalModel:
        """Store the model under its name, in place of what had the name before. Without a time, it gets one."""
        check_name("model", model.name)
        made = stamped(model, self._now)
        body = encode(made)
        with self._database.write() as connection:
            connection.execute(delete(models).where(models.c.name == made.name))
            connection.execute(insert(models).values(name=made.name, sha256=made.sha256, body=body))
            details = {"model_id": made.id, "sha256": made.sha256, "source": made.source}
            record(connection, self._now, "model.stored", made.name, by=by, **details)
        return made

    def get(self, name: str) -> LocalModel:
        """The model with this name. Raises ``UnknownName``."""
        with self._database.read() as connection:
            return _require(connection, name)

    def list(self) -> builtins.list[LocalModel]:
        """All models, by name."""
        with self._database.read() as connection:
            bodies = connection.execute(select(models.c.body).order_by(models.c.name)).scalars()
            return [decode(body, LocalModel) for body in bodies]

    def remove(self, name: str, *, by: str = SYSTEM) -> LocalModel:
        """Forget the model, and return what it was. Its weights stay, for :meth:`using` to tell who needs them."""
        with self._database.write() as connection:
            gone = _require(connection, name)
            connection.execute(delete(models).where(models.c.name == name))
            record(connection, self._now, "model.removed", name, by=by, model_id=gone.id, sha256=gone.sha256)
        return gone

    def using(self, sha256: str) -> builtins.list[LocalModel]:
        """Models on these weights, by name."""
        query = select(models.c.body).where(models.c.sha256 == sha256).order_by(models.c.name)
        with self._database.read() as connection:
            return [decode(body, LocalModel) for body in connection.execute(query).scalars()]


def _require(connection: Connection, name: str) -> LocalModel:
    check_name("model", name)
    body = connection.execute(select(models.c.body).where(models.c.name == name)).scalar()
    if body is None:
        raise unknown("model", name, sorted(connection.execute(select(models.c.name)).scalars()))
    return decode(body, LocalModel)
