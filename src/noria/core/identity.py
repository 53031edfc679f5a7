"""Content-addressed identity: the same content has the same id, on any machine.

The id is a SHA-256 over a canonical JSON form in the spirit of RFC 8785 (JCS): keys sorted, no white space, numbers
that are whole written as integers (``0.0`` and ``0`` are one content), text taken as it is, without Unicode
normalisation, because a model sees the difference. A field that says what its default says is left out: a file that
spells ``alpha: 0.05`` out means what one without it means.
"""

from __future__ import annotations

import hashlib
import math
import re
from functools import cache, lru_cache
from typing import Any

import msgspec

from noria.core.errors import InvalidInput

_NEEDS_CARE = re.compile(rb"\.0[,}\]]|\d[eE][+-]?\d|[:,\[]null")
"""What a number that :func:`canonical` writes in another way, or refuses, looks like, also in a text; and what is none."""
ID_HEX = 32
"""Hex digits kept of the digest: 128 bits, enough that two contents never meet by chance."""


def canonical(value: Any) -> bytes:
    """Encode ``value`` (a struct, or JSON-like builtins) as canonical JSON.

    Raises:
        InvalidInput: a number is not finite; JSON has no form for it, so it can have no id.
    """
    return msgspec.json.encode(_plain(msgspec.to_builtins(_lean(value), str_keys=True)), order="sorted")


in_order = msgspec.json.Encoder(order="sorted").encode
"""msgspec's own sorted JSON, at a tenth of the price of :func:`canonical`, and the same but for whole numbers written as
``1.0``, numbers that are not finite, and fields that equal their default without being the same object."""


def is_alike(value: Any) -> bool:
    """Whether :func:`in_order` is known to write ``value`` as :func:`canonical` does.

    ``None``, booleans, small numbers, empty texts and empty tuples are always the same objects, so it is for values whose
    structs have no other defaults, and whose keys are texts.
    """
    try:
        return _NEEDS_CARE.search(in_order(value)) is None
    except (TypeError, ValueError, OverflowError, RecursionError):
        return False


def content_id(kind: str, value: Any) -> str:
    """The id of ``value``: ``kind``, an underscore and 32 hex digits, e.g. ``prompt_9f86d081884c7d659a2feaa0c55ad015``.

    ``kind`` is hashed too, so an empty prompt and an empty variant differ.
    """
    return id_of(kind, canonical(value))


def id_of(kind: str, content: bytes) -> str:
    """The id of content in its canonical form."""
    digest = _of_kind(kind).copy()
    digest.update(content)
    return f"{kind}_{digest.hexdigest()[:ID_HEX]}"


@lru_cache(maxsize=32)
def _of_kind(kind: str) -> hashlib._Hash:
    """A digest that has read the kind. To go on from a copy takes less than to begin."""
    return hashlib.sha256(kind.encode() + b"\0")


def _lean(value: Any) -> Any:
    """Put the default itself where a field equals it: msgspec leaves a default out only when it is the same object."""
    if isinstance(value, msgspec.Struct):
        defaults = _defaults(type(value))
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        lean = {n: defaults[n] if n in defaults and defaults[n] == item else _lean(item) for n, item in fields.items()}
        return msgspec.structs.replace(value, **lean)
    if isinstance(value, dict):
        return {key: _lean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_lean(item) for item in value]
    return value


@cache
def _defaults(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Defaults by field; empty containers, which are made anew for each value, msgspec leaves out by itself."""
    known = {field.name: field.default for field in msgspec.structs.fields(kind)}
    return {name: default for name, default in known.items() if default is not msgspec.NODEFAULT}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidInput(f"{value} is not a finite number, so this content has no id.")
        if value.is_integer() and abs(value) < 2**53:
            return int(value)
    return value
