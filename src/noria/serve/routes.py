"""From a path to its handlers: a table of fixed paths, and behind it a few patterns with one parameter each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from noria.serve.asgi import ASGIApp

Methods = Mapping[str, ASGIApp]
"""Method -> handler."""
Routes = Mapping[str, Methods]
"""Path or pattern -> its methods."""


class Found(NamedTuple):
    """What answers a path."""

    methods: Methods
    """Its handlers."""
    params: Mapping[str, str]
    """The pattern's parameter; empty for a fixed path."""


class _Pattern(NamedTuple):
    before: str
    name: str
    after: str
    methods: Methods


class Router:
    """Finds what answers a path.

    Arguments:
        routes: by path, or by pattern, such as ``/v1beta/models/{model}:generateContent``. The one parameter of a
            pattern takes everything between what is before and after it, slashes too, since a model is called
            ``provider/model``; it is never empty. Fixed paths come first, then the pattern that fixes more.
    """

    def __init__(self, routes: Routes) -> None:
        self._fixed = {path: Found(methods, {}) for path, methods in routes.items() if "{" not in path}
        patterns = [_pattern(path, methods) for path, methods in routes.items() if "{" in path]
        self._patterns = sorted(patterns, key=lambda it: (len(it.after), len(it.before)), reverse=True)

    def find(self, path: str) -> Found | None:
        """Handlers and parameter of a decoded path; None where nothing is."""
        if (found := self._fixed.get(path)) is not None:
            return found
        for before, name, after, methods in self._patterns:
            if path.startswith(before) and path.endswith(after) and len(path) > len(before) + len(after):
                return Found(methods, {name: path[len(before) : len(path) - len(after)]})
        return None


def _pattern(path: str, methods: Methods) -> _Pattern:
    before, _, rest = path.partition("{")
    name, _, after = rest.partition("}")
    if "{" in after:
        raise ValueError(f"{path} has more than one parameter.")
    return _Pattern(before, name, after, methods)
