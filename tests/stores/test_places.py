"""Places that several processes share: here several rows, and once real processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from noria.stores.places import STALE_US, SharedPlaces, forget

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no workers")


def test_the_last_place_is_taken_once_and_one_that_is_left_by_anybody(tmp_path: Path) -> None:
    one, two = (SharedPlaces(tmp_path, row, 3).of("server") for row in (0, 2))
    assert one.take(2, 0, 0)
    assert two.take(2, 0, 0)
    assert not one.take(2, 0, 0)
    assert (one.taken, two.taken) == (2, 2)
    two.leave()
    assert one.take(2, 0, 0)
    assert not two.take(2, 0, 0)
    other = SharedPlaces(tmp_path, 1, 3).of("provider p")
    assert other.take(1, 0, 0)
    assert (other.taken, one.taken) == (1, 2)


def test_who_waits_longest_anywhere_comes_next_unless_their_process_stands_still(tmp_path: Path) -> None:
    one, two = (SharedPlaces(tmp_path, row, 2).of("server") for row in (0, 1))
    one.wait(1, 100, 150)
    two.wait(2, 90, 150)
    assert (one.waiting, two.waiting) == (3, 3)
    assert not one.take(5, 100, 200)
    assert not one.take(5, 199, 200), "nor does one who has just come pass by"
    assert two.take(5, 90, 200)
    two.wait(-1, 95, 200)
    assert not one.take(5, 100, 200 + STALE_US - 1)
    assert one.take(5, 100, 200 + STALE_US)
    two.wait(-1, 0, 300)
    assert one.take(5, 100, 300)
    assert one.waiting == 1


def test_what_a_process_had_is_free_when_it_is_forgotten(tmp_path: Path) -> None:
    one, two = (SharedPlaces(tmp_path, row, 2).of("server") for row in (0, 1))
    two.wait(1, 10, 10)
    assert two.take(1, 10, 10)
    assert not one.take(1, 5, 20)
    forget(tmp_path, 1, 2)
    assert (one.taken, one.waiting) == (0, 0)
    assert one.take(1, 20, 20)
    forget(tmp_path / "gone", 1, 2)


def test_of_processes_that_come_together_one_alone_has_the_only_place(tmp_path: Path) -> None:
    program = """
import os, sys
from pathlib import Path
from noria.stores.places import SharedPlaces
folder, had = sys.argv[1], 0
places = SharedPlaces(Path(folder), int(sys.argv[2]), 2).of("server")
print("there", flush=True)
sys.stdin.read()
while had < 500:
    if places.take(1, 0, 0):
        os.close(os.open(folder + "/alone", os.O_CREAT | os.O_EXCL))  # fails where another one is there
        had += 1
        os.unlink(folder + "/alone")
        places.leave()
print(had)
"""
    (tmp_path / "alone").mkdir()
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "alone"), str(row)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for row in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
    for process in processes:
        assert process.stdout is not None
        with process.stdout as said:
            assert said.read() == "500\n"
        assert process.wait() == 0
