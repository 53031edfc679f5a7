"""What a caller says about Noria's cache: its own header, or HTTP's (RFC 9111, section 5.2.1)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from noria.core.errors import CallFailed, InvalidInput
from noria.core.requests import CacheWish

_OWN: dict[str, CacheWish] = {"": "", "use": "", "skip": "skip", "refresh": "refresh", "only": "only"}
_HTTP: dict[str, CacheWish] = {"no-store": "skip", "no-cache": "refresh", "only-if-cached": "only"}


def cache_wish(headers: Mapping[str, str]) -> CacheWish:
    """The wish of a call; Noria's own header counts before HTTP's.

    Raises:
        InvalidInput: the header says something else.
    """
    own = headers.get("noria-cache")
    if own is not None:
        found = _OWN.get(own.strip().lower())
        if found is None:
            raise InvalidInput(f"noria-cache is skip, refresh or only, not {own[:40]!r}.", kept="Nothing was sent.")
        return found
    http = headers.get("cache-control")
    for directive in http.split(",") if http else ():
        if wish := _HTTP.get(directive.strip().lower()):
            return wish
    return ""


def check_kept(model: str, reuses: Callable[[str], bool]) -> None:
    """Refuse ``only`` where there is no cache. Raises ``CallFailed``, 504, as RFC 9111 has it."""
    if not reuses(model):
        raise CallFailed(
            f"Calls of {model[:80]!r} are never answered from kept replies.",
            status=504,
            kept="No model was asked.",
            hint=f'Add [caches."{model[:80]}"] to noria.toml, or leave `noria-cache: only` out.',
        )
