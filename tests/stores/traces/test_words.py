"""The rule of words, and the regular expression that says the same."""

from __future__ import annotations

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from trace_records import span

from noria.core.errors import InvalidInput
from noria.stores.traces.words import fold, found, pattern, phrases, words

pieces = st.lists(
    st.sampled_from(["foo", "BAR", "7", "é", "世", "İ", "ς", "Σ", " ", "-", "_", "\n", "\0", "—", '"', "\\n"]),
    max_size=7,
)


def test_words() -> None:
    assert words("The café's GPT-4o:\n你好, x_1 №²") == ["the", "caf", "é", "s", "gpt", "4o", "你", "好", "x", "1"]
    assert words("") == words(" -—…\0²") == []
    assert fold("İΣΑΣ ς ẞ K") == "iσασ ς ß k"


def test_what_a_search_text_asks_for() -> None:
    assert phrases("a b a") == (("a",), ("b",))
    assert phrases('x "a  b" c-d "e') == (("x",), ("a", "b"), ("c", "d"), ("e",))
    assert phrases('"" a"b"c') == (("a",), ("b",), ("c",))
    with pytest.raises(InvalidInput, match="no word"):
        phrases(' "" — ')


@given(said=pieces.map("".join), asked=pieces.map("".join))
def test_the_expression_matches_where_the_phrase_occurs(said: str, asked: str) -> None:
    phrase = tuple(words(asked))
    if phrase:
        matched = regex.search(pattern(phrase), fold(said)) is not None
        assert matched == found(span(1, name=said), [phrase])
