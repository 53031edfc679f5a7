"""Attributes to columns: one pass over a span's attributes, a look-up each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from noria.bridges.otlp.conventions.draft import Column, Convention, Draft
from noria.bridges.otlp.raw import Attributes


class _Ranked(NamedTuple):
    column: Column
    rank: int


class Table:
    """Conventions made into one look-up table.

    Arguments:
        conventions: those that win first.
    """

    def __init__(self, conventions: Sequence[Convention]) -> None:
        self._conventions = conventions
        self._columns: dict[str, _Ranked] = {}
        self._readers: dict[str, int] = {}
        for rank, convention in enumerate(conventions):
            for key, column in convention.columns.items():
                self._columns.setdefault(key, _Ranked(column, len(self._columns)))
            for key in convention.keys | convention.trees:
                self._readers.setdefault(key, rank)

    def read(self, draft: Draft, attributes: Attributes) -> None:
        """Fill the draft's columns; what no column takes goes into its rest."""
        columns, readers, rest = self._columns, self._readers, draft.rest
        taken: dict[int, Attributes] = {}
        for key, value in attributes.items():
            ranked = columns.get(key)
            if ranked is not None:
                _fill(draft, ranked, key, value)
                continue
            reader = readers.get(key)
            if reader is None:
                first = key.find(".")
                second = key.find(".", first + 1) if first >= 0 else -1
                head = key[:second] if second > 0 else ""
                reader = readers.get(head)
                if reader is None:
                    rest[key] = value
                    continue
                draft.trees.add(head)
            if (mine := taken.get(reader)) is None:
                mine = taken[reader] = {}
            mine[key] = value
        for reader in sorted(taken):
            self._conventions[reader].read(draft, taken[reader])
            rest |= taken[reader]


def _fill(draft: Draft, ranked: _Ranked, key: str, value: Any) -> None:
    """One attribute with one plain value. Of two that contradict each other the later ranked stays an attribute."""
    (name, convert, is_param), rank = ranked
    made = convert(value)
    if made is None:
        draft.rest[key] = value
        return
    held = draft.params if is_param else draft.columns
    before = draft.origins.get((name, is_param))
    if before is not None:
        if held[name] == made:
            return
        if rank > before[0]:
            draft.rest[key] = value
            return
        draft.rest[before[1]] = before[2]
    held[name] = made
    draft.origins[name, is_param] = (rank, key, value)
