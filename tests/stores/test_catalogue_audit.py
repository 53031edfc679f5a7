"""The audit log: complete, in one transaction with what it tells, and unable to hide a change."""

import hashlib
import json
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from released.catalogues import fill
from sqlalchemy import text

from noria.core.apps import Share
from noria.core.audit import GENESIS, AuditEntry, check_chain, entry_hash, entry_text
from noria.core.errors import Conflict, InvalidInput, UnknownName
from noria.stores.catalogue import Catalogue
from noria.stores.catalogue.database import Database


def changes(catalogue: Catalogue) -> list[AuditEntry]:
    """Entries after the one about the catalogue itself, oldest first."""
    return [entry for entry in catalogue.audit.list(1000)[::-1] if entry.action != "catalogue.made"]


def told(catalogue: Catalogue) -> list[tuple[str, str, str]]:
    """Who did what to what, oldest first."""
    return [(entry.actor, entry.action, entry.subject) for entry in changes(catalogue)]


def test_every_change_is_told_with_who_did_it(catalogue: Catalogue) -> None:
    fill(catalogue)
    catalogue.models.remove("tiny", by="eve")
    catalogue.monitors.remove("watch", by="eve")
    catalogue.apps.put("boolq", "another text", by="eve")
    assert told(catalogue) == [
        ("ada", "prompt.pushed", "greet"),
        ("grace", "prompt.labelled", "greet"),
        ("ada", "prompt.pushed", "greet"),
        ("grace", "prompt.labelled", "greet"),
        ("noria", "model.stored", "tiny"),
        ("noria", "app.made", "boolq"),
        ("noria", "app.made", "empty"),
        ("ada", "variant.added", "boolq"),
        ("ada", "release.promoted", "boolq"),
        ("ada", "variant.added", "boolq"),
        ("ada", "release.promoted", "boolq"),
        ("grace", "release.rolled_back", "boolq"),
        ("ada", "monitor.attached", "watch"),
        ("noria", "dataset.stored", "BoolQ, dev"),
        ("noria", "dataset.stored", "BoolQ, dev"),
        ("noria", "experiment.finished", "experiment_1"),
        ("noria", "experiment.interrupted", "experiment_2"),
        ("eve", "model.removed", "tiny"),
        ("eve", "monitor.detached", "watch"),
        ("eve", "app.described", "boolq"),
    ]
    report = catalogue.audit.verify()
    assert (report.whole, report.head) == (True, catalogue.audit.list(1)[0].hash)


def test_what_changes_nothing_is_not_told(catalogue: Catalogue) -> None:
    fill(catalogue)
    before = told(catalogue)
    [version] = catalogue.prompts.list()
    catalogue.prompts.push("greet", version.prompt, by="eve")
    catalogue.prompts.label("greet", "production", "2", by="eve")
    catalogue.apps.put("boolq")
    catalogue.apps.add_variant("boolq", "plain", catalogue.apps.get("boolq").variants[0].variant, by="eve")
    catalogue.experiments.save(catalogue.experiments.get("experiment_1"))
    with pytest.raises(UnknownName):
        catalogue.models.remove("nothing", by="eve")
    assert told(catalogue) == before


def test_an_entry_tells_enough_to_undo_and_no_contents(catalogue: Catalogue) -> None:
    fill(catalogue)
    [rollback] = catalogue.audit.list(action="release.rolled_back")
    history = catalogue.apps.releases("boolq")
    assert rollback.details == {
        "release_id": history[0].id,
        "shares": {history[2].shares[0].variant_id: 0.3},
        "reason": "too wild",
        "rolled_back_from": history[1].id,
    }
    everything = msgspec.json.encode(catalogue.audit.list(1000)).decode()
    assert "{{ text }}" not in everything, "the template of a prompt"
    assert "what to sort" not in everything


