"""Whatever an application passes around, as JSON text: complete where possible, bounded, and never an exception."""

from __future__ import annotations

from typing import Any

import msgspec

CUT = "…[cut]"
"""Ends a text that was longer than allowed."""
_LONGEST_REPR = 200


def json_text(value: Any) -> str:
    """``value`` as JSON. What JSON has no form for becomes what it calls itself."""
    try:
        return _ENCODER.encode(value).decode()
    except (TypeError, ValueError, RecursionError, msgspec.MsgspecError):
        return _ENCODER.encode(_shown(value)).decode()


def text_of(value: Any) -> str:
    """A text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json_text(value)


def builtins_of(value: Any) -> Any:
    """``value`` as dicts, lists and scalars."""
    return msgspec.json.decode(json_text(value))


def bounded(text: str, most: int) -> str:
    """``text``, or its beginning with a mark when it is longer than ``most`` characters."""
    return text if len(text) <= most else text[:most] + CUT


def _plain(value: Any) -> Any:
    """For the encoder: models of pydantic and their like, sets of anything; else what the value calls itself."""
    try:
        dump = None if isinstance(value, type) else getattr(value, "model_dump", None)
        return dump(mode="json") if callable(dump) else _shown(value)
    except Exception:  # noqa: BLE001  # a stranger's methods; the value is shown in another way
        return _shown(value)


def _shown(value: Any) -> str:
    try:
        shown = repr(value)
    except Exception:  # noqa: BLE001  # a stranger's method
        return f"<{type(value).__name__}>"
    return bounded(shown.encode("utf-8", "backslashreplace").decode(), _LONGEST_REPR)


_ENCODER = msgspec.json.Encoder(enc_hook=_plain)
