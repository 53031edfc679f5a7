"""What a call costs: by contract where there is one, else as published (:mod:`noria.targets.rates`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from noria.core.attributes import SPENT
from noria.core.keys import matches
from noria.core.prices import AgreedPrice, PriceTag
from noria.core.replies import Usage
from noria.core.requests import Request
from noria.core.spans import Span
from noria.targets.estimate import expected_usage
from noria.targets.metering import spent_in
from noria.targets.rates import UNKNOWN, Rate, Rates, Tiered, listed

LOCAL = "local"
CACHE_WRITES = "gen_ai.usage.cache_creation.input_tokens"
"""Attribute: prompt tokens that were written into the provider's cache."""
_MINUTE_NS = 60 * 10**9
_DAY_NS = 86_400 * 10**9
_MOST = 4096
_FREE = Rates(input=0.0, output=0.0)


class Prices:
    """The prices of all models.

    A local model costs nothing per token, which is known, so its price is 0.0: machine time is not priced here. A price
    that nobody knows is None, never 0.

    Arguments:
        agreed: prices by contract: ``provider/model``, where ``*`` stands for any text -> one or several by day. A whole
            name goes before a pattern, and patterns before those behind them.
        servers: base URL of each configured provider: tells which one it is in the published list, whatever its name.
    """

    def __init__(
        self,
        agreed: Mapping[str, AgreedPrice | Sequence[AgreedPrice]] | None = None,
        servers: Mapping[str, str] | None = None,
    ) -> None:
        several = {name: (one,) if isinstance(one, AgreedPrice) else tuple(one) for name, one in (agreed or {}).items()}
        self._agreed = {name: sorted(prices, key=_first_day) for name, prices in several.items()}
        self._servers = dict(servers or {})
        self._known: dict[tuple[str, str, str | None], tuple[int, Rates]] = {}

    def become(self, other: Prices) -> None:
        """Take the contracts and servers of others from now on: the configuration has changed."""
        self._agreed, self._servers = other._agreed, other._servers
        self._known.clear()

    def rates(self, provider: str, model: str, at_ns: int, *, asked: str | None = None) -> Rates:
        """The rates of a model at a moment.

        Arguments:
            provider: the provider's name here.
            model: as it named itself, or as it is asked for.
            at_ns: nanoseconds since 1970 UTC.
            asked: the name that was asked for, where the model names itself otherwise: contracts know either.
        """
        minute = at_ns // _MINUTE_NS
        key = (provider, model, asked)
        known = self._known.get(key)
        if known is None or known[0] != minute:
            if len(self._known) >= _MOST:  # names of models come from callers
                self._known.clear()
            known = self._known[key] = (minute, self._resolved(provider, model, asked, minute * _MINUTE_NS))
        return known[1]

    def price(self, provider: str, model: str, usage: Usage, at_ns: int, *, asked: str | None = None) -> float | None:
        """US dollars for one call; None where a price is unknown. Arguments as for :meth:`rates`."""
        return self.rates(provider, model, at_ns, asked=asked).cost(usage)

    def of_span(self, span: Span) -> float | None:
        """US dollars for the call that ``span`` records; of the earlier call, as if made again, where it was cached.

        Attempts that broke off are part of it (:mod:`noria.targets.metering`).
        """
        own = self._of_reply(span)
        broken = spent_in(span.attributes) if SPENT in span.attributes else ()
        if not broken:
            return own
        costs = [self._of_attempt(one.model, one.answered, one.usage, span.start_ns) for one in broken]
        if own is not None or span.input_tokens is not None or span.status == "ok":
            costs.append(own)  # else no attempt is left that the broken ones are not
        known = [cost for cost in costs if cost is not None]
        return sum(known) if len(known) == len(costs) else None

    def _of_attempt(self, name: str, answered: str, usage: Usage, at_ns: int) -> float | None:
        provider, _, model = name.partition("/")
        return self.price(provider, answered or model, usage, at_ns, asked=model)

    def _of_reply(self, span: Span) -> float | None:
        if span.provider == LOCAL:
            return 0.0
        model = span.response_model or span.request_model
        if not (span.provider and model) or span.input_tokens is None or span.output_tokens is None:
            return None
        written = span.attributes.get(CACHE_WRITES)
        usage = Usage(
            input_tokens=span.input_tokens,
            output_tokens=span.output_tokens,
            cached_tokens=span.cached_tokens,
            cache_write_tokens=written if isinstance(written, int) else None,
            reasoning_tokens=span.reasoning_tokens,
        )
        return self.price(span.provider, model, usage, span.start_ns, asked=span.request_model)

    def estimate(self, request: Request, provider: str, model: str, at_ns: int) -> float | None:
        """US dollars that a call is expected to cost before it is made, by :func:`expected_usage`; None where unknown."""
        return self.price(provider, model, expected_usage(request), at_ns)

    def tag(self, provider: str, model: str, at_ns: int) -> PriceTag:
        """The rates as people read them."""
        rates = self.rates(provider, model, at_ns)
        if not rates.known and provider != LOCAL:
            return PriceTag(provider=provider, model=model, known=False)
        starts = {start for rate in rates if isinstance(rate, Tiered) for start, _ in rate.tiers}
        return PriceTag(
            provider=provider,
            model=model,
            known=True,
            agreed=self._contract(provider, model, at_ns) is not None,
            input_per_mtok=_per_mtok(rates.input),
            cached_input_per_mtok=_per_mtok(rates.cached),
            cache_write_per_mtok=_per_mtok(rates.written),
            output_per_mtok=_per_mtok(rates.output),
            reasoning_per_mtok=_per_mtok(rates.reasoning),
            per_request=rates.request,
            tiers=tuple(sorted(starts)),
        )

    def _resolved(self, provider: str, model: str, asked: str | None, at_ns: int) -> Rates:
        if provider == LOCAL:
            return _FREE
        server = self._servers.get(provider, "")
        card = listed(provider, model, server) or (listed(provider, asked, server) if asked else None)
        published = card.at(at_ns) if card else UNKNOWN
        contract = self._contract(provider, asked, at_ns) if asked else None
        contract = contract or self._contract(provider, model, at_ns)
        return published if contract is None else _merged(contract, published)

    def _contract(self, provider: str, model: str, at_ns: int) -> AgreedPrice | None:
        name, day = f"{provider}/{model}", at_ns // _DAY_NS
        pattern = name if name in self._agreed else next((it for it in self._agreed if matches((it,), name)), "")
        begun = [price for price in self._agreed.get(pattern, ()) if _first_day(price) <= day]
        return begun[-1] if begun else None


