"""Nothing is lost in silence between any two wires, and docs/fidelity.md says what becomes of everything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from noria.core.events import Delta, Started, Stopped, ToolCallDelta
from wires.matrix.asked import FEATURES, Feature
from wires.matrix.seen import FROM, INS, OUTS, REPLIES, answered, asked, page, streamed_back, written

PAGE = Path(__file__).parents[3] / "docs" / "fidelity.md"


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_what_is_asked_for_arrives_or_is_refused(feature: Feature) -> None:
    found = {(wire, out): asked(feature, wire, out) for wire in INS for out in OUTS}
    assert [where for where, cell in found.items() if cell == "LOST"] == []


@pytest.mark.parametrize("name", REPLIES)
def test_what_a_provider_says_is_told_or_said_to_be_left_out(name: str) -> None:
    found = {(wire, out): answered(name, wire, out) for wire in INS for out in FROM}
    assert [where for where, cell in found.items() if cell == "LOST"] == []


@pytest.mark.parametrize("wire", INS)
def test_arguments_of_parallel_calls_that_come_in_turns_are_told_each_to_its_own(wire: str) -> None:
    pieces = [(0, "f", '{"a"'), (1, "g", '{"b"'), (0, "", ": 1}"), (1, "", ": [2"), (1, "", "]}")]
    calls = [
        ToolCallDelta(index=index, id=f"c{index}" if name else "", name=name, arguments=arguments)
        for index, name, arguments in pieces
    ]
    events = [Started(model="m"), *(Delta(tool_calls=(call,)) for call in calls), Stopped(reason="tool_calls")]
    back = streamed_back(wire, written(wire, events))
    said = [(call.name, json.loads(call.arguments)) for call in back.choices[0].message.tool_calls]
    assert said == [("f", {"a": 1}), ("g", {"b": [2]})]
    assert back.choices[0].finish_reason == "tool_calls"


def test_the_page_says_what_is_so() -> None:
    assert PAGE.read_text() == page(), "run `python -m wires.matrix` in tests/ if this is meant"
