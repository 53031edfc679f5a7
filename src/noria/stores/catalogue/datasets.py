"""Data sets: immutable versions by content id, and by the name they were last put under."""

from __future__ import annotations

import builtins

from sqlalchemy import delete, insert, select

from noria.core.audit import SYSTEM
from noria.core.datasets import Dataset
from noria.core.errors import UnknownName
from noria.core.protocols import Clock
from noria.stores.catalogue.audit import record
from noria.stores.catalogue.database import Database
from noria.stores.catalogue.names import check_text, is_prefix, only_one, starts_with, unknown
from noria.stores.catalogue.records import decode, encode
from noria.stores.catalogue.tables import datasets


class Datasets:
    """``catalogue.datasets``."""

    def __init__(self, database: Database, now: Clock) -> None:
        self._database = database
        self._now = now

    def put(self, dataset: Dataset, *, by: str = SYSTEM) -> Dataset:
        """Store a version. Put again, it becomes the newest of its name, so that the name means what was put last."""
        check_text("data set's name", dataset.name)
        body = encode(dataset)
        same = (datasets.c.id == dataset.id) & (datasets.c.name == dataset.name)
        with self._database.write() as connection:
            connection.execute(delete(datasets).where(same))
            connection.execute(insert(datasets).values(id=dataset.id, name=dataset.name, body=body))
            details = {"dataset_id": dataset.id, "size": dataset.size, "blob": dataset.blob}
            record(connection, self._now, "dataset.stored", dataset.name, by=by, **details)
        return dataset

    def get(self, ref: str) -> Dataset:
        """A data set by id, by name (its newest version), or by at least six characters of its id.

        Raises:
            UnknownName: there is none.
            InvalidInput: the id's beginning fits several.
        """
        if "\0" in ref:
            raise UnknownName(f"There is no data set {ref!r}.")
        newest = select(datasets.c.body).order_by(datasets.c.seq.desc()).limit(1)
        with self._database.read() as connection:
            for column in (datasets.c.id, datasets.c.name):
                body = connection.execute(newest.where(column == ref)).scalar()
                if body is not None:
                    return decode(body, Dataset)
            names = sorted(connection.execute(select(datasets.c.name).distinct()).scalars())
            of_prefix = select(datasets.c.id).where(starts_with(datasets.c.id, ref)).distinct()
            if not is_prefix(ref) or connection.execute(of_prefix).first() is None:
                raise unknown("data set", ref, names)
            whole = only_one(connection, of_prefix, "data set", ref)
            return decode(connection.execute(newest.where(datasets.c.id == whole)).scalar_one(), Dataset)

    def list(self) -> builtins.list[Dataset]:
        """All versions under all their names, newest first."""
        query = select(datasets.c.body).order_by(datasets.c.seq.desc())
        with self._database.read() as connection:
            return [decode(body, Dataset) for body in connection.execute(query).scalars()]
