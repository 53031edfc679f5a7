"""Conditions as people write them in a query: ``duration_s>2``, ``correct<0.5``, ``attributes.tier=gold``.

A name, an operator, a value. The value is JSON where it is a number, ``true``, ``false``, ``null`` or a quoted text, else
a text as it stands. A condition knows no columns: the store refuses what does not fit.
"""

from __future__ import annotations

import re

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput
from noria.core.questions import Filter, Operator, ScoreFilter

_FORM = re.compile(r"\s*(?P<name>.+?)\s*(?P<sign><=|>=|!=|<|>|=|~)\s*(?P<value>.*)", re.DOTALL)
_OPERATORS: dict[str, Operator] = {"~": "contains"}
_LITERAL = re.compile(r'-?[0-9].*|true|false|null|".*"', re.DOTALL)
_MOST = 100
"""Characters of a condition that an error repeats."""


def column_condition(text: str) -> Filter:
    """``name<value`` as a condition on a column. Raises ``InvalidInput``."""
    name, op, value = _parts(text)
    return Filter(column=name, op=op, value=value)


def score_condition(text: str) -> ScoreFilter:
    """``scorer<value`` as a condition on scores; a scorer alone asks whether there is one, ``!scorer`` whether there is none.

    Raises:
        InvalidInput: it is no condition.
    """
    if _FORM.fullmatch(text):
        name, op, value = _parts(text)
        return ScoreFilter(scorer=name, op=op, value=value)
    name = text.strip()
    absent = name.startswith("!")
    if not name.removeprefix("!"):
        raise InvalidInput(
            "A condition on scores names a scorer.", hint="Write correct<0.5, correct=true, or !correct."
        )
    return ScoreFilter(scorer=name.removeprefix("!"), op="is null" if absent else "is not null")


def _parts(text: str) -> tuple[str, Operator, object]:
    found = _FORM.fullmatch(text)
    if found is None:
        raise InvalidInput(
            f"{text[:_MOST]!r} is no condition.",
            hint="Write a name, one of = != < <= > >= ~, and a value: duration_s>2.",
        )
    sign, written = found["sign"], found["value"].strip()
    op: Operator = _OPERATORS.get(sign) or sign  # type: ignore[assignment]  # the other signs are operators themselves
    value: object = written
    if _LITERAL.fullmatch(written):
        try:
            value = msgspec.json.decode(written.encode())
        except UNREADABLE:
            value = written  # such as 2026-11-23, or 12b
    if op == "contains" and not isinstance(value, str):
        value = written
    return found["name"], op, value
