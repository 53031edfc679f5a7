"""Processes tell each other of breakers that opened: here several rows of one file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from noria.stores.openings import LATEST, Openings
from noria.stores.places import SharedPlaces, forget

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no workers")


def test_what_one_tells_all_know_and_of_several_the_latest(tmp_path: Path) -> None:
    one, two, three = (Openings(tmp_path, row, 3).of("p/m") for row in range(3))
    assert one.until_s == two.until_s == 0
    two.tell(105.5)
    assert (one.until_s, two.until_s, three.until_s) == (105.5, 105.5, 105.5)
    three.tell(110.25)
    one.tell(107)
    assert one.until_s == two.until_s == 110.25
    assert Openings(tmp_path, 0, 3).of("p/other").until_s == 0
    assert Openings(tmp_path, 0, 3).of("p/m").until_s == 110.25


def test_only_the_latest_of_a_process_are_kept(tmp_path: Path) -> None:
    told, heard = Openings(tmp_path, 0, 2), Openings(tmp_path, 1, 2)
    for number in range(LATEST + 5):
        told.of(f"p/{number}").tell(1000 + number)
    assert [heard.of(f"p/{number}").until_s for number in (4, 5, LATEST + 4)] == [0, 1005, 1004 + LATEST]


def test_a_process_that_is_gone_takes_nothing_of_the_others_along(tmp_path: Path) -> None:
    one, two = (Openings(tmp_path, row, 2).of("p/m") for row in range(2))
    places = SharedPlaces(tmp_path, 0, 2).of("server")
    assert places.take(5, 0, 0)
    one.tell(100)
    two.tell(90)
    forget(tmp_path, 1, 2)
    assert one.until_s == two.until_s == 100
    two.tell(120)
    assert one.until_s == 120
    assert places.taken == 1


def test_what_a_process_tells_that_came_in_the_place_of_a_killed_one_is_heard(tmp_path: Path) -> None:
    killed, heard = (Openings(tmp_path, row, 2) for row in range(2))
    killed.of("p/m").tell(100)
    assert heard.of("p/m").until_s == 100
    forget(tmp_path, 0, 2)
    Openings(tmp_path, 0, 2).of("p/other").tell(200)  # as many as the killed one had told
    assert heard.of("p/other").until_s == 200
