import pytest
from hypothesis import given
from hypothesis import strategies as st

from noria.scorers.token_f1 import token_f1

from .subjects import judged, value


async def test_the_examples():
    assert await value("token_f1", "the Eiffel Tower", "Eiffel tower!") == 1
    assert await value("token_f1", "big Eiffel Tower", "Eiffel Tower") == pytest.approx(0.8)
    assert await value("token_f1", "Rome", ["Paris", "Rome, Italy"]) == pytest.approx(2 / 3)
    assert await value("token_f1", "cat cat cat", "cat") == pytest.approx(0.5)
    assert await value("token_f1", "", "") == 1
    assert await value("token_f1", "the", "x") == 0
    assert (await judged("token_f1", "a b c d", "b c")).metadata == pytest.approx({"precision": 2 / 3, "recall": 1.0})


@given(st.text("ab c.", max_size=20), st.text("ab c.", max_size=20))
def test_swapping_the_sides_swaps_precision_and_recall(ours, theirs):
    precision, recall, f1 = token_f1(ours, theirs)
    assert token_f1(theirs, ours) == pytest.approx((recall, precision, f1))
    assert 0 <= f1 <= 1
