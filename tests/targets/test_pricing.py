"""Prices, against those the providers publish."""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import genai_prices
import msgspec
import pytest
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from noria.core.messages import Message
from noria.core.prices import AgreedPrice
from noria.core.replies import Usage
from noria.core.requests import Parameters, Request
from noria.core.spans import Span
from noria.targets.estimate import expected_usage
from noria.targets.pricing import Prices, price, price_of
from noria.targets.rates import Rates, Tiered

SPAN = Span(
    trace_id="t",
    span_id="s",
    name="chat",
    start_ns=1_730_000_000_000_000_000,
    end_ns=1_730_000_001_000_000_000,
    provider="openai",
    request_model="gpt-4o",
    input_tokens=1_000_000,
    output_tokens=100_000,
)


@pytest.mark.parametrize(
    ("provider", "model", "usage", "dollars"),
    [
        # https://openai.com/api/pricing, 2024-10: gpt-4o 2.50 in, 1.25 cached, 10.00 out, per million tokens
        ("openai", "gpt-4o", Usage(input_tokens=1_000_000, output_tokens=100_000), 2.50 + 1.00),
        (
            "openai",
            "gpt-4o-2024-08-06",
            Usage(input_tokens=1_000_000, output_tokens=0, cached_tokens=400_000),
            1.50 + 0.50,
        ),
        # https://www.anthropic.com/pricing, 2024-03: Claude 3 Haiku 0.25 in, 1.25 out, per million tokens
        ("anthropic", "claude-3-haiku-20240307", Usage(input_tokens=2_000_000, output_tokens=1_000_000), 0.50 + 1.25),
    ],
)
def test_published_prices(provider: str, model: str, usage: Usage, dollars: float) -> None:
    assert price(provider, model, usage) == pytest.approx(dollars)


@pytest.mark.parametrize(("provider", "model"), [("openai", "no-such-model"), ("my-own-server", "gpt-4o")])
def test_an_unknown_price_is_none_and_never_zero(provider: str, model: str) -> None:
    assert price(provider, model, Usage(input_tokens=1, output_tokens=1)) is None


def test_counts_that_contradict_each_other_have_no_price() -> None:
    assert price("openai", "gpt-4o", Usage(input_tokens=1, output_tokens=1, cached_tokens=5)) is None


def test_every_model_of_the_list_costs_what_its_own_calculator_says() -> None:
    chance = random.Random(1)
    at = datetime(2026, 11, 25, 12, tzinfo=UTC)
    models = [(provider.id, model.id) for provider in get_snapshot().providers for model in provider.models]
    assert len(models) > 1000
    for provider, model in chance.sample(models, 500):
        tokens, answered = chance.randrange(300_000), chance.randrange(5_000)
        cached = chance.choice([None, 0, chance.randrange(tokens + 1)])
        written = chance.choice([None, 0, chance.randrange(tokens + 1 - (cached or 0))])
        thought = chance.choice([None, chance.randrange(answered + 1)])
        usage = genai_prices.Usage(
            input_tokens=tokens,
            output_tokens=answered,
            cache_read_tokens=cached,
            cache_write_tokens=written,
            output_reasoning_tokens=thought,
        )
        try:
            expected = float(
                genai_prices.calc_price(usage, model, provider_id=provider, genai_request_timestamp=at).total_price
            )
        except (LookupError, ValueError):
            expected = None
        counted = Usage(
            input_tokens=tokens,
            output_tokens=answered,
            cached_tokens=cached,
            cache_write_tokens=written,
            reasoning_tokens=thought,
        )
        found = price(provider, model, counted, at=at)
        if expected == 0.0 and found is None:
            continue  # paid by the hour or the letter, which the calculator was told nothing about
        assert found == (None if expected is None else pytest.approx(expected, rel=1e-9)), (provider, model, usage)


def test_local_models_are_known_to_cost_nothing_per_token() -> None:
    assert price("local", "smollm2-135m", Usage(input_tokens=1, output_tokens=1)) == 0.0
    assert price_of(msgspec.structs.replace(SPAN, provider="local", input_tokens=None)) == 0.0


def test_a_span_is_priced_by_the_model_that_answered() -> None:
    assert price_of(SPAN) == pytest.approx(3.5)
    mini = msgspec.structs.replace(SPAN, response_model="gpt-4o-mini-2024-07-18")
    assert price_of(mini) == pytest.approx(0.15 + 0.06)


@pytest.mark.parametrize(
    "lacking", [{"provider": None}, {"request_model": None}, {"input_tokens": None}, {"output_tokens": None}]
)
def test_a_span_that_lacks_something_has_no_price(lacking: dict[str, Any]) -> None:
    assert price_of(msgspec.structs.replace(SPAN, **lacking)) is None


def test_the_price_list_is_loaded_only_for_priced_calls() -> None:
    code = "import sys, noria.targets.pricing; sys.exit('genai_prices' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


MIDNIGHT = 1_767_225_600 * 10**9
"""2026-01-01, UTC."""
DAY = 86_400 * 10**9
TOKENS = Usage(
    input_tokens=1_000_000,
    output_tokens=100_000,
    cached_tokens=400_000,
    cache_write_tokens=100_000,
    reasoning_tokens=50_000,
)


