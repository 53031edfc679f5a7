"""Nouns as JSON text."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import InvalidInput, Unavailable
from noria.core.struct import Noun

N = TypeVar("N", bound=Noun)


def encode(noun: Noun) -> str:
    """JSON text of a noun. What is written can be read again: that is checked before it is written.

    Raises:
        InvalidInput: JSON has no form for a value in it, such as a number that is not finite.
    """
    try:
        text = msgspec.json.encode(noun)
        msgspec.json.decode(text, type=type(noun))
    except (UnicodeError, msgspec.MsgspecError, TypeError, OverflowError) as error:
        raise InvalidInput(
            f"This {type(noun).__name__} holds a value that JSON can't carry: {error}.", kept="Nothing was changed."
        ) from error
    return text.decode()


def decode(text: str, kind: type[N]) -> N:
    """The noun in ``text``.

    Raises:
        Unavailable: somebody has changed the text in the database so that it is no such noun any more.
    """
    try:
        return msgspec.json.decode(text, type=kind)
    except UNREADABLE as error:
        raise Unavailable(f"A {kind.__name__} in the catalogue can't be read: {error}.") from error
