"""Prices: what was agreed with a provider, and what the published list says."""

from __future__ import annotations

from noria.core.struct import Noun


class AgreedPrice(Noun, forbid_unknown_fields=True, rename={"since": "from"}):
    """A price by contract, in US dollars. What it leaves out is as the published list says."""

    input_per_mtok: float | None = None
    """A million prompt tokens."""
    cached_input_per_mtok: float | None = None
    """A million of those that the provider read from its cache."""
    cache_write_per_mtok: float | None = None
    """A million of those that it wrote into its cache."""
    output_per_mtok: float | None = None
    """A million generated tokens."""
    reasoning_per_mtok: float | None = None
    """A million of those that were thinking; by default as the others."""
    per_request: float | None = None
    """Each call, beside its tokens."""
    since: str = ""
    """The first day, UTC, on which it holds, such as ``2027-01-01``; absent: from ever. Of several, the latest that has begun."""


class PriceTag(Noun):
    """What a model's calls cost, for people."""

    provider: str
    """The provider."""
    model: str
    """The model."""
    known: bool
    """Whether there is a price. Without one, the cost of calls is unknown, and no budget counts them."""
    agreed: bool = False
    """Whether a price of ``[prices]`` is in it."""
    input_per_mtok: float | None = None
    """A million prompt tokens, US dollars; of the lowest tier where there are several."""
    cached_input_per_mtok: float | None = None
    """A million cached ones."""
    cache_write_per_mtok: float | None = None
    """A million written to the cache."""
    output_per_mtok: float | None = None
    """A million generated ones."""
    reasoning_per_mtok: float | None = None
    """A million generated ones that were thinking."""
    per_request: float = 0.0
    """Each call."""
    tiers: tuple[int, ...] = ()
    """Numbers of prompt tokens above which other prices hold, for the whole call."""


class Unpriced(Noun):
    """A model whose calls cost nobody knows how much."""

    provider: str
    """The provider, as spans name it."""
    model: str
    """The model."""
    calls: int
    """Calls on record with counted tokens and without a cost."""
    input_tokens: int
    """Their prompt tokens."""
    output_tokens: int
    """Their generated tokens."""
