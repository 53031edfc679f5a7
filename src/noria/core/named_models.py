"""Other models that a request names in its provider's own fields: what it may then be answered by, and nobody here chose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from noria.core.requests import Request

_NAMING = frozenset({"model", "models", "fallbacks", "fallback_model", "fallback_models", "preset"})
"""Fields by which providers let a request choose among models, wherever in it they stand: OpenRouter's ``models`` and ``preset``,
Anthropic's and LiteLLM's ``fallbacks``, the ``model`` of a tool that the provider runs."""


def named_models(request: Request) -> Iterator[tuple[str, str]]:
    """Fields that name models, and the names. What a provider may call so tomorrow is not known."""
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
