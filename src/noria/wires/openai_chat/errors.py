"""Errors on the wire: ``{"error": {"message", "type", "param", "code"}}``, and the dialects of it that servers speak.

Source: https://platform.openai.com/docs/guides/error-codes; Retry-After: RFC 9110, section 10.2.3.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import msgspec

from noria.core.errors import CallFailed, CallRefused, NoriaError

_LONGEST_SENTENCE = 500
_TYPES = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error"}
_NEVER_BETTER = {"insufficient_quota", "billing_hard_limit_reached"}
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
    """What a reply with a status other than 2xx means.

    4xx becomes :class:`CallRefused` with the provider's status, anything else :class:`CallFailed` with 502. 408, 429
    and 5xx are retryable, save 429 for a quota that is used up. ``Retry-After`` (seconds or a date) is kept on the
    error; a date is measured against the reply's own ``Date``, so that neither clock matters here.
    """
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return CallFailed(
            f"The provider answered with a redirect (status {status}), and redirects are not followed.",
            hint="Set the provider's base URL to the final address.",
        )
    return _failed(status, _stated(body), retry_after_s=_retry_after_s(headers))


def decode_error_object(stated: Any) -> CallFailed:
    """What an error object in the middle of a stream, or in a reply with status 200, means."""
    code = stated.get("code") if isinstance(stated, dict) else None
    kind = stated.get("type") if isinstance(stated, dict) else None
    by_kind = {kind: status for status, kind in _TYPES.items()} | {"rate_limit_error": 429}
    status = code if isinstance(code, int) and 400 <= code <= 599 else by_kind.get(str(kind), 500)
    return _failed(status, {"error": stated}, retry_after_s=None)


def _failed(status: int, stated: Any, *, retry_after_s: float | None) -> CallFailed:
    sentence = _sentence(stated) or _phrase(status)
    error = stated.get("error") if isinstance(stated, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    again = status in {408, 429} or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    retryable = again and code not in _NEVER_BETTER
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        message = f"The provider refused the call (status {status}): {sentence}"
        return CallRefused(message, status=status, retryable=retryable, retry_after_s=retry_after_s)
    message = f"The provider failed (status {status}): {sentence}"
    return CallFailed(message, retryable=retryable, retry_after_s=retry_after_s)


def _stated(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = body.decode("utf-8", "replace")
        return None if "<html" in text.lower() else text


def _sentence(stated: Any) -> str:
    """The words for people in an error body: OpenAI's shape, a bare ``message``, or FastAPI's ``detail``."""
    if isinstance(stated, str):
        text = re.sub(r"\s+", " ", stated).strip()
        return text if len(text) <= _LONGEST_SENTENCE else text[: _LONGEST_SENTENCE - 1] + "…"
    if isinstance(stated, dict):
        return next((found for key in ("error", "message", "detail") if (found := _sentence(stated.get(key)))), "")
    if isinstance(stated, list) and stated:
        return _sentence(stated[0].get("msg") if isinstance(stated[0], dict) and "msg" in stated[0] else stated[0])
    return ""


def _phrase(status: int) -> str:
    known = status in HTTPStatus.__members__.values()
    return (HTTPStatus(status).phrase if known else "no reason given") + "."


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    named = {name.lower(): value for name, value in headers.items()}
    stated = named.get("retry-after", "").strip()
    if not stated:
        return None
    try:
        seconds = float(stated)
    except ValueError:
        when, now = _date(stated), _date(named.get("date", ""))
        if when is None:
            return None
        seconds = (when - (now or datetime.now(UTC))).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # Overflow: a year that no clock will show
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
