"""Names of fields: protocol buffers are read as JSON in two spellings, ``inlineData`` and ``inline_data``."""

from __future__ import annotations

from typing import Any


def camel(fields: dict[str, Any]) -> dict[str, Any]:
    """The object with its own fields in camel case; what is inside of them stays."""
    if not any("_" in name for name in fields):
        return fields
    return {_camel(name): value for name, value in fields.items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in rest) if first else name
