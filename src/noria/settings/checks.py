"""What is wrong with settings that no type says."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import date
from functools import partial
from urllib.parse import urlsplit

from noria.core.caching import CachePolicy, Similar, calibration_id
from noria.core.errors import InvalidInput
from noria.core.prices import AgreedPrice
from noria.core.refusals import Check
from noria.core.routes import route_checks
from noria.settings.providers import KINDS, Provider
from noria.settings.settings import Settings

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_KEY_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-goog-api-key"})
"""Headers that carry keys: those come from the environment alone."""


def checks(settings: Settings) -> Iterator[Check]:
    """What refuses them, each with where it stands."""
    for name, provider in settings.providers.items():
        yield ("providers", name), partial(_check_provider, name, provider)
        yield ("providers", name, "kind"), partial(_check_kind, name, provider)
    for name, agreed in settings.prices.items():
        for price in (agreed,) if isinstance(agreed, AgreedPrice) else agreed:
            yield ("prices", name), partial(_check_price, name, price)
    for name, policy in settings.caches.items():
        yield ("caches", name), partial(_check_cache, name, policy)
    yield from route_checks(
        settings.routes, settings.aliases, lambda name: name == "local" or settings.provider(name) is not None
    )


def _check_cache(name: str, policy: CachePolicy) -> None:
    if not policy.ttl_s > 0:
        raise InvalidInput(f"caches.{name}: ttl_s is a number of seconds, more than 0.")
    if policy.similar is not None:
        _check_calibrated(name, policy.similar)


def _check_calibrated(name: str, similar: Similar) -> None:
    if similar.calibration != calibration_id(similar.embedder, similar.threshold):
        raise InvalidInput(
            f"caches.{name}.similar: the calibration is not of {similar.embedder} at a threshold of {similar.threshold}.",
            kept="Questions in other words count as other questions until it is.",
            hint="Run `noria cache calibrate PAIRS.jsonl --embedder MODEL`, and copy what it prints.",
        )


def _check_price(name: str, price: AgreedPrice) -> None:
    if not name.partition("/")[2]:
        raise InvalidInput(f"prices: {name!r} names no model.", hint='Write [prices."provider/model"].')
    try:
        date.fromisoformat(price.since or "2000-01-01")
    except ValueError:
        raise InvalidInput(f'prices."{name}": from is a day, such as 2027-01-01, not {price.since!r}.') from None
    for field in price.__struct_fields__:
        value = getattr(price, field)
        if isinstance(value, float) and not 0 <= value < math.inf:
            raise InvalidInput(f'prices."{name}": {field} is an amount of US dollars, not {value}.')


def _check_kind(name: str, provider: Provider) -> None:
    if provider.kind not in KINDS:
        raise InvalidInput(f"Provider {name!r} is of kind {provider.kind!r}; the kinds are {', '.join(KINDS)}.")


def _check_provider(name: str, provider: Provider) -> None:
    if name == "local" or "/" in name or not name:
        raise InvalidInput(f"A provider can't be called {name!r}: `local` is Noria's own, and `/` divides names.")
    parts = urlsplit(provider.base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidInput(f"Provider {name!r}: {provider.base_url!r} is no http(s) base URL.")
    if parts.username or parts.password:
        raise InvalidInput(
            f"Provider {name!r}: a base URL must not carry a user or password.", hint="Name a variable in api_key_env."
        )
    for header, value in provider.headers.items():
        if header.lower() in _KEY_HEADERS:
            raise InvalidInput(
                f"Provider {name!r}: the header {header!r} carries a key, which must not stand in a file.",
                hint="Name a variable in api_key_env.",
            )
        if not (_HEADER_NAME.fullmatch(header) and value.isascii() and value.isprintable()):
            raise InvalidInput(f"Provider {name!r}: {header!r} with its value is no HTTP header.")
