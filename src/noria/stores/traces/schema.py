"""Columns of the trace store, the same in every implementation, and how a name in a question becomes one."""

from __future__ import annotations

import difflib
from typing import Literal, NamedTuple

from noria.core.cursors import TIME
from noria.core.errors import InvalidInput
from noria.core.requests import Lineage
from noria.core.scores import Score
from noria.core.spans import Span

__all__ = ["DERIVED", "KEYED", "LINEAGE", "STORED", "TIME", "VERSION", "Column", "Kind", "Source", "column", "near"]

VERSION = 2
"""Grows when tables change; a file with a newer one is refused, one with an older is migrated."""

Source = Literal["spans", "scores"]
Kind = Literal["text", "int", "float", "bool", "json", "any"]
"""``json``: a whole list or object. ``any``: one JSON value whose type only the row knows."""


class Column(NamedTuple):
    """Something that a question can name."""

    name: str
    """As in the question."""
    kind: Kind
    """What it holds."""
    key: str | None = None
    """For ``attributes.<key>`` and its like: the key, taken whole, dots and all."""

    @property
    def field(self) -> str:
        """The stored column that it reads."""
        return self.name if self.key is None else self.name.split(".", 1)[0]


_SPAN_KINDS: dict[str, Kind] = {
    "start_ns": "int",
    "end_ns": "int",
    "params": "json",
    "input": "json",
    "output": "json",
    "finish_reasons": "json",
    "variables": "json",
    "documents": "json",
    "events": "json",
    "input_tokens": "int",
    "output_tokens": "int",
    "cached_tokens": "int",
    "reasoning_tokens": "int",
    "ttft_s": "float",
    "tpot_s": "float",
    "cost_usd": "float",
    "cached": "bool",
    "repeat": "int",
    "attributes": "json",
}
_SCORE_KINDS: dict[str, Kind] = {
    "value": "any",
    "cost_usd": "float",
    "metadata": "json",
    "time_ns": "int",
    "repeat": "int",
}

LINEAGE: tuple[str, ...] = Lineage.__struct_fields__
"""Lineage fields, each a column of its own."""
STORED: dict[Source, dict[str, Kind]] = {
    "spans": {
        name: _SPAN_KINDS.get(name, "text")
        for field in Span.__struct_fields__
        for name in (LINEAGE if field == "lineage" else (field,))
    },
    "scores": {name: _SCORE_KINDS.get(name, "text") for name in Score.__struct_fields__},
}
"""One column for each field, in the order of the struct."""
DERIVED: dict[Source, dict[str, Kind]] = {
    "spans": {"duration_s": "float", "failed": "bool", "model": "text", "date": "text", "hour": "text"},
    "scores": {"date": "text", "hour": "text"},
}
"""Computed: ``Span.duration_s``; whether the status is ``error``, so that the mean is the error rate; the model as asked
for, else as it named itself; and the UTC day and hour (``2026-11-23``, ``2026-11-23T06:00:00Z``) of the time."""
KEYED: dict[Source, tuple[str, ...]] = {"spans": ("attributes", "params", "variables"), "scores": ("metadata",)}
"""Objects whose keys can be asked for."""


def column(source: Source, name: str) -> Column:
    """The column that ``name`` means.

    Raises:
        InvalidInput: there is none; the message lists names that look like it.
    """
    known = STORED[source] | DERIVED[source]
    if name in known:
        return Column(name, known[name])
    field, dot, key = name.partition(".")
    if dot and field in KEYED[source]:
        if any("\ud800" <= char <= "\udfff" for char in key):
            raise InvalidInput(f"The key {key!r} holds half a surrogate pair, which no record does.")
        return Column(name, "any", key)
    raise InvalidInput(f"There is no column {name!r} in {source}.", hint=near(name, [*known, *_patterns(source)]))


def near(name: str, known: list[str]) -> str:
    """A sentence with the names that look like ``name``, or with all of them."""
    found = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"Did you mean {' or '.join(found)}?" if found else f"Columns are {', '.join(known)}."


def _patterns(source: Source) -> list[str]:
    return [f"{field}.<key>" for field in KEYED[source]]
