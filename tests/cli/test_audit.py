"""``noria audit``: what a person sees, and what a script can rely on."""

import sqlite3
from contextlib import closing

from noria_cli import Noria


def test_changes_are_listed_and_the_log_verifies(noria: Noria) -> None:
    assert noria.here("apps", "create", "triage").exit_code == 0
    listed = noria.here("audit", "list").stdout
    assert "app.made" in listed
    assert "triage" in listed
    report = noria.json("audit", "verify")
    assert report["whole"]
    assert noria.here("audit", "verify", "--head", report["head"]).exit_code == 0
    assert [entry["subject"] for entry in noria.json("audit", "list", "--action", "app.")] == ["triage"]
    assert "No such entries" in noria.here("audit", "list", "--action", "nothing").stdout


def test_a_log_that_was_changed_is_an_exit_code(noria: Noria) -> None:
    noria.here("apps", "create", "triage")
    head = noria.json("audit", "verify")["head"]
    with closing(sqlite3.connect(noria.folder / "catalogue.sqlite")) as file, file:
        file.execute("DROP TRIGGER audit_log_no_update")
        file.execute("UPDATE audit_log SET body = replace(body, 'triage', 'another')")
    result = noria.here("audit", "verify", "--head", head)
    assert result.exit_code == 1
    assert "NOT whole" in result.stdout
    assert noria.here("audit", "verify", "--head", "nonsense").exit_code == 2
