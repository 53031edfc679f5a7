"""Temporary folders of processes that were killed go when the next one starts; nobody else's do."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from noria.stores.own_folder import own_folder

OWNER = """
import subprocess, sys, time
from noria.stores.own_folder import own_folder
with own_folder("up") as own:
    (own.path / "something").touch()
    heir = ["sleep", "60"] if sys.argv[1] == "heir" else None
    pid = subprocess.Popen(heir, pass_fds=[own.lock]).pid if heir else 0
    print(own.path, pid, flush=True)
    time.sleep(60)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no open folder")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


@contextlib.contextmanager
def owner(kind: str = "alone") -> Iterator[tuple[subprocess.Popen[str], Path, int]]:
    """A process that has such a folder, the folder, and the process that it started for it."""
    with subprocess.Popen([sys.executable, "-c", OWNER, kind], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        path, pid = process.stdout.readline().split()
        try:
            yield process, Path(path), int(pid)
        finally:
            process.kill()


def test_what_the_killed_have_left_goes_and_nothing_else(place: Path) -> None:
    made_just_now, elsewhere = place / "noria-up-young", place / "elsewhere"
    made_just_now.mkdir()
    elsewhere.mkdir()
    (elsewhere / ".owner").touch()
    (place / "noria-up-link").symlink_to(elsewhere)
    with owner() as (alive, living, _), owner() as (killed, left, _):
        killed.kill()
        killed.wait()
        assert (left / "something").exists()
        with own_folder("workers") as own:
            assert not left.exists()
            assert own.path.stat().st_mode & 0o777 == 0o700
            with own_folder("serve"):
                assert own.path.exists()
        assert alive.poll() is None
        assert {path.name for path in place.iterdir()} == {living.name, "noria-up-young", "noria-up-link", "elsewhere"}
    assert (elsewhere / ".owner").exists()


def test_whoever_uses_it_still_keeps_it() -> None:
    with owner("heir") as (killed, left, heir):
        killed.kill()
        killed.wait()
        with own_folder("up"):
            assert left.exists()
        os.kill(heir, 9)
        while left.exists():
            with own_folder("up"):
                pass
