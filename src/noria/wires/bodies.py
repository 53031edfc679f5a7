"""The JSON body of a call: read strictly, and what is wrong with it said by the name of the field."""

from __future__ import annotations

import re
from typing import Any, Generic, TypeVar

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput

_DEEPEST = 100
"""Levels of lists and objects in a body; what comes later (content ids, templates) walks them by recursion."""
_MISSING = re.compile(r"Object missing required field `(.+)`")
_T = TypeVar("_T")
_Shape = TypeVar("_Shape", bound=msgspec.Struct)


def read_object(body: bytes) -> dict[str, Any]:
    """The body's fields. Raises ``InvalidInput`` where it is no JSON object, or one that is nested too deeply."""
    try:
        fields = msgspec.json.decode(body)
    except UNREADABLE as error:
        raise InvalidInput(f"The request's body is not valid JSON: {error}.") from error
    if not isinstance(fields, dict):
        raise InvalidInput("The request's body must be a JSON object.")
    if _may_be_deep(body) and _is_deep(fields):
        raise InvalidInput(f"The request's body is nested more than {_DEEPEST} levels.")
    return fields


def read_shape(fields: Any, shape: type[_T], *, at: str = "") -> _T:
    """``fields`` as ``shape``.

    Arguments:
        at: where in the body the fields are, such as ``messages[2]``; empty for the whole body.

    Raises:
        InvalidInput: names the field, such as ``messages[2].role``, and says what is wrong with it.
    """
    try:
        return msgspec.convert(fields, shape)
    except msgspec.ValidationError as error:
        raise InvalidInput(_located(str(error), at)) from error


class Body(Generic[_Shape]):
    """Reads the bodies of one kind of call.

    Most hold nothing that their shape does not know, and are read in one step. All others are read as what they are first:
    for the fields that are left, for lists that may be too deep, and for the name of what is wrong.

    Arguments:
        shape: the fields that are known.
    """

    def __init__(self, shape: type[_Shape]) -> None:
        self._shape = shape
        self._known = frozenset(shape.__struct_encode_fields__)
        alone = msgspec.defstruct(shape.__name__, (), bases=(shape,), forbid_unknown_fields=True)
        self._alone: msgspec.json.Decoder[_Shape] = msgspec.json.Decoder(alone)

    def read(self, body: bytes) -> tuple[_Shape, dict[str, Any]]:
        """The fields that are known, and all others as they came. Raises ``InvalidInput``, as the functions above."""
        try:
            if not _may_be_deep(body):
                return self._alone.decode(body), {}
        except UNREADABLE:
            pass  # what is wrong is said below, if anything is
        fields = read_object(body)
        unread = {name: value for name, value in fields.items() if name not in self._known}
        return read_shape(fields, self._shape), unread


def _may_be_deep(body: bytes) -> bool:
    """Whether there are brackets for so many levels. They are looked for, as counting them in a long text takes far longer."""
    found = 0
    for bracket in (b"{", b"["):
        at = body.find(bracket)
        while at >= 0 and found <= _DEEPEST:
            found += 1
            at = body.find(bracket, at + 1)
    return found > _DEEPEST


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_DEEPEST):
        inner = (outer.values() if isinstance(outer, dict) else outer for outer in level)
        level = [item for items in inner for item in items if isinstance(item, dict | list)]
    return bool(level)


def _located(message: str, at: str) -> str:
    """What msgspec found (``Expected `int`, got `str` - at `$.n```) as a sentence that begins with the field."""
    reason, _, path = message.partition(" - at `")
    field = (at + path.removesuffix("`").removeprefix("$")).removeprefix(".")
    if missing := _MISSING.fullmatch(reason):
        return f"`{field}{'.' if field else ''}{missing[1]}` is missing."
    return f"`{field}` is wrong: {reason}."
