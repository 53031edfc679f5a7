"""The catalogue on both databases: every test that asks for ``catalogue`` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))  # pytest puts only a test's own folder there

from noria.stores.catalogue import Catalogue
from noria.stores.catalogue.tables import metadata
from postgres import empty_database, postgres_server, postgres_url
from s3 import s3_bucket, s3_endpoint

__all__ = ["postgres_server", "postgres_url", "s3_bucket", "s3_endpoint"]


@pytest.fixture
def now() -> Callable[[], int]:
    """A clock that ticks once for each look at it: 1, 2, 3 ..."""
    ticks = itertools.count(1)
    return lambda: next(ticks)


KINDS = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=KINDS)
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of an empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'catalogue.sqlite'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue without content, to copy: migrating once is enough for most tests."""
    path = tmp_path_factory.mktemp("catalogue") / "catalogue.sqlite"
    Catalogue.open(f"sqlite:///{path}", now=lambda: 1).close()
    return path


@pytest.fixture(scope="session")
def postgres_catalogue(postgres_server: str) -> Iterator[str]:
    """The same on PostgreSQL, to empty after each test: a database of its own for each would take most of the time."""
    with empty_database(postgres_server) as url:
        Catalogue.open(url, now=lambda: 1).close()
        yield url


@pytest.fixture(params=KINDS)
def catalogue_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a catalogue without content, on each kind of database."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "catalogue.sqlite")
        yield f"sqlite:///{path}"
        return
    url = request.getfixturevalue("postgres_catalogue")
    yield url
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("ALTER TABLE audit_log DISABLE TRIGGER USER")
        connection.execute(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY")
        connection.execute("ALTER TABLE audit_log ENABLE TRIGGER USER")


@pytest.fixture
def catalogue(catalogue_url: str, now: Callable[[], int]) -> Iterator[Catalogue]:
    with Catalogue.open(catalogue_url, now=now) as opened:
        yield opened
