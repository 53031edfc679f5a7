"""Effort in words and in tokens."""

import pytest

from noria.wires.effort import effort_of, tokens_of


@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "xhigh", "max"])
def test_an_effort_survives_the_way_through_tokens(effort: str) -> None:
    tokens = tokens_of(effort)
    assert tokens is not None
    assert effort_of(tokens) == effort
    assert effort_of(max(0, tokens - 1)) == effort


def test_what_the_table_does_not_hold() -> None:
    assert tokens_of("heroic") is None
    assert effort_of(-1) == "medium"
    assert effort_of(10**9) == "max"