def price(provider: str, model: str, usage: Usage, *, at: datetime | None = None) -> float | None:
    """US dollars for one call at published prices, see :meth:`Prices.price`."""
    moment = at or datetime.now(UTC)
    return Prices().price(provider, model, usage, int(moment.timestamp() * 1e9))


def price_of(span: Span) -> float | None:
    """US dollars for a recorded call at published prices, see :meth:`Prices.of_span`."""
    return Prices().of_span(span)


def _first_day(price: AgreedPrice) -> int:
    """Days since 1970."""
    return date.fromisoformat(price.since).toordinal() - _EPOCH if price.since else -(10**9)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


def _merged(contract: AgreedPrice, published: Rates) -> Rates:
    def rate(agreed: float | None, else_: Rate) -> Rate:
        return else_ if agreed is None else agreed / 1_000_000

    # A published discount on cached tokens is one on the published price: it says nothing about an agreed one.
    if not published.known and contract.input_per_mtok is None and contract.output_per_mtok is None:
        return _FREE._replace(request=contract.per_request or 0.0) if contract.per_request is not None else published
    own_input = contract.input_per_mtok is not None
    return Rates(
        input=rate(contract.input_per_mtok, published.input),
        cached=rate(contract.cached_input_per_mtok, None if own_input else published.cached),
        written=rate(contract.cache_write_per_mtok, None if own_input else published.written),
        output=rate(contract.output_per_mtok, published.output),
        reasoning=rate(
            contract.reasoning_per_mtok, None if contract.output_per_mtok is not None else published.reasoning
        ),
        request=published.request if contract.per_request is None else contract.per_request,
    )


def _per_mtok(rate: Any) -> float | None:
    if rate is None:
        return None
    return round((rate.base if isinstance(rate, Tiered) else rate) * 1_000_000, 9)
