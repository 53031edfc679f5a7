"""Opening a catalogue: kinds of database, migrations, and what goes wrong."""

import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import TimeoutError as PoolTimeout

from noria.core.errors import Conflict, InvalidInput, NoriaError, StorageFull, Unavailable
from noria.core.prompts import Block, Prompt
from noria.stores.catalogue import Catalogue
from noria.stores.catalogue.database import Database
from noria.stores.catalogue.failures import translated
from noria.stores.catalogue.schema import HEAD, MIGRATIONS, bring_to, migrate
from noria.stores.catalogue.tables import metadata

T = TypeVar("T")
PROMPT = Prompt(blocks=(Block(role="user", template="hi"),))


def fixed() -> int:
    return 1


def in_database(url: str, ask: Callable[[Connection], T]) -> T:
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            return ask(connection)
    finally:
        engine.dispose()


def test_an_empty_database_gets_its_tables(empty_url: str) -> None:
    with Catalogue.open(empty_url, now=fixed) as catalogue:
        assert catalogue.schema_version == HEAD
        assert catalogue.apps.list() == []


def test_what_was_committed_is_there_after_reopening(empty_url: str) -> None:
    with Catalogue.open(empty_url, now=fixed) as catalogue:
        catalogue.prompts.push("greet", PROMPT, by="ada")
    with Catalogue.open(empty_url, now=fixed) as catalogue:
        assert catalogue.prompts.get("greet").prompt == PROMPT
        assert catalogue.changes == 0


def test_the_migrations_make_the_tables_that_the_code_uses(empty_url: str) -> None:
    Catalogue.open(empty_url, now=fixed).close()
    assert in_database(empty_url, lambda c: compare_metadata(MigrationContext.configure(c), metadata)) == []


def test_a_new_file_has_the_tables_that_the_migrations_make(tmp_path: Path) -> None:
    fresh, migrated = (f"sqlite:///{tmp_path / name}" for name in ("fresh", "migrated"))
    Catalogue.open(fresh, now=fixed).close()
    in_database(migrated, lambda c: bring_to(c, HEAD, migrated))
    assert in_database(fresh, lambda c: compare_metadata(MigrationContext.configure(c), metadata)) == []
    assert in_database(fresh, shape) == in_database(migrated, shape)


def shape(connection: Connection) -> set[tuple[str, ...]]:
    """What a SQLite file consists of: kind, name, and the words that make it; constraints may come in any order."""
    found = connection.exec_driver_sql("SELECT type, name, coalesce(sql, '') FROM sqlite_master")
    return {(kind, name, *sorted(re.findall(r"[\w<>]+", sql))) for kind, name, sql in found}


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_catalogue_from_a_newer_version_is_refused_and_left_alone(empty_url: str) -> None:
    Catalogue.open(empty_url, now=fixed).close()
    in_database(empty_url, lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(InvalidInput, match=r"newer version of Noria \(tables 9999\).*Upgrade Noria"):
        Catalogue.open(empty_url, now=fixed)
    stored = in_database(empty_url, lambda c: c.execute(text("SELECT version_num FROM alembic_version")).scalar())
    assert stored == "9999"


@pytest.fixture
def next_version(tmp_path: Path) -> Callable[[str], Path]:
    """Makes the migrations of an imagined next version, whose second step runs the given lines."""

    def make(lines: str) -> Path:
        folder = tmp_path / "migrations 100%"
        (folder / "versions").mkdir(parents=True)
        (folder / "env.py").write_text((MIGRATIONS / "env.py").read_text())
        for step in (MIGRATIONS / "versions").glob("r*.py"):
            (folder / "versions" / step.name).write_text(step.read_text())
        (folder / "versions" / "r_next.py").write_text(
            "from alembic import op\nimport sqlalchemy as sa\n"
            f"revision = 'next'\ndown_revision = {HEAD!r}\ndef upgrade():\n{lines}"
        )
        return folder

    return make


@pytest.fixture
def database(empty_url: str) -> Iterator[Database]:
    """A catalogue of this version with one prompt in it, and no door yet."""
    with Catalogue.open(empty_url, now=fixed) as catalogue:
        catalogue.prompts.push("greet", PROMPT, by="ada")
    opened = Database(empty_url)
    yield opened
    opened.close()


def state(database: Database) -> tuple[set[str], str, int]:
    """Tables, revision, and how many prompts there are."""
    with database.read() as connection:
        version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        count = connection.execute(text("SELECT count(*) FROM prompts")).scalar_one()
        return set(inspect(connection).get_table_names()), version, count


GOOD = "    op.create_table('extra', sa.Column('id', sa.Integer))\n"


def test_an_older_catalogue_is_upgraded(database: Database, next_version: Callable[[str], Path]) -> None:
    tables, _, _ = state(database)
    assert migrate(database, now=fixed, migrations=next_version(GOOD), head="next") == "next"
    assert state(database) == (tables | {"extra"}, "next", 1)


def test_a_migration_that_fails_leaves_everything_as_it_was(
    database: Database, next_version: Callable[[str], Path]
) -> None:
    before = state(database)
    broken = GOOD + "    op.execute('DELETE FROM prompt_versions')\n    op.drop_table('models')\n    1 / 0\n"
    with pytest.raises(ZeroDivisionError):
        migrate(database, now=fixed, migrations=next_version(broken), head="next")
    assert state(database) == before


def test_several_open_an_empty_database_at_the_same_time(empty_url: str) -> None:
    start = threading.Barrier(4)

    def open_it(_: int) -> str:
        start.wait()
        with Catalogue.open(empty_url, now=fixed) as catalogue:
            return catalogue.schema_version

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(open_it, range(4))) == [HEAD] * 4


