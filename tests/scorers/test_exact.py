import pytest

from .subjects import judged, value


@pytest.mark.parametrize(
    ("answer", "reference", "options", "right"),
    [
        ("Paris", "Paris", {}, True),
        (" Paris\n", "Paris", {}, True),
        (" Paris\n", "Paris", {"strip": False}, False),
        ("paris", "Paris", {}, False),
        ("paris", "Paris", {"ignore_case": True}, True),
        ("Paris.", "Paris", {}, False),
        ("Paris.", "Paris", {"ignore_punctuation": True}, True),
        ("the Eiffel  Tower", "Eiffel Tower", {"ignore_articles": True}, True),
        ("42", 42, {}, True),
        ("true", True, {}, True),
        ("b", ["a", "b"], {}, True),
        ("c", ["a", "b"], {}, False),
        ("", "", {}, True),
    ],
)
async def test_exact(answer, reference, options, right):
    assert await value("exact", answer, reference, **options) is right


async def test_it_says_what_was_expected_and_abstains_without_a_reference():
    score = await judged("exact", "Rome", ["Paris", "London"])
    assert score.reason == "The answer 'Rome' is not 'Paris' or 'London'."
    assert (score.scorer, score.source) == ("my_exact", "code")
    assert await judged("exact", "Rome") is None
