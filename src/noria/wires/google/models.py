"""The models that may be called, as ``GET /v1beta/models`` lists them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

_METHODS = ("generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents")


def encode_models(names: Iterable[str]) -> bytes:
    """All of them: there are no pages."""
    return msgspec.json.encode({"models": [_model(name) for name in names]})


def encode_model(name: str) -> bytes:
    """One."""
    return msgspec.json.encode(_model(name))


def _model(name: str) -> dict[str, Any]:
    return {"name": f"models/{name}", "displayName": name, "version": "", "supportedGenerationMethods": _METHODS}
