"""Nothing is lost in silence between any two wires, and docs/fidelity.md says what becomes of everything."""

from __future__ import annotations

from pathlib import Path

import pytest

from wires.matrix.asked import FEATURES, Feature
from wires.matrix.seen import FROM, INS, OUTS, REPLIES, answered, asked, page

PAGE = Path(__file__).parents[3] / "docs" / "fidelity.md"


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_what_is_asked_for_arrives_or_is_refused(feature: Feature) -> None:
    found = {(wire, out): asked(feature, wire, out) for wire in INS for out in OUTS}
    assert [where for where, cell in found.items() if cell == "LOST"] == []


@pytest.mark.parametrize("name", REPLIES)
def test_what_a_provider_says_is_told_or_said_to_be_left_out(name: str) -> None:
    found = {(wire, out): answered(name, wire, out) for wire in INS for out in FROM}
    assert [where for where, cell in found.items() if cell == "LOST"] == []


def test_the_page_says_what_is_so() -> None:
    assert PAGE.read_text() == page(), "run `python -m wires.matrix` in tests/ if this is meant"