@pytest.mark.parametrize(
    ("agreed", "dollars"),
    [
        # gpt-4o as published: 2.50 in, 1.25 cached, 10.00 out; written and thought as any
        ({}, 0.6 * 2.5 + 0.4 * 1.25 + 0.1 * 10),
        ({"input_per_mtok": 2.0}, 1.0 * 2.0 + 0.1 * 10),
        ({"input_per_mtok": 2.0, "cached_input_per_mtok": 0.5}, 0.6 * 2.0 + 0.4 * 0.5 + 0.1 * 10),
        ({"cache_write_per_mtok": 5.0}, 0.5 * 2.5 + 0.4 * 1.25 + 0.1 * 5 + 0.1 * 10),
        ({"output_per_mtok": 8.0}, 0.6 * 2.5 + 0.4 * 1.25 + 0.1 * 8),
        ({"reasoning_per_mtok": 4.0}, 0.6 * 2.5 + 0.4 * 1.25 + 0.05 * 10 + 0.05 * 4),
        ({"per_request": 0.25}, 0.6 * 2.5 + 0.4 * 1.25 + 0.1 * 10 + 0.25),
        ({"input_per_mtok": 0.0, "output_per_mtok": 0.0}, 0.0),
    ],
)
def test_a_contract_changes_what_it_names_and_no_token_is_paid_twice(agreed: dict[str, float], dollars: float) -> None:
    prices = Prices({"openai/gpt-4o": AgreedPrice(**agreed)} if agreed else {})
    assert prices.price("openai", "gpt-4o-2024-08-06", TOKENS, MIDNIGHT, asked="gpt-4o") == pytest.approx(dollars)


def test_contracts_begin_on_their_day_and_names_go_before_patterns() -> None:
    prices = Prices(
        {
            "mine/*": AgreedPrice(input_per_mtok=1.0),
            "mine/big": [
                AgreedPrice(input_per_mtok=9.0, since="2026-01-02"),
                AgreedPrice(input_per_mtok=5.0, since="2026-01-01"),
            ],
        }
    )
    usage = Usage(input_tokens=1_000_000, output_tokens=0)
    assert [prices.price("mine", "big", usage, MIDNIGHT + at) for at in (-1, 0, DAY - 1, DAY)] == [None, 5.0, 5.0, 9.0]
    assert prices.price("mine", "small", usage, MIDNIGHT) == 1.0
    more = Usage(input_tokens=0, output_tokens=1)
    assert prices.price("mine", "small", more, MIDNIGHT) is None, "the output has no price"
    assert prices.price("other", "small", usage, MIDNIGHT) is None


def test_a_provider_under_another_name_is_known_by_its_address() -> None:
    named = Prices(servers={"eu": "https://api.openai.com/v1", "lab": "http://10.0.0.7:8000/v1"})
    usage = Usage(input_tokens=1_000_000, output_tokens=0)
    assert named.price("eu", "gpt-4o", usage, MIDNIGHT) == pytest.approx(2.5)
    assert named.price("lab", "gpt-4o", usage, MIDNIGHT) is None


def test_long_prompts_pay_their_tier_for_the_whole_call() -> None:
    rates = Rates(input=Tiered(1e-6, ((200_000, 2e-6),)), output=Tiered(10e-6, ((200_000, 15e-6),)))
    assert rates.cost(Usage(input_tokens=200_000, output_tokens=1000)) == pytest.approx(0.2 + 0.01)
    assert rates.cost(Usage(input_tokens=200_001, output_tokens=1000)) == pytest.approx(0.400002 + 0.015)


def test_what_people_are_shown_of_a_price() -> None:
    prices = Prices({"openai/gpt-4o": AgreedPrice(per_request=0.01)})
    tag = prices.tag("openai", "gpt-4o", MIDNIGHT)
    assert (tag.known, tag.agreed, tag.input_per_mtok, tag.per_request) == (True, True, 2.5, 0.01)
    assert not prices.tag("mine", "big", MIDNIGHT).known


counts = st.integers(0, 10**7)


@given(counts, counts, counts, counts, counts)
def test_a_cost_grows_with_every_count(fresh: int, cached: int, written: int, said: int, thought: int) -> None:
    rates = Rates(input=2e-6, cached=1e-6, written=3e-6, output=8e-6, reasoning=4e-6, request=0.1)
    usage = Usage(
        input_tokens=fresh + cached + written,
        output_tokens=said + thought,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=thought,
    )
    expected = fresh * 2e-6 + cached * 1e-6 + written * 3e-6 + said * 8e-6 + thought * 4e-6 + 0.1
    assert rates.cost(usage) == pytest.approx(expected)


@given(st.lists(st.text(max_size=300), max_size=5), st.none() | st.integers(0, 10**6), st.integers(1, 5))
def test_an_estimate_counts_the_text_and_the_limit(texts: list[str], most: int | None, n: int) -> None:
    messages = tuple(Message(role="user", content=text) for text in texts)
    request = Request(model="openai/gpt-4o", messages=messages, params=Parameters(max_tokens=most), n=n)
    usage = expected_usage(request)
    size = sum(len(text.encode(errors="replace")) for text in texts)
    assert usage.input_tokens == -(-size // 3) + 4 * len(texts)
    assert usage.output_tokens == (1000 if most is None else most) * n
    cost = Prices().estimate(request, "openai", "gpt-4o", MIDNIGHT)
    assert cost == pytest.approx((usage.input_tokens * 2.5 + usage.output_tokens * 10) / 1e6)
