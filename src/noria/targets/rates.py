"""What a token costs: the published list, read once for each model so that a call's price is a few multiplications.

Source: genai-prices (https://github.com/pydantic/genai-prices), whose price list ships with the package; nothing is
fetched. Its own calculator takes a hundred microseconds a call; a test holds the two equal for models drawn from the list.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from noria.core.replies import Usage

_MTOK = 1_000_000


class Tiered(NamedTuple):
    """A rate that depends on the length of the prompt; a tier's rate then holds for all tokens of the call."""

    base: float
    """US dollars a token."""
    tiers: tuple[tuple[int, float], ...]
    """More prompt tokens than so many -> US dollars a token, the highest first."""

    def at(self, input_tokens: int) -> float:
        """The rate of a call."""
        for start, rate in self.tiers:
            if input_tokens > start:
                return rate
        return self.base


Rate = float | Tiered | None
"""US dollars a token; None where it is unknown."""


class Rates(NamedTuple):
    """The prices of one model at one time, US dollars."""

    input: Rate = None
    """A prompt token."""
    cached: Rate = None
    """One that was read from the provider's cache; None: as any."""
    written: Rate = None
    """One that was written into it; None: as any."""
    output: Rate = None
    """A generated token."""
    reasoning: Rate = None
    """One that was thinking; None: as any."""
    request: float = 0.0
    """A call."""

    @property
    def known(self) -> bool:
        """Whether anything has a price."""
        return self.input is not None or self.output is not None or self.request > 0

    def cost(self, usage: Usage) -> float | None:
        """US dollars for one call; None where a price is missing, or the counts contradict each other.

        Cached and written tokens are part of the input and thinking is part of the output: none is paid twice.
        """
        input, output, cached, written = (
            self.input,
            self.output,
            usage.cached_tokens or 0,
            usage.cache_write_tokens or 0,
        )
        fresh, length = usage.input_tokens - cached - written, usage.input_tokens
        if fresh < 0 or cached < 0 or written < 0 or usage.output_tokens < 0 or not self.known:
            return None
        counts = [(fresh, input), (usage.output_tokens, output)]
        if cached:
            counts.append((cached, input if self.cached is None else self.cached))
        if written:
            counts.append((written, input if self.written is None else self.written))
        if self.reasoning is not None and usage.reasoning_tokens:
            thought = min(usage.reasoning_tokens, usage.output_tokens)
            counts[1] = (usage.output_tokens - thought, output)
            counts.append((thought, self.reasoning))
        total = self.request
        for count, rate in counts:
            if count:
                if rate is None:
                    return None
                total += count * (rate.at(length) if isinstance(rate, Tiered) else rate)
        return total


UNKNOWN = Rates()
"""No price."""


class Listed:
    """A model of the published list. Some prices have begun on a day, or hold for some hours of each."""

    def __init__(self, card: Any) -> None:
        self._card = card

    def at(self, now_ns: int) -> Rates:
        """The rates at a moment, nanoseconds since 1970 UTC."""
        return _rates(self._card.get_prices(datetime.fromtimestamp(now_ns / 1e9, UTC)).__dict__)


@functools.lru_cache(maxsize=4096)
def listed(provider: str, model: str, base_url: str = "") -> Listed | None:
    """A model in the published list; one that nobody knows is looked for once.

    Arguments:
        provider: as genai-prices names it (``openai``, ``anthropic`` ...).
        model: the provider's name of the model; dated versions are recognised.
        base_url: where it is called: tells the provider where its name does not.
    """
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415  # 80 ms that only priced calls should pay

    for id, url in ((provider, None), (None, base_url)):
        if id or url:
            try:
                return Listed(get_snapshot().find_provider_model(model, None, id, url)[1])
            except LookupError:
                continue
    return None


def _rates(prices: Mapping[str, Any]) -> Rates:
    input, output = prices.get("input_mtok"), prices.get("output_mtok")
    request = prices.get("requests_kcount")
    if input is None and output is None and request is None:
        return UNKNOWN  # paid by the hour, the letter or the page, which nobody counts here
    return Rates(
        input=_rate(input) or 0.0,
        cached=_rate(prices.get("cache_read_mtok")),
        written=_rate(prices.get("cache_write_mtok")),
        output=_rate(output) or 0.0,
        reasoning=_rate(prices.get("output_reasoning_mtok")),
        request=float(request) / 1000 if request is not None else 0.0,
    )


def _rate(price: Any) -> Rate:
    if price is None:
        return None
    tiers = getattr(price, "tiers", None)
    if tiers is None:
        return float(price) / _MTOK
    ordered = sorted(((tier.start, float(tier.price) / _MTOK) for tier in tiers), reverse=True)
    return Tiered(float(price.base) / _MTOK, tuple(ordered))
