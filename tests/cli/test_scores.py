"""Judging by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from noria_cli import Noria, write_project


@pytest.fixture
def trace(noria: Noria, tmp_path: Path) -> str:
    """One call on record."""
    assert noria.here("eval", write_project(tmp_path / "project", cases=1)).exit_code == 0
    return str(noria.json("traces", "list")[0]["trace_id"])


def test_a_score_is_added_listed_and_shown(noria: Noria, trace: str) -> None:
    added = noria.here("scores", "add", trace[:12], "helpful", "true", "--reason", "the user said so")
    assert added.output.strip() == f"helpful = true on trace {trace[:12]}"
    [found] = noria.json("scores", "list", "--scorer", "helpful")
    assert (found["value"], found["source"], found["reason"]) == (True, "human", "the user said so")
    assert found["span_id"] == noria.json("traces", "show", trace)["spans"][0]["span_id"]
    assert "helpful = true" in noria.here("traces", "show", trace).output
    table = noria.here("scores", "list", "--source", "human").output
    assert "helpful" in table
    assert "the user said so" in table
    assert noria.json("scores", "list", "--trace", "0" * 32) == []


def test_a_score_on_a_span_that_is_not_there_yet_is_shown_with_the_trace(noria: Noria, trace: str) -> None:
    noria.here("scores", "add", trace, "late", "0.5", "--span", "ab" * 8)
    assert "late = 0.500" in noria.here("traces", "show", trace).output


def test_values_as_typed(noria: Noria, trace: str) -> None:
    typed = {"false": False, "3": 3, "-0.5": -0.5, "good": "good", "1e3": "1e3", "True": "True"}
    for text in typed:
        assert noria.here("scores", "add", "--json", trace, f"as {text}", "--", text).exit_code == 0
    found = {score["scorer"].removeprefix("as "): score["value"] for score in noria.json("scores", "list")}
    assert {text: (found[text], type(found[text])) for text in typed} == {
        text: (value, type(value)) for text, value in typed.items()
    }


def test_what_can_not_be_judged(noria: Noria, trace: str) -> None:
    nobody = noria.here("scores", "add", "ffff", "s", "1")
    assert (nobody.exit_code, "There is no trace 'ffff'" in nobody.stderr) == (2, True)
    wrong = noria.here("scores", "add", trace, "s", "1", "--span", "xyz")
    assert (wrong.exit_code, "not 16 hex digits" in wrong.stderr) == (2, True)
    assert "No scores yet" in noria.here("scores", "list", "--scorer", "s").output
