"""The models that may be called, as Anthropic's ``GET /v1/models`` lists them.

Source: https://docs.anthropic.com/en/api/models-list
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from noria.core.errors import InvalidInput

_MOST = 1000
_UNKNOWN = "1970-01-01T00:00:00Z"
"""What Anthropic says of a model whose release date nobody knows."""


def encode_models(names: Sequence[str], query: Mapping[str, str]) -> bytes:
    """A page of them, as ``limit``, ``after_id`` and ``before_id`` ask for; all that one may hold where nothing is asked.

    Raises:
        InvalidInput: one of these is wrong.
    """
    limit = query.get("limit", str(_MOST))
    if not (limit.isdecimal() and 1 <= int(limit) <= _MOST):
        raise InvalidInput(f"`limit` is a number from 1 to {_MOST}.")
    left, last = list(names), False
    if "after_id" in query:
        left = left[_place(names, query["after_id"], "after_id") + 1 :]
    elif "before_id" in query:
        left, last = left[: _place(names, query["before_id"], "before_id")], True
    page = left[-int(limit) :] if last else left[: int(limit)]
    return msgspec.json.encode(
        {
            "data": [_model(name) for name in page],
            "has_more": len(page) < len(left),
            "first_id": page[0] if page else None,
            "last_id": page[-1] if page else None,
        }
    )


def encode_model(name: str) -> bytes:
    """One."""
    return msgspec.json.encode(_model(name))


def _place(names: Sequence[str], name: str, field: str) -> int:
    try:
        return names.index(name)
    except ValueError:
        raise InvalidInput(f"`{field}` names no model of this list.") from None


def _model(name: str) -> dict[str, Any]:
    return {"type": "model", "id": name, "display_name": name, "created_at": _UNKNOWN, "lifecycle": "active"}
