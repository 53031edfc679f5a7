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


@pytest.mark.skipif(sys.platform == "win32", reason="the monitor is a shell script")
def test_a_strangers_project_runs_no_program_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    project.mkdir()
    git(project, "init", "-q")
    (project / "prompt.md").write_text("one")
    git(project, "add", ".")
    git(project, "commit", "-qm", "one")
    monitor = tmp_path / "monitor"
    monitor.write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\n")
    monitor.chmod(0o755)
    git(project, "config", "core.fsmonitor", str(monitor))
    monkeypatch.chdir(project)
    assert environment("1.2.3")["git_commit"]
    assert not (tmp_path / "ran").exists()
    git(project, "status")
    assert (tmp_path / "ran").exists(), "plain git would have run it"


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
