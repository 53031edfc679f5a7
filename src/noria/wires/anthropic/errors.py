"""Errors on the wire: ``{"type": "error", "error": {"type", "message"}}``.

Source: https://docs.anthropic.com/en/api/errors
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from noria.core.errors import CallFailed, NoriaError
from noria.wires.statuses import failed, failed_with_status

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_STATUSES = {kind: status for status, kind in _TYPES.items()} | {"overloaded_error": 529, "api_error": 500}
_NEVER_BETTER = frozenset({"billing_error"})
"""Types that mean that waiting will not help."""


def encode_error(error: NoriaError) -> bytes:
    """``error`` as the body of a reply with status ``error.status``, or as the data of a stream's last event."""
    kind = _TYPES.get(error.status)
    if kind is None:
        kind = "api_error" if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    return msgspec.json.encode({"type": "error", "error": {"type": kind, "message": str(error)}})


def decode_error(status: int, headers: Mapping[str, str], body: bytes) -> CallFailed:
    """What a reply with a status other than 2xx means; 529 says that Anthropic is overloaded."""
    return failed_with_status(status, headers, body, hopeless=_NEVER_BETTER)


def decode_error_object(stated: Any) -> CallFailed:
    """What an error object in the middle of a stream, or in a reply with status 200, means."""
    kind = stated.get("type") if isinstance(stated, dict) else None
    return failed(_STATUSES.get(str(kind), 500), {"error": stated}, hopeless=_NEVER_BETTER)
