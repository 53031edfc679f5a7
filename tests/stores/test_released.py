"""Catalogues of every released version open with this one, whole; a migration that is cut leaves the old one."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from released.catalogues import VERSIONS, expected, nouns, restore
from sqlalchemy import text

from noria.stores.catalogue import Catalogue
from noria.stores.catalogue.database import Database
from noria.stores.catalogue.schema import HEAD

MIGRATE_AND_DIE = """
import itertools, os, signal, sys
from sqlalchemy import Engine, event
from noria.stores.catalogue import Catalogue
import alembic.command, alembic.config, alembic.script  # so that each try is short

url = sys.argv[1]

def after(number):
    seen = itertools.count(1)
    def die(connection, cursor, statement, *_):
        if connection.get_execution_options().get("noria_write") and next(seen) == number:
            os.kill(os.getpid(), signal.SIGKILL)
    return die

for number in itertools.count(1, 3):
    child = os.fork()
    if not child:
        event.listen(Engine, "after_cursor_execute", after(number))
        Catalogue.open(url, now=lambda: 1).close()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status), flush=True)
    sys.stdin.readline()
    if not os.WIFSIGNALED(status):
        break
"""
"""Opens a catalogue again and again, killed after the first statement of the migration, the fourth ..."""


@pytest.mark.parametrize("version", VERSIONS)
def test_every_record_of_a_released_version_is_there(version: str, empty_url: str) -> None:
    restore(version, empty_url)
    with Catalogue.open(empty_url, now=lambda: 7) as catalogue:
        assert catalogue.schema_version == HEAD
        assert nouns(catalogue) == expected(version, empty_url)
        catalogue.apps.put("later")
        [made, upgraded] = catalogue.audit.list(2)
        assert (made.action, upgraded.action) == ("app.made", "catalogue.upgraded")
        assert upgraded.details == {"before": version, "revision": HEAD}
        catalogue.apps.release("boolq", catalogue.apps.releases("boolq")[1].shares, by="ada")
    with Catalogue.open(empty_url, now=lambda: 8) as catalogue:
        assert len(catalogue.apps.releases("boolq")) == 4, "rows that were there do not get in the way of new ones"
        assert catalogue.audit.verify().whole


@pytest.mark.parametrize("version", VERSIONS)
def test_a_process_killed_in_the_middle_of_migrating_leaves_the_old_version_whole(version: str, empty_url: str) -> None:
    restore(version, empty_url)
    environ = {**os.environ, "PYTHONWARNINGS": "ignore"}  # Python's own, about forking
    program = [sys.executable, "-c", MIGRATE_AND_DIE, empty_url]
    kills = 0
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdin
        assert process.stdout
        while (said := process.stdout.readline().strip()) == str(int(signal.SIGKILL)):
            assert stored(empty_url) == (version, False), f"kill {kills}"
            kills += 1
            print(file=process.stdin, flush=True)
        assert said == "0"
        print(file=process.stdin, flush=True)
    assert kills > 3
    assert stored(empty_url) == (HEAD, True)
    with Catalogue.open(empty_url, now=lambda: 7) as catalogue:
        assert nouns(catalogue) == expected(version, empty_url)


def stored(url: str) -> tuple[str, bool]:
    """The revision, and whether the newest table is there."""
    database = Database(url)
    with database.read() as connection:
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        found = connection.dialect.has_table(connection, "limit_leases")
    database.close()
    return revision, found


def test_the_folder_holds_every_version_before_this_one() -> None:
    written = {
        path.stem[1:5] for path in (Path(__file__).parents[2] / "src/noria/stores/catalogue").rglob("r[0-9]*.py")
    }
    assert set(VERSIONS) == written - {HEAD}, "run tests/stores/released/catalogues.py before adding a migration"
