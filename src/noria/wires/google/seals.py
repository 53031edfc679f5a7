"""Signatures on the wire: base64, for clients keep them as bytes.

Google's own go through as they are. Those of other providers, and what other dialects know beside the signature, are
wrapped, so that a caller of this dialect gives back exactly what the provider wants to see again.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import NamedTuple

import msgspec

from noria.wires import makers

_MARK = b"noria:"
_MARKED = b64encode(_MARK).decode()
"""How a wrapped one begins; six bytes are eight characters and no padding."""


class Seal(NamedTuple):
    """What seals a block of thinking."""

    signature: str
    """The provider's signature."""
    redacted: bool = False
    """It stands for hidden text."""
    id: str = ""
    """The provider's id of the block."""
    format: str = ""
    """Whose it is."""


def seal_out(seal: Seal) -> str:
    """As ``thoughtSignature``."""
    if is_plain(seal):
        return seal.signature
    return b64encode(_MARK + msgspec.json.encode(seal)).decode()


def seal_in(text: str) -> Seal:
    """A ``thoughtSignature``. Google's clients write base64 in either alphabet."""
    text = text.replace("-", "+").replace("_", "/") if "-" in text or "_" in text else text
    if text.startswith(_MARKED):
        try:
            wrapped = b64decode(text)
            return msgspec.json.decode(wrapped[len(_MARK) :], type=Seal)
        except ValueError:
            pass  # it only looks like one of ours
    return Seal(text)


def is_plain(seal: Seal) -> bool:
    """Whether it may be Google's own: a signature in base64 and nothing else.

    Clients read it as bytes and write it again, so that the last character has no bits to spare.
    """
    text = seal.signature
    if seal.redacted or seal.id or text.startswith(_MARKED) or not makers.may_be(seal.format, makers.GOOGLE):
        return False
    try:
        return b64encode(b64decode(text, validate=True)).decode() == text
    except ValueError:
        return False
