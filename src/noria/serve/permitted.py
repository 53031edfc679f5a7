"""What a caller's key opens: the app or model that it names, and every other model that its request names beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from noria.core.errors import NotAllowed
from noria.core.keys import EVERYTHING, Caller, Key
from noria.core.requests import Request

_NAMING = frozenset({"model", "models", "fallbacks", "fallback_model", "fallback_models", "preset"})
"""Fields by which providers let a request choose among models, wherever in it they stand: OpenRouter's ``models`` and ``preset``,
Anthropic's and LiteLLM's ``fallbacks``, the ``model`` of a tool that the provider runs."""


def permitted(key: Key | None, request: Request) -> Caller:
    """On whose behalf the call is made.

    Raises:
        NotAllowed: the key does not open the app or model, or another model that the request names in the provider's own fields.
    """
    if key is None:
        return Caller()
    name = request.model
    if not key.may_call(name):
        raise _refused(key, name)
    if key.models != EVERYTHING:
        provider, slash, _ = name.partition("/")
        for field, other in _named(request):
            if not (slash and key.may_call(f"{provider}/{other}")):
                raise _refused(key, other, f", which the request names in `{field}`")
    return key.caller


def _refused(key: Key, name: str, where: str = "") -> NotAllowed:
    return NotAllowed(f"The key {key.name!r} does not open {name[:80]!r}{where}.", status=403)


def _named(request: Request) -> Iterator[tuple[str, str]]:
    """Fields that name models, and the names; text that a provider takes for JSON is its own affair."""
    yield from _within(request.unread)
    for tool in request.tools:
        yield from _within(tool.hosted)


def _within(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in _NAMING:
                yield from ((name, text) for text in _texts(inner))
            yield from _within(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _within(inner)


def _texts(value: Any) -> Iterable[str]:
    """The names in a field: one, several, or none where it is an object whose own fields name them."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        return tuple(text for text in value if isinstance(text, str))
    return ()
