"""The list of models: ``GET /models`` and ``GET /models/{id}``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec


def encode_models(names: Iterable[str], created: int) -> bytes:
    """The reply to ``GET /models``; ``created`` is in seconds since 1970 UTC."""
    return msgspec.json.encode({"object": "list", "data": [_model(name, created) for name in names]})


def encode_model(name: str, created: int) -> bytes:
    """The reply to ``GET /models/{id}``."""
    return msgspec.json.encode(_model(name, created))


def _model(name: str, created: int) -> dict[str, Any]:
    owner, slash, _ = name.partition("/")
    return {"id": name, "object": "model", "created": created, "owned_by": owner if slash else "noria"}
