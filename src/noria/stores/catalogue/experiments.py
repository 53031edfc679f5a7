"""Experiments: whole, under their id; and the variants they tried, so that a span's variant can be looked up."""

from __future__ import annotations

import builtins

from sqlalchemy import insert, select, update

from noria.core.audit import SYSTEM
from noria.core.errors import InvalidInput
from noria.core.experiments import Experiment
from noria.core.protocols import Clock
from noria.stores.catalogue.apps import keep_variant
from noria.stores.catalogue.audit import record
from noria.stores.catalogue.database import Database
from noria.stores.catalogue.names import check_text, find_id
from noria.stores.catalogue.records import decode, encode
from noria.stores.catalogue.tables import experiments


class Experiments:
    """``catalogue.experiments``."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    def save(self, experiment: Experiment) -> None:
        """Insert, or replace what has its id."""
        for what, text in (("id", experiment.id), ("name", experiment.spec.name), ("app", experiment.app or "")):
            check_text(f"experiment's {what}", text)
        values = {
            "id": experiment.id,
            "spec_id": experiment.spec_id,
            "name": experiment.spec.name,
            "app": experiment.app,
            "status": experiment.status,
            "created_ns": experiment.created_ns,
            "body": encode(experiment),
        }
        tried = {item.variant.id: encode(item.variant) for item in experiment.spec.variants}
        with self._database.write() as connection:
            for variant_id, body in tried.items():
                keep_variant(connection, variant_id, body)
            mine = experiments.c.id == experiment.id
            before = connection.execute(select(experiments.c.status).where(mine)).scalar()
            if before is None:
                connection.execute(insert(experiments).values(values))
            else:
                connection.execute(update(experiments).where(mine).values(values))
            if before != experiment.status:
                who = experiment.created_by if before is None and experiment.created_by else SYSTEM
                details = {"name": experiment.spec.name, "app": experiment.app, "spec_id": experiment.spec_id}
                record(connection, self._now, f"experiment.{experiment.status}", experiment.id, by=who, **details)

    def get(self, ref: str) -> Experiment:
        """The experiment with this id, or the only one whose id begins so (six characters at least).

        Raises:
            UnknownName: there is none.
            InvalidInput: there are several.
        """
        with self._database.read() as connection:
            whole = find_id(connection, experiments.c.id, "experiment", ref)
            body = connection.execute(select(experiments.c.body).where(experiments.c.id == whole)).scalar_one()
        return decode(body, Experiment)

    def list(self, limit: int = 50, name: str | None = None, app: str | None = None) -> builtins.list[Experiment]:
        """The newest experiments, newest first.

        Arguments:
            limit: at most so many, 1 or more.
            name: only those of this name.
            app: only those run for this app.
        """
        if not 1 <= limit <= 1_000_000:
            raise InvalidInput(f"The limit {limit} is not between 1 and 1000000.")
        query = select(experiments.c.body).order_by(experiments.c.created_ns.desc(), experiments.c.seq.desc())
        if name is not None:
            query = query.where(experiments.c.name == check_text("name", name))
        if app is not None:
            query = query.where(experiments.c.app == check_text("app", app))
        with self._database.read() as connection:
            return [decode(body, Experiment) for body in connection.execute(query.limit(limit)).scalars()]

    def unfinished(self, spec_id: str) -> Experiment | None:
        """The newest experiment on this spec, unless nothing but finished ones is there: the one to resume."""
        query = (
            select(experiments.c.body)
            .where(experiments.c.spec_id == spec_id, experiments.c.status != "finished")
            .order_by(experiments.c.created_ns.desc(), experiments.c.seq.desc())
            .limit(1)
        )
        with self._database.read() as connection:
            body = connection.execute(query).scalar()
        return None if body is None else decode(body, Experiment)
