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

from noria.core.events import Usage
from noria.core.spans import Span
from noria.targets.pricing import price, price_of

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
        usage = genai_prices.Usage(input_tokens=tokens, output_tokens=answered, cache_read_tokens=cached)
        try:
            expected = float(
                genai_prices.calc_price(usage, model, provider_id=provider, genai_request_timestamp=at).total_price
            )
        except (LookupError, ValueError):
            expected = None
        found = price(provider, model, Usage(input_tokens=tokens, output_tokens=answered, cached_tokens=cached), at=at)
        assert found == expected, (provider, model, usage)


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
