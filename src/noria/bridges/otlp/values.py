"""Attributes that may be kept: names and numbers of a sane size, values that JSON has a form for.

What can't be kept as it is is cut or becomes text, and is noted; nothing is lost without a word.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

from noria.bridges.otlp.problems import Notes
from noria.bridges.otlp.raw import Attributes

MOST = 2_000
"""Attributes of one span or event."""
LONGEST_KEY = 256
"""Characters of an attribute's name."""
DEEPEST = 20
"""Lists and dictionaries within one another."""
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


def kept(attributes: Attributes, notes: Notes, trace_id: str, span_id: str) -> Attributes:
    """``attributes`` themselves where nothing is wrong with them, else a repaired copy."""
    if len(attributes) > MOST:
        notes.note("attributes_cut", trace_id=trace_id, span_id=span_id, key=list(attributes)[MOST])
        left_out = len(attributes) - MOST
        attributes = dict(list(attributes.items())[:MOST])
        attributes["noria.intake.attributes_left_out"] = left_out
    changes: dict[str, tuple[str, Any]] = {}
    for key, value in attributes.items():
        kind = type(value)
        if len(key) <= LONGEST_KEY and (
            kind is str or kind is bool or (kind is int and _SMALLEST <= value <= _LARGEST)
        ):
            continue
        fit = key if len(key) <= LONGEST_KEY else _cut(key)
        made = _plain(value, 0)
        if fit is not key:
            notes.note("key_cut", trace_id=trace_id, span_id=span_id, key=key)
        elif made is not value and made != value:
            notes.note("value_replaced", trace_id=trace_id, span_id=span_id, key=key)
        changes[key] = (fit, made)
    if not changes:
        return attributes
    return dict(changes.get(key, (key, value)) for key, value in attributes.items())


def _cut(key: str) -> str:
    """The beginning of a name, with a digest so that two long ones stay two."""
    digest = hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()[:12]
    return f"{key[: LONGEST_KEY - 14]}…{digest}"


def _plain(value: Any, depth: int) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if _SMALLEST <= value <= _LARGEST else str(value)
    if isinstance(value, list | tuple):
        return [_plain(item, depth + 1) for item in value] if depth < DEEPEST else "nested too deeply"
    if isinstance(value, dict):
        if depth >= DEEPEST:
            return "nested too deeply"
        return {(key if len(key) <= LONGEST_KEY else _cut(key)): _plain(item, depth + 1) for key, item in value.items()}
    return value
