"""Errors on the wire: ``{"error": {"message", "type", "param", "code"}}``, and the dialects of it that servers speak.

Source: https://platform.openai.com/docs/guides/error-codes
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
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
}
_NEVER_BETTER = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
"""Codes that come with status 429 but mean that waiting will not help."""


def encode_error(error: NoriaError) -> bytes:
    """``error`` as the body of a reply with status ``error.status``, or as the data of a stream's last event."""
    return msgspec.json.encode({"error": error_object(error)})


def error_object(error: NoriaError) -> dict[str, Any]:
    """The inner object. ``code`` is Noria's stable name of the error."""
    kind = _TYPES.get(error.status)
    if kind is None and error.status == HTTPStatus.TOO_MANY_REQUESTS:
        kind = "rate_limit_error"
    if kind is None:
        kind = "server_error" if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "invalid_request_error"
    return {"message": str(error), "type": kind, "param": None, "code": error.code}


def decode_error(status: int, headers: Mapping[str, str], body: bytes) -> CallFailed:
    """What a reply with a status other than 2xx means: see :func:`noria.wires.statuses.failed_with_status`.

    A quota that is used up is not worth another try, though its status is 429.
    """
    return failed_with_status(status, headers, body, hopeless=_NEVER_BETTER)


def decode_error_object(stated: Any) -> CallFailed:
    """What an error object in the middle of a stream, or in a reply with status 200, means."""
    code = stated.get("code") if isinstance(stated, dict) else None
    kind = stated.get("type") if isinstance(stated, dict) else None
    by_kind = {kind: status for status, kind in _TYPES.items()} | {"rate_limit_error": 429}
    status = code if isinstance(code, int) and 400 <= code <= 599 else by_kind.get(str(kind), 500)
    return failed(status, {"error": stated}, hopeless=_NEVER_BETTER)
