"""Errors on the wire: ``{"error": {"code", "message", "status", "details"}}``.

Source: https://cloud.google.com/apis/design/errors and https://ai.google.dev/gemini-api/docs/troubleshooting
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallFailed, CallRefused, NoriaError
from noria.wires.statuses import failed, failed_with_status

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_CODES = {status: code for code, status in _STATUSES.items() if code != HTTPStatus.BAD_GATEWAY} | {
    "FAILED_PRECONDITION": 400,
    "OUT_OF_RANGE": 400,
}
_WRONG_KEY = "API_KEY_INVALID"
"""Comes with status 400."""
_DAILY = "PerDay"
"""In the name of a quota that waiting some seconds will not fill."""


def encode_error(error: NoriaError) -> bytes:
    """``error`` as the body of a reply with status ``error.status``, or as the last piece of a stream.

    The key ``error`` comes first: Google's client for Python looks for exactly that.
    """
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": error.code.upper(), "domain": "noria"}
    known = _STATUSES.get(error.status)
    if known is None:
        known = "INTERNAL" if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "INVALID_ARGUMENT"
    stated = {"code": error.status, "message": str(error), "status": known, "details": [info]}
    return msgspec.json.encode({"error": stated})


def decode_error(status: int, headers: Mapping[str, str], body: bytes) -> CallFailed:
    """What a reply with a status other than 2xx means.

    4xx becomes :class:`CallRefused` with the provider's status, anything else :class:`CallFailed`. A wrong key, which
    Google says with status 400, is one with 401. How long to wait may be said in the details.
    """
    try:
        stated = msgspec.json.decode(body)
    except UNREADABLE:
        stated = None
    if isinstance(stated, list) and stated:  # how a stream that is no stream of events fails
        stated = stated[0]
    inner = stated.get("error") if isinstance(stated, dict) else None
    details = list(_details(inner))
    if any(detail.get("reason") == _WRONG_KEY for detail in details):
        status = HTTPStatus.UNAUTHORIZED.value
    error = failed_with_status(status, headers, body)
    return _detailed(error, details)


def decode_error_object(stated: Any) -> CallFailed:
    """What an error object in the middle of a stream, or in a reply with status 200, means."""
    code = stated.get("code") if isinstance(stated, dict) else None
    named = _CODES.get(str(stated.get("status"))) if isinstance(stated, dict) else None
    status = code if isinstance(code, int) and 400 <= code <= 599 else named or 500
    return _detailed(failed(status, {"error": stated}), list(_details(stated)))


def _detailed(error: CallFailed, details: list[dict[str, Any]]) -> CallFailed:
    for detail in details:
        delay = detail.get("retryDelay")
        if error.retry_after_s is None and isinstance(delay, str):
            error.retry_after_s = _seconds(delay)
        violations = detail.get("violations")
        for violation in violations if isinstance(violations, list) else ():
            quota = violation.get("quotaId") if isinstance(violation, dict) else None
            if isinstance(error, CallRefused) and isinstance(quota, str) and _DAILY in quota:
                error.retryable = False
    return error


def _seconds(delay: str) -> float | None:
    """Seconds of a duration as protocol buffers write it: ``3.5s``."""
    digits = delay.removesuffix("s")
    return float(digits) if digits.replace(".", "", 1).isdecimal() and digits.isascii() else None


def _details(stated: Any) -> Iterator[dict[str, Any]]:
    details = stated.get("details") if isinstance(stated, dict) else None
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            yield detail