def test_connections_that_turn_a_new_file_to_wal_together_wait_for_one_another(tmp_path: Path) -> None:
    # SQLite refuses some of them at once, whatever their timeout: about one round in thirty, hence so many rounds.
    start = threading.Barrier(4)

    def connect(path: Path) -> None:
        start.wait()
        database = Database(f"sqlite:///{path}")
        with database.read():
            database.close()

    with ThreadPoolExecutor(4) as pool:
        for number in range(100):
            list(pool.map(connect, [tmp_path / f"{number}.sqlite"] * 4))


def test_alembic_is_not_imported_when_there_is_nothing_to_migrate(sqlite_template: Path) -> None:
    program = (
        "import sys; from noria.stores.catalogue import Catalogue\n"
        f"Catalogue.open('sqlite:///{sqlite_template}', now=lambda: 1).close()\n"
        "print(sorted({'alembic', 'mako', 'sqlalchemy.orm', 'psycopg'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_sqlite_is_set_up_to_keep_what_it_acknowledged(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'c.sqlite'}")
    with database.read() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    database.close()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


def test_readers_do_not_wait_for_a_writer(catalogue_url: str) -> None:
    database = Database(catalogue_url)
    with database.write() as writer:
        writer.execute(text("INSERT INTO prompts (id, body) VALUES ('p', '{}')"))
        with database.read() as reader:
            assert reader.execute(text("SELECT count(*) FROM prompts")).scalar() == 0
    with database.read() as reader:
        assert reader.execute(text("SELECT count(*) FROM prompts")).scalar() == 1
    database.close()


def test_a_reader_sees_one_moment(catalogue_url: str) -> None:
    database = Database(catalogue_url)
    with database.read() as reader:
        assert reader.execute(text("SELECT count(*) FROM prompts")).scalar() == 0
        with database.write() as writer:
            writer.execute(text("INSERT INTO prompts (id, body) VALUES ('p', '{}')"))
        assert reader.execute(text("SELECT count(*) FROM prompts")).scalar() == 0
    database.close()


def test_the_folder_may_have_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "what? 100% #1"
    folder.mkdir()
    with Catalogue.open(f"sqlite:///{folder / 'c.sqlite'}", now=fixed) as catalogue:
        catalogue.apps.put("boolq")
    assert (folder / "c.sqlite").exists()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://root:secret@db/x", "nonsense secret", ""])
def test_other_kinds_of_database_are_refused_without_repeating_a_password(url: str) -> None:
    with pytest.raises(InvalidInput, match="Use sqlite:///PATH or postgresql") as caught:
        Catalogue.open(url, now=fixed)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    file.write_text("this is a letter, not a database " * 100)
    with pytest.raises(InvalidInput, match="file is not a database"):
        Catalogue.open(f"sqlite:///{file}", now=fixed)
    with pytest.raises(InvalidInput, match="unable to open database file"):
        Catalogue.open(f"sqlite:///{tmp_path / 'missing' / 'c.sqlite'}", now=fixed)


def test_a_server_that_does_not_answer_is_unavailable_and_its_password_unsaid() -> None:
    with pytest.raises(Unavailable, match="does not answer") as caught:
        Catalogue.open("postgresql://ada:secret@127.0.0.1:1/noria", now=fixed)
    assert "secret" not in str(caught.value)


