"""The arguments of a call by name, the way its author wrote them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

_POSITIONAL = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}


class Arguments:
    """Names the arguments of one function. Never raises: a wrong call fails in the function, with Python's own message.

    ``self`` and ``cls`` are left out. Defaults that the caller did not give are, too: the code says them.
    """

    __slots__ = ("_names", "_own", "_rest")

    def __init__(self, function: Callable[..., Any]) -> None:
        try:
            parameters = list(inspect.signature(function).parameters.values())
        except (TypeError, ValueError):  # some built-ins have none
            parameters = []
        self._names = tuple(one.name for one in parameters if one.kind in _POSITIONAL)
        self._own = int(self._names[:1] in {("self",), ("cls",)})
        self._rest = next((one.name for one in parameters if one.kind is inspect.Parameter.VAR_POSITIONAL), "args")

    def named(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call."""
        names = self._names
        found = dict(zip(names[self._own :], args[self._own :], strict=False))
        if len(args) > len(names):
            found[self._rest] = list(args[len(names) :])
        found.update(kwargs)
        return found
