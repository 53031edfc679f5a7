"""What a provider lists is read, whatever it is: it comes from a server that may be anybody's."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.assemble.providers.model_lists import listed

json_bytes = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["data", "models", "id", "name", "model_id"]), inner, max_size=4)
    ),
)


@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b'{"data": [{"id": "gpt-5"}, {"id": "o3"}]}', ["gpt-5", "o3"]),
        (b'{"models": [{"name": "models/gemini-3"}]}', ["gemini-3"]),
        (b'{"model_id": "BAAI/bge"}', ["BAAI/bge"]),
        (b'{"data": [{"id": "line\\nbreak"}, {"id": ""}, {}, 3, {"id": "kept"}]}', ["kept"]),
        (b'{"data": 5}', []),
        (b'{"data": "text"}', []),
        (b'{"\xe2": 1}', []),
        (b"[" * 100_000, []),
        (b"<html>", []),
    ],
)
def test_names_are_found_where_there_are_any(body: bytes, names: list[str]) -> None:
    assert list(listed(body)) == names


@given(st.binary(max_size=200) | json_bytes.map(msgspec.json.encode))
def test_any_list_gives_names_that_can_be_shown(body: bytes) -> None:
    assert all(0 < len(name) <= 200 and name.isprintable() for name in listed(body))
