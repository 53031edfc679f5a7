"""A span in the making: what the conventions found so far.

The first to fill a column wins; conventions are asked in order of how precisely they mean what Noria means. A value
that says the same as its column is not kept twice; one that contradicts it stays an attribute under its own name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from noria.bridges.otlp.messages import parsed
from noria.bridges.otlp.raw import Attributes, RawSpan
from noria.core.requests import Lineage

LINEAGE = frozenset(Lineage.__struct_fields__)
_LARGEST = 2**63 - 1


class Draft:
    """Columns by name, of :class:`~noria.core.spans.Span` and its lineage alike; parameters apart."""

    __slots__ = ("columns", "origins", "params", "raw", "rest", "trees")

    def __init__(self, raw: RawSpan) -> None:
        self.raw = raw
        """The span as sent."""
        self.columns: dict[str, Any] = {}
        """Column -> value."""
        self.params: dict[str, Any] = {}
        """Decoding parameter -> value."""
        self.rest: Attributes = {}
        """What no column holds."""
        self.trees: set[str] = set()
        """Flattened lists that there are, by the first two segments of their names."""
        self.origins: dict[tuple[str, bool], tuple[int, str, Any]] = {}
        """Which attribute with one plain value filled a column: its rank, name and value."""

    def offer(self, column: str, value: Any) -> bool:
        """Fill a column that is empty. Whether it holds the value now."""
        have = self.columns.get(column)
        if have is None:
            self.columns[column] = value
            return True
        return bool(have == value)

    def offer_params(self, given: Mapping[str, Any]) -> bool:
        """The same for decoding parameters, each by itself. Whether all of them are held now."""
        return all([self.params.setdefault(name, value) == value for name, value in given.items()])  # noqa: C419  # each is offered


class Column(NamedTuple):
    """Where an attribute with one plain value goes."""

    name: str
    """The column, or the decoding parameter."""
    convert: Callable[[Any], Any]
    """From the attribute's value; None where it is not what the column holds."""
    param: bool = False
    """Whether it is a decoding parameter."""


class Convention(NamedTuple):
    """One vocabulary of attribute names."""

    name: str
    """What people call it."""
    read: Callable[[Draft, Attributes], None]
    """Takes out of its attributes what goes into columns; what it leaves there stays attributes."""
    columns: Mapping[str, Column] = {}
    """Attributes with one plain value."""
    keys: frozenset[str] = frozenset()
    """Attributes that ``read`` understands."""
    trees: frozenset[str] = frozenset()
    """First two segments of attributes that ``read`` understands: ``llm.input_messages`` for ``llm.input_messages.0...``."""


def text(value: Any) -> str | None:
    """A text; numbers as such, because some senders write ids so."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def count(value: Any) -> int | None:
    """A whole number from 0, also as text or as a float without a fraction."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST else None


def number(value: Any) -> float | int | None:
    """A finite number, also as text."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def amount(value: Any) -> float | None:
    """A finite number from 0, as a float."""
    found = number(value)
    return float(found) if found is not None and found >= 0 else None


def milliseconds(value: Any) -> float | None:
    """Seconds from milliseconds."""
    found = amount(value)
    return None if found is None else found / 1000


def flag(value: Any) -> bool | None:
    """A boolean."""
    return value if isinstance(value, bool) else None


def texts(value: Any) -> tuple[str, ...] | None:
    """Texts; a single one too."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    return None


class Tree:
    """A flattened list, such as ``llm.input_messages.0.message.role``: items by index.

    Indexes only order the items: one of a billion takes no room for those before it.
    """

    __slots__ = ("_prefix", "_taken", "items")

    def __init__(self, taken: Attributes, prefix: str) -> None:
        self._taken = taken
        self._prefix = prefix + "."
        found: dict[int, dict[str, Any]] = {}
        begin = len(self._prefix)
        for key, value in taken.items():
            if key.startswith(self._prefix):
                index, _, name = key[begin:].partition(".")
                if index.isdecimal() and len(index) < 10:
                    found.setdefault(int(index), {})[name] = value
        self.items = dict(sorted(found.items()))
        """Index -> what is left of its name -> value. Whoever reads an item takes out what it understands."""

    def settle(self) -> None:
        """Take out of the attributes what was taken out of the items."""
        for key in [key for key in self._taken if key.startswith(self._prefix)]:
            index, _, name = key[len(self._prefix) :].partition(".")
            if index.isdecimal() and name not in self.items.get(int(index), {name: None}):
                del self._taken[key]


def branches(item: Mapping[str, Any], prefix: str) -> dict[int, dict[str, Any]]:
    """A list within an item of a tree: ``prefix.0.name`` -> ``{0: {"name": value}}``."""
    return Tree(dict(item), prefix).items


def claim(draft: Draft, taken: Attributes, key: str, column: str, value: Any) -> bool:
    """Fill ``column``, and take the attribute out where the column holds its value now."""
    if value in (None, (), {}) or not draft.offer(column, value):
        return False
    taken.pop(key, None)
    return True


def derived_total(draft: Draft, taken: Attributes, key: str) -> None:
    """Take out a total that says no more than its two parts do."""
    total = count(taken.get(key))
    if total is not None and total == draft.columns.get("input_tokens", 0) + draft.columns.get("output_tokens", 0):
        del taken[key]


def counts(draft: Draft, taken: Attributes, key: str, names: Mapping[str, str], derived: frozenset[str]) -> None:
    """Columns from an object of token counts; the attribute goes when they hold all that it says.

    Arguments:
        names: name in the object -> column.
        derived: names that say no more than the others.
    """
    usage = parsed(taken.get(key))
    if not isinstance(usage, dict):
        return
    left = set(usage) - derived
    for name, column in names.items():
        if (tokens := count(usage.get(name))) is not None and draft.offer(column, tokens):
            left.discard(name)
    if not left:
        del taken[key]