@pytest.mark.postgres
def test_a_database_that_is_not_there_is_the_users_mistake(postgres_server: str) -> None:
    with pytest.raises(NoriaError, match="does not exist") as caught:
        Catalogue.open(postgres_server.rpartition("/")[0] + "/nowhere", now=fixed)
    assert not isinstance(caught.value, StorageFull)


@pytest.mark.postgres
def test_a_read_only_postgres_is_full(postgres_url: str) -> None:
    with Catalogue.open(postgres_url, now=fixed) as catalogue:
        catalogue.apps.put("boolq")
    with (
        Catalogue.open(f"{postgres_url}?options=-cdefault_transaction_read_only%3Don", now=fixed) as catalogue,
        pytest.raises(StorageFull, match="read-only transaction"),
    ):
        catalogue.apps.put("other")


def test_a_full_disk_keeps_what_was_there(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'c.sqlite'}"
    with Catalogue.open(url, now=fixed) as catalogue:
        catalogue.prompts.push("greet", PROMPT, by="ada")
        pages = sqlite3.connect(tmp_path / "c.sqlite")
        used = pages.execute("PRAGMA page_count").fetchone()[0]
        pages.close()

    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {used + 1}").close()

    event.listen(Engine, "connect", limit)
    try:
        with Catalogue.open(url, now=fixed) as catalogue:
            big = Prompt(blocks=(Block(role="user", template="x" * 100_000),))
            with pytest.raises(StorageFull, match="full.*Everything committed before is kept"):
                catalogue.prompts.push("greet", big, by="ada")
            assert [item.prompt for item in catalogue.prompts.list()] == [PROMPT]
            assert catalogue.changes == 0
    finally:
        event.remove(Engine, "connect", limit)


def test_a_writer_in_another_process_that_does_not_end_is_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("noria.stores.catalogue.database._PRAGMAS", ("PRAGMA busy_timeout = 1",))
    url = f"sqlite:///{tmp_path / 'c.sqlite'}"
    with Catalogue.open(url, now=fixed) as catalogue:
        other = sqlite3.connect(tmp_path / "c.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="database is locked") as caught:
            catalogue.apps.put("boolq")
        assert caught.value.retryable
        other.execute("ROLLBACK")
        other.close()
        catalogue.apps.put("boolq")


@pytest.mark.postgres
def test_a_writer_that_does_not_end_is_unavailable_on_postgres(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("noria.stores.catalogue.database._BUSY_MS", 20)
    with Catalogue.open(postgres_url, now=fixed) as catalogue, Catalogue.open(postgres_url, now=fixed) as other:
        with other._database.write(), pytest.raises(Unavailable, match="lock timeout"):
            catalogue.apps.put("boolq")
        catalogue.apps.put("boolq")


def test_a_contradiction_is_a_conflict(catalogue_url: str) -> None:
    database = Database(catalogue_url)
    with pytest.raises(Conflict, match="refused a contradiction"), database.write() as connection:
        connection.execute(text("INSERT INTO monitors (name, app, body) VALUES ('a', 'no such app', '{}')"))
    database.close()


@pytest.mark.postgres
def test_a_value_that_the_database_cannot_hold_is_invalid(postgres_url: str) -> None:
    database = Database(postgres_url)
    with pytest.raises(InvalidInput, match="can't hold a value"), database.read() as connection:
        connection.execute(text("SELECT 99999999999::integer"))
    database.close()


def test_no_free_connection_is_unavailable() -> None:
    assert isinstance(translated(PoolTimeout("QueuePool limit reached"), "sqlite:///x"), Unavailable)


def test_text_that_somebody_spoilt_is_named(catalogue: Catalogue, catalogue_url: str) -> None:
    catalogue.prompts.push("greet", PROMPT, by="ada")
    in_database(catalogue_url, lambda c: c.execute(text("UPDATE prompts SET body = '{'")))
    with pytest.raises(Unavailable, match="A Prompt in the catalogue can't be read"):
        catalogue.prompts.get("greet")


def test_a_closed_catalogue_says_so(catalogue: Catalogue) -> None:
    catalogue.close()
    catalogue.close()
    with pytest.raises(Unavailable, match="is closed"):
        catalogue.apps.list()
    with pytest.raises(Unavailable, match="is closed"):
        catalogue.apps.put("boolq")


@pytest.mark.postgres
def test_a_restarted_connection_costs_nobody_an_error(postgres_url: str) -> None:
    with Catalogue.open(postgres_url, now=fixed) as catalogue:
        catalogue.apps.put("boolq")
        kill = text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database()"
        )
        in_database(postgres_url, lambda c: c.execute(kill).all())
        assert [app.name for app in catalogue.apps.list()] == ["boolq"]
