"""Marks up to which the prompt is to be cached: ``cache_control`` <-> :data:`noria.core.messages.CacheLife`."""

from __future__ import annotations

from typing import Any

from noria.core.errors import InvalidInput
from noria.core.messages import CacheLife


def cache_in(block: dict[str, Any], at: str) -> CacheLife | None:
    """How long to cache the prompt up to here. Raises ``InvalidInput``."""
    match block.get("cache_control"):
        case None:
            return None
        case {"type": "ephemeral", **rest} if not rest or rest == {"ttl": "5m"}:
            return "5m"
        case {"type": "ephemeral", "ttl": "1h", **rest} if not rest:
            return "1h"
    raise InvalidInput(f'`{at}.cache_control` is wrong: it is {{"type": "ephemeral"}}, with a `ttl` of 5m or 1h.')


def cache_out(cache: CacheLife | None) -> dict[str, Any]:
    """The field ``cache_control``, where it is wanted; five minutes are what it means without saying."""
    if cache is None:
        return {}
    return {"cache_control": {"type": "ephemeral"} | ({"ttl": cache} if cache != "5m" else {})}