def test_a_change_that_fails_leaves_no_entry_and_the_other_way_round(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = told(catalogue)
    named = Share(variant_id="variant_unknown")
    with pytest.raises(UnknownName):
        catalogue.apps.release("boolq", [named], by="ada")
    assert told(catalogue) == before
    monkeypatch.setattr("noria.stores.catalogue.apps.record", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        catalogue.apps.put("boolq")
    assert (catalogue.apps.list(), told(catalogue)) == ([], before)


def test_entries_are_found_by_action_and_subject_and_paged(catalogue: Catalogue) -> None:
    fill(catalogue)
    newest = [entry.seq for entry in catalogue.audit.list(4)]
    assert newest == list(range(newest[0], newest[0] - 4, -1))
    assert [entry.seq for entry in catalogue.audit.list(2, before=newest[1])] == newest[2:]
    assert {entry.action for entry in catalogue.audit.list(action="release.")} == {
        "release.promoted",
        "release.rolled_back",
    }
    assert catalogue.audit.list(action="release") == []
    assert [entry.action for entry in catalogue.audit.list(subject="empty")] == ["app.made"]


def test_the_hash_can_be_computed_by_anyone(catalogue: Catalogue) -> None:
    """As docs/lifecycle.md says: SHA-256 over the entry without its hash, keys sorted, no white space."""
    fill(catalogue)
    previous = GENESIS
    for entry in reversed(catalogue.audit.list(1000)):
        fields = {key: value for key, value in msgspec.to_builtins(entry).items() if key != "hash"}
        written = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert (entry.previous, entry.hash) == (previous, hashlib.sha256(written.encode()).hexdigest())
        previous = entry.hash


def test_the_database_itself_refuses_to_change_the_log(catalogue: Catalogue, catalogue_url: str) -> None:
    fill(catalogue)
    database = Database(catalogue_url)
    for statement in (
        "UPDATE audit_log SET body = '{}' WHERE seq = 2",
        "DELETE FROM audit_log WHERE seq = (SELECT max(seq) FROM audit_log)",
        "INSERT INTO audit_log (seq, action, subject, body, hash) VALUES (30, 'x', 'x', '{}', '0')",
        "INSERT INTO audit_log (seq, action, subject, body, hash) VALUES (3, 'x', 'x', '{}', '0')",
    ):
        with pytest.raises(Conflict, match="append-only"), database.write() as connection:
            connection.execute(text(statement))
    database.close()
    assert catalogue.audit.verify().whole


def test_sqlite_refuses_to_replace_an_entry(tmp_path: Path, now: Callable[[], int]) -> None:
    file = tmp_path / "c.sqlite"
    with Catalogue.open(f"sqlite:///{file}", now=now) as catalogue:
        catalogue.apps.put("boolq")
    with closing(sqlite3.connect(file)) as connection, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute("INSERT OR REPLACE INTO audit_log SELECT * FROM audit_log WHERE seq = 1")


@pytest.fixture
def unguarded(tmp_path: Path, now: Callable[[], int]) -> tuple[Catalogue, sqlite3.Connection]:
    """A catalogue, and the file as somebody sees it who took the triggers away."""
    catalogue = Catalogue.open(f"sqlite:///{tmp_path / 'c.sqlite'}", now=now)
    fill(catalogue)
    connection = sqlite3.connect(tmp_path / "c.sqlite", isolation_level=None)
    for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        connection.execute(f"DROP TRIGGER {name}")
    return catalogue, connection


@pytest.mark.parametrize(
    ("statement", "place", "problem"),
    [
        ("UPDATE audit_log SET body = replace(body, 'grace', 'ada') WHERE seq = 5", 5, "Entry 5 was changed"),
        ("DELETE FROM audit_log WHERE seq = 5", 5, "Entry 5 is missing"),
        ("DELETE FROM audit_log WHERE seq <= 5", 1, "Entry 1 is missing"),
        ("UPDATE audit_log SET hash = 'f' WHERE seq = 9", 9, "Entry 9 was changed"),
        (f"UPDATE audit_log SET body = 'x', hash = '{entry_hash(b'x')}' WHERE seq = 2", 2, "can't be read"),
    ],
)  # fmt: skip
def test_the_first_broken_link_is_named(
    unguarded: tuple[Catalogue, sqlite3.Connection], statement: str, place: int, problem: str
) -> None:
    catalogue, file = unguarded
    file.execute(statement)
    report = catalogue.audit.verify()
    assert (report.whole, report.broken_at, report.entries) == (False, place, place - 1)
    assert problem in report.problem
    file.close()
    catalogue.close()


def test_an_entry_forged_with_a_right_hash_breaks_the_next(unguarded: tuple[Catalogue, sqlite3.Connection]) -> None:
    catalogue, file = unguarded
    [old] = [entry for entry in catalogue.audit.list() if entry.seq == 5]
    forged = entry_text(msgspec.structs.replace(old, actor="nobody"))
    file.execute("UPDATE audit_log SET body = ?, hash = ? WHERE seq = 5", (forged.decode(), entry_hash(forged)))
    report = catalogue.audit.verify()
    assert (report.whole, report.broken_at) == (False, 6)
    assert "does not follow" in report.problem
    file.close()
    catalogue.close()


def test_a_log_cut_short_shows_to_whoever_kept_its_head(unguarded: tuple[Catalogue, sqlite3.Connection]) -> None:
    catalogue, file = unguarded
    head = catalogue.audit.verify().head
    catalogue.apps.put("later")
    assert catalogue.audit.verify(head).whole
    assert catalogue.audit.verify(head[:16]).whole
    file.execute("DELETE FROM audit_log WHERE seq >= 17")
    assert catalogue.audit.verify().whole, "by itself it is a shorter log"
    report = catalogue.audit.verify(head)
    assert not report.whole
    assert "cut short" in report.problem
    for nonsense in ("", "f" * 15, "F" * 64, "f" * 65, "' OR 1 = 1; --  "):
        with pytest.raises(InvalidInput, match="is no hash"):
            catalogue.audit.verify(nonsense)
    file.close()
    catalogue.close()


def test_writers_of_several_threads_make_one_chain(catalogue: Catalogue) -> None:
    start = threading.Barrier(4)

    def write(number: int) -> None:
        start.wait()
        for turn in range(5):
            catalogue.apps.put(f"app-{number}-{turn}", by=str(number))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert len(changes(catalogue)) == 20
    assert catalogue.audit.verify().whole


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(words, words, st.dictionaries(words, st.integers(-9, 9) | words, max_size=2)), max_size=6),
       st.data())  # fmt: skip
def test_any_change_of_any_byte_shows(entries: list[tuple[str, str, dict[str, object]]], data: st.DataObject) -> None:
    rows: list[tuple[int, bytes, str]] = []
    for seq, (actor, subject, details) in enumerate(entries, start=1):
        previous = rows[-1][2] if rows else GENESIS
        entry = AuditEntry(
            seq=seq, time_ns=seq, actor=actor, action="x", subject=subject, details=details, previous=previous
        )
        rows.append((seq, entry_text(entry), entry_hash(entry_text(entry))))
    assert check_chain(rows).whole
    if rows:
        place = data.draw(st.integers(0, len(rows) - 1))
        seq, body, hash = rows[place]
        index = data.draw(st.integers(0, len(body) - 1))
        changed = bytes([*body[:index], body[index] ^ data.draw(st.integers(1, 255)), *body[index + 1 :]])
        report = check_chain([*rows[:place], (seq, changed, hash), *rows[place + 1 :]])
        assert (report.whole, report.broken_at) == (False, seq)
