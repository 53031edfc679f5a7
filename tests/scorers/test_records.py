"""Scorers that read the record of the call, and length."""

import pytest

from noria.core.errors import InvalidInput

from .subjects import a_span, judged, scorer, value


async def test_latency_reads_the_span_and_abstains_where_there_is_no_such_time():
    assert await value("latency", span=a_span()) == 1.5
    assert await value("latency", span=a_span(ttft_s=0.25), of="ttft") == 0.25
    assert await value("latency", span=a_span(tpot_s=0.01), of="tpot") == 0.01
    assert await value("latency", span=a_span(), of="ttft") is None
    assert await value("latency") is None
    replay = a_span(cached=True, attributes={"noria.replayed.duration_s": 9.0})
    assert await value("latency", span=replay) == 9


async def test_an_unknown_cost_is_no_zero():
    assert await value("cost", span=a_span(cost_usd=0.002)) == 0.002
    assert await value("cost", span=a_span(cost_usd=0.0)) == 0
    assert await value("cost", span=a_span()) is None
    assert await value("cost") is None


async def test_output_tokens():
    assert await value("output_tokens", span=a_span(output_tokens=7)) == 7
    assert await value("output_tokens", span=a_span()) is None


@pytest.mark.parametrize("kind", ["latency", "cost", "output_tokens"])
def test_less_is_better_and_only_the_span_is_read(kind):
    assert scorer(kind).better == "lower"
    assert scorer(kind).needs == {"span"}


async def test_length():
    assert await value("length", "one two  three") == 3
    assert await value("length", "añb", unit="characters") == 3
    assert await value("length", "a\nb\n", unit="lines") == 2
    assert await value("length", "one two", max=2) is True
    assert await value("length", "one two", min=3) is False
    assert (await judged("length", "one two", min=1, max=1)).metadata == {"count": 2}
    assert scorer("length").better is None
    assert scorer("length", max=3).better == "higher"
    with pytest.raises(InvalidInput, match="min 3 is more than max 1"):
        scorer("length", min=3, max=1)
