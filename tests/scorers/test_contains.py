import pytest

from noria.core.errors import InvalidInput

from .subjects import judged, scorer, value


@pytest.mark.parametrize(
    ("mode", "both", "one", "neither"),
    [("any", True, True, False), ("all", True, False, False), ("none", False, False, True)],
)
async def test_modes(mode, both, one, neither):
    options = {"texts": ["red", "blue"], "mode": mode}
    assert await value("contains", "red and blue", **options) is both
    assert await value("contains", "only red", **options) is one
    assert await value("contains", "green", **options) is neither


async def test_the_reference_is_looked_for_when_no_texts_are_given():
    assert await value("contains", "It is Paris.", "Paris") is True
    assert await value("contains", "It is paris.", "Paris") is False
    assert await value("contains", "It is paris.", "Paris", ignore_case=True) is True
    assert await value("contains", "It is Rome.", ["Paris", "Rome"], mode="all") is False
    assert await value("contains", "It is Rome.") is None


async def test_it_needs_a_reference_only_without_texts():
    assert scorer("contains").needs == {"output", "reference"}
    assert scorer("contains", texts=["x"]).needs == {"output"}


async def test_reason_and_found_texts():
    score = await judged("contains", "only red", texts=["red", "blue"], mode="all")
    assert score.reason == "The answer contains 'red' and lacks 'blue'."
    assert score.metadata == {"found": ["red"]}


async def test_empty_texts_are_refused():
    with pytest.raises(InvalidInput, match="texts"):
        scorer("contains", texts=[""])
    with pytest.raises(InvalidInput, match="empty text"):
        await judged("contains", "x", "")
