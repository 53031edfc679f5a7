"""What a call costs, from published prices.

Source: genai-prices (https://github.com/pydantic/genai-prices), whose price list ships with the package; nothing is
fetched.
"""

from __future__ import annotations

from datetime import UTC, datetime

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
    import genai_prices  # noqa: PLC0415  # 80 ms that only priced calls should pay

    tokens = genai_prices.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_tokens,
    )
    try:
        found = genai_prices.calc_price(tokens, model, provider_id=provider, genai_request_timestamp=at)
    except (LookupError, ValueError):  # no such provider or model; or token counts that contradict each other
        return None
    return float(found.total_price)


def price_of(span: Span) -> float | None:
    """US dollars for the call that ``span`` records; of the earlier call, as if made again, where it was cached."""
    if span.provider == LOCAL:
        return 0.0
    model = span.response_model or span.request_model
    if not (span.provider and model) or span.input_tokens is None or span.output_tokens is None:
        return None
    usage = Usage(input_tokens=span.input_tokens, output_tokens=span.output_tokens, cached_tokens=span.cached_tokens)
    return price(span.provider, model, usage, at=datetime.fromtimestamp(span.start_ns / 1e9, UTC))
