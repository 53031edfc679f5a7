"""What a call costs, from published prices.

Source: genai-prices (https://github.com/pydantic/genai-prices), whose price list ships with the package; nothing is
fetched.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from noria.core.events import Usage
from noria.core.spans import Span

LOCAL = "local"


def price(provider: str, model: str, usage: Usage, *, at: datetime | None = None) -> float | None:
    """US dollars for one call; None where the price is unknown.

    A local model costs nothing per token, which is known, so its price is 0.0: machine time is not priced here.

    Arguments:
        provider: as genai-prices names it (``openai``, ``anthropic`` ...), or ``local``.
        model: the provider's name of the model; dated versions are recognised.
        usage: the tokens.
        at: moment of the call, because prices change; by default the latest price.
    """
    if provider == LOCAL:
        return 0.0
    known = _known(provider, model)
    if known is None:
        return None
    of, card = known
    prices = card.get_prices(at or datetime.now(UTC)).__dict__
    simple = _simple_price(prices, usage)
    if simple is not None:
        return simple
    import genai_prices  # noqa: PLC0415  # 80 ms that only priced calls should pay

    tokens = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens,
    )
    try:
        return float(card.calc_price(tokens, of, genai_request_timestamp=at).total_price)
    except (LookupError, ValueError):  # token counts that contradict each other
        return None


@functools.lru_cache(maxsize=4096)
def _known(provider: str, model: str) -> tuple[Any, Any] | None:
    """The price list's entries for a provider and its model; a model that nobody knows is looked for once."""
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415  # see above

    try:
        return get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return None


def _simple_price(prices: Mapping[str, Any], usage: Usage) -> float | None:
    """The price where each kind of token has one; None for tiers and fees, which the price list's own calculator knows.

    That calculator costs more than all else about a span from elsewhere (decision 0010 has the numbers). A test holds the
    two equal for models drawn from the list.
    """
    cached = usage.cached_tokens or 0
    if not prices.keys() <= _PER_TOKEN or not 0 <= cached <= usage.input_tokens:
        return None
    input, output = prices.get("input_mtok"), prices.get("output_mtok", _NOTHING)
    from_cache = prices.get("cache_read_mtok") or input
    if not (isinstance(input, Decimal) and isinstance(output, Decimal) and isinstance(from_cache, Decimal)):
        return None
    total = input * (usage.input_tokens - cached) + from_cache * cached + output * usage.output_tokens
    return float(total / 1_000_000)


_NOTHING = Decimal(0)
_PER_TOKEN = frozenset(
    {
        "input_mtok",
        "output_mtok",
        "cache_read_mtok",
        "cache_write_mtok",
        "cache_write_1h_mtok",
        "input_audio_mtok",
        "output_audio_mtok",
        "cache_audio_read_mtok",
        "web_searches_kcount",
        "storage_searches_kcount",
    }
)
"""Prices of tokens and services by the piece; those that nobody counted cost nothing."""


def price_of(span: Span) -> float | None:
    """US dollars for the call that ``span`` records; of the earlier call, as if made again, where it was cached."""
    if span.provider == LOCAL:
        return 0.0
    model = span.response_model or span.request_model
    if not (span.provider and model) or span.input_tokens is None or span.output_tokens is None:
        return None
    usage = Usage(input_tokens=span.input_tokens, output_tokens=span.output_tokens, cached_tokens=span.cached_tokens)
    return price(span.provider, model, usage, at=datetime.fromtimestamp(span.start_ns / 1e9, UTC))
