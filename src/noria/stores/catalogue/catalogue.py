"""The door to the catalogue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

from noria.core.protocols import Clock
from noria.stores.catalogue.apps import Apps
from noria.stores.catalogue.audit import Audit
from noria.stores.catalogue.database import Database
from noria.stores.catalogue.datasets import Datasets
from noria.stores.catalogue.dump import dump, load
from noria.stores.catalogue.experiments import Experiments
from noria.stores.catalogue.keys import Keys
from noria.stores.catalogue.leases import Leases
from noria.stores.catalogue.limits import Limits
from noria.stores.catalogue.models import Models
from noria.stores.catalogue.monitors import Monitors
from noria.stores.catalogue.prompts import Prompts
from noria.stores.catalogue.receipts import Receipts
from noria.stores.catalogue.retention import Retention
from noria.stores.catalogue.schema import migrate


class Catalogue:
    """Everything that people name: ``catalogue.prompts``, ``.apps``, ``.models``, ``.datasets``, ...

    Synchronous and safe to call from several threads; an async server calls it from a thread pool. One object per
    noun family, each method one transaction: it happens whole or not at all, and with it its entry in the audit log.

    SQLAlchemy Core, not its ORM: the nouns are immutable msgspec structs already, and a mapped class beside each would
    be a second declaration of the same thing, with an identity map and lazy loading that immutable values can't use.
    A noun is stored as its JSON text, with columns of its own only for what is looked up; a noun that gains an
    optional field needs no migration.
    """

    def __init__(self, database: Database, schema_version: str, now: Clock) -> None:
        self._database = database
        self._schema_version = schema_version
        self.prompts = Prompts(database, now)
        self.apps = Apps(database, now)
        self.models = Models(database, now)
        self.datasets = Datasets(database, now)
        self.experiments = Experiments(database, now)
        self.monitors = Monitors(database, now)
        self.keys = Keys(database, now)
        self.limits = Limits(database, now)
        self.audit = Audit(database, now)
        self.retention = Retention(database, now)
        self.receipts = Receipts(database, now)
        self.leases = Leases(database)
        self._elsewhere = 0
        self._there: Callable[[], int] | None = None

    @classmethod
    def open(cls, url: str, *, now: Clock) -> Catalogue:
        """Connect, and bring the tables up to date.

        Arguments:
            url: ``sqlite:///PATH`` or ``postgresql+psycopg://USER:PASSWORD@HOST/DATABASE``.
            now: the clock that stamps what is made here.

        Raises:
            InvalidInput: no such kind of database, no catalogue in it, or one from a newer version of Noria.
            Unavailable: the database does not answer.
            StorageFull: no room for the tables.
        """
        database = Database(url)
        try:
            version = migrate(database, now=now)
        except BaseException:
            database.close()
            raise
        return cls(database, version, now)

    def close(self) -> None:
        """Let go of all leases and close all connections. A second call does nothing."""
        self.leases.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def dump(self) -> dict[str, bytes]:
        """Every row of every table at one moment, as JSON lines by table."""
        return dump(self._database)

    @staticmethod
    def load(url: str, revision: str, tables: Mapping[str, bytes], *, now: Clock, by: str, backup: str) -> None:
        """Fill an empty database with rows that :meth:`dump` gave, of this or an older revision of the tables.

        Raises:
            Conflict: the database is not empty.
            InvalidInput: the rows are not of this or an older version of Noria.
        """
        database = Database(url)
        try:
            load(database, revision, tables, now=now, by=by, backup=backup)
        finally:
            database.close()

    @property
    def changes(self) -> int:
        """Commits made through this object, those that :meth:`look` saw, and those of a process that is followed.

        While the number stays the same, what was read stays true as far as this process knows.
        """
        made = self._database.changes + self._elsewhere
        return made if self._there is None else made + self._there()

    def tell(self, told: Callable[[int], None]) -> None:
        """Have others of this machine told of each commit at once: ``told`` takes the number of all so far."""
        self._database.told = told

    def follow(self, there: Callable[[], int]) -> None:
        """Take the word of the one process that changes this catalogue: ``there`` is how many commits it made."""
        self._there = there

    def look(self) -> None:
        """See whether other processes have changed a shared catalogue: the audit log has an entry for each change."""
        newest = self.audit.list(1)
        self._elsewhere = newest[0].seq if newest else 0

    @property
    def schema_version(self) -> str:
        """Revision of the tables."""
        return self._schema_version
