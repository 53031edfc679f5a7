import subprocess
import sys
from pathlib import Path

import pytest

from noria.assemble.clock import now
from noria.assemble.environment import environment


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def test_the_commit_of_the_users_project_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "prompt.md").write_text("one")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    monkeypatch.chdir(tmp_path)
    head = git(tmp_path, "rev-parse", "HEAD")
    assert environment("1.2.3")["git_commit"] == head
    (tmp_path / "prompt.md").write_text("two")
    assert environment("1.2.3")["git_commit"] == head + "+changes"


def test_outside_of_git_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = environment("1.2.3")
    assert "git_commit" not in found
    assert found["noria"] == "1.2.3"
    assert str(found["python"]).split(".")[:2] == [str(part) for part in sys.version_info[:2]]
    assert int(found["cpus"]) >= 1


def test_the_clock_never_goes_backwards() -> None:
    times = [now() for _ in range(1000)]
    assert times == sorted(times)
