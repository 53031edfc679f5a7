"""Where in a configuration something is refused, by the names of its entries and the line of the file."""

from __future__ import annotations

import tomllib
from typing import Annotated

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.core.refusals import line_of, told


class _Thing(msgspec.Struct, forbid_unknown_fields=True):
    size: int = 0
    parts: dict[str, int] = {}


class _All(msgspec.Struct, forbid_unknown_fields=True):
    things: dict[str, _Thing] = {}
    rows: list[_Thing] = []
    count: Annotated[int, msgspec.Meta(ge=0)] = 0


def _convert(values: object) -> _All:
    return msgspec.convert(values, _All)


@pytest.mark.parametrize(
    ("text", "place", "line"),
    [
        ("count = -1", "count", 1),
        ("\n# a\ncuont = 1", "cuont", 3),
        ('[things.a]\nsize = 1\n[things."b.c"]\nsize = "x"', "things.b.c.size", 4),
        ("[things.a]\nsize = 1\n[things.b.parts]\nx = 1\ny = 1.5", "things.b.parts.y", 5),
        ("[things.a]\nsize = 1\n[things.b]\nparts = { x = 1, y = 1.5 }", "things.b.parts.y", 4),
        ("[[rows]]\nsize = 1\n[[rows]]\nsize = 2\nseize = 3\n[[rows]]", "rows.1.seize", 5),
        ("[[rows]]\n[[rows]]\nsize = 1\n[rows.parts]\nx = 1.5\n[[rows]]", "rows.1.parts.x", 5),
        ('things.a.size = 1\nthings.b.size = "x"', "things.b.size", 2),
        ("rows = 1", "rows", 1),
        ("[things.a]\n[things.b]\nsize = 1.5\n[[rows]]\nseize = 1", "things.b.size", 3),
        ("[[rows]]\n[[rows]]\nparts = { x = 1, y = 1.5 }\n[things.a]\nseize = 1", "rows.1.parts.y", 3),
        ("[[rows]]\n[[rows]]\nparts = { x = 1, y = 1.5 }", "rows.1.parts.y", 3),
    ],
)
def test_a_mistake_is_found(text: str, place: str, line: int) -> None:
    values = tomllib.loads(text)
    with pytest.raises(msgspec.ValidationError) as caught:
        _convert(values)
    sentence, found = told(caught.value, values, _convert)
    assert (".".join(found), line_of(found, text)) == (place, line)
    assert "$" not in sentence


@given(st.text(max_size=200))
def test_no_text_stops_the_search(text: str) -> None:
    assert line_of(("things", "a"), text) is None or "things" in text


@given(
    st.recursive(
        st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["things", "rows", "count", "size", "parts", "x"]), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_whatever_is_refused_is_told(values: object) -> None:
    try:
        _convert(values)
    except msgspec.ValidationError as error:
        sentence, place = told(error, values, _convert)
        assert sentence
        assert all(isinstance(key, str) for key in place)
