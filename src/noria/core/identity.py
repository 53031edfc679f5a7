"""Content-addressed identity: the same content has the same id, on any machine.

The id is a SHA-256 over a canonical JSON form in the spirit of RFC 8785 (JCS): keys sorted, no white space, numbers
that are whole written as integers (``0.0`` and ``0`` are one content), text taken as it is, without Unicode
normalisation, because a model sees the difference. A field that says what its default says is left out: a file that
spells ``alpha: 0.05`` out means what one without it means.
"""

from __future__ import annotations

import hashlib
import math
from functools import cache
from typing import Any

import msgspec

from noria.core.errors import InvalidInput

ID_HEX = 32
"""Hex digits kept of the digest: 128 bits, enough that two contents never meet by chance."""


def canonical(value: Any) -> bytes:
    """Encode ``value`` (a struct, or JSON-like builtins) as canonical JSON.

    Raises:
        InvalidInput: a number is not finite; JSON has no form for it, so it can have no id.
    """
    return msgspec.json.encode(_plain(msgspec.to_builtins(_lean(value), str_keys=True)), order="sorted")


def content_id(kind: str, value: Any) -> str:
    """The id of ``value``: ``kind``, an underscore and 32 hex digits, e.g. ``prompt_9f86d081884c7d659a2feaa0c55ad015``.

    ``kind`` is hashed too, so an empty prompt and an empty variant differ.
    """
    digest = hashlib.sha256(kind.encode() + b"\0" + canonical(value)).hexdigest()
    return f"{kind}_{digest[:ID_HEX]}"


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
