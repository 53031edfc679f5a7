import time

import pytest

from noria.core.errors import InvalidInput, NoriaError
from noria.scorers.regex import MAX_CHARS

from .subjects import judged, scorer, value


async def test_a_pattern_may_match_anywhere_or_has_to_match_all():
    assert await value("regex", "order 1234 sent", pattern=r"\d{4}") is True
    assert await value("regex", "order 1234 sent", pattern=r"\d{4}", full=True) is False
    assert await value("regex", "YES", pattern="yes") is False
    assert await value("regex", "YES", pattern="yes", ignore_case=True) is True


async def test_a_group_is_compared_with_the_reference():
    options = {"pattern": r"Answer:\s*(?P<letter>[A-D])", "group": "letter"}
    score = await judged("regex", "I think.\nAnswer: C", "C", **options)
    assert (score.value, score.metadata) == (True, {"extracted": "C"})
    assert await value("regex", "Answer: B", ["A", "C"], **options) is False
    assert await value("regex", "No idea", "C", **options) is False
    assert await value("regex", "Answer: C", **options) is None
    assert await value("regex", "n: 7", 7, pattern=r"n: (\d)", group=1) is True
    assert await value("regex", "ab", "", pattern="a(x)?", group=1) is True


async def test_needs_follow_the_group():
    assert scorer("regex", pattern="x").needs == {"output"}
    assert scorer("regex", pattern="(x)", group=1).needs == {"output", "reference"}


async def test_a_catastrophic_pattern_is_stopped_and_is_a_failure_not_a_bad_score():
    started = time.perf_counter()
    with pytest.raises(NoriaError, match="was not done"):
        await judged("regex", "a" * 5_000 + "!", pattern=r"^(?:a|aa|a?a)+$", timeout_s=0.05)
    assert time.perf_counter() - started < 2


async def test_a_very_long_answer_is_a_failure():
    with pytest.raises(NoriaError, match="at most"):
        await judged("regex", "a" * (MAX_CHARS + 1), pattern="b")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"pattern": "("}, "is wrong"), ({"pattern": "x", "group": 1}, "no group 1"), ({}, "pattern")],
)
def test_wrong_patterns_are_refused_when_the_scorer_is_made(options, message):
    with pytest.raises(InvalidInput, match=message):
        scorer("regex", **options)
