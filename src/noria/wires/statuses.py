"""What a provider's status means, whatever its dialect: whose fault it was, whether to try again, and when.

Source: RFC 9110, section 15; Retry-After: section 10.2.3.
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

from noria.core.decoding import UNREADABLE
from noria.core.errors import CallFailed, CallRefused

_LONGEST_SENTENCE = 500


def failed_with_status(
    status: int, headers: Mapping[str, str], body: bytes, *, hopeless: frozenset[str] = frozenset()
) -> CallFailed:
    """What a reply with a status other than 2xx means.

    4xx becomes :class:`CallRefused` with the provider's status, anything else :class:`CallFailed` with 502. 408, 429
    and 5xx are retryable. ``Retry-After`` (seconds or a date) is kept on the error; a date is measured against the
    reply's own ``Date``, so that neither clock matters here.

    Arguments:
        status: of the reply.
        headers: of the reply.
        body: of the reply, in any shape: an object with ``error``, ``message`` or ``detail``, or text.
        hopeless: values of ``error.code`` or ``error.type`` that mean that waiting will not help, whatever the status.
    """
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return CallFailed(
            f"The provider answered with a redirect (status {status}), and redirects are not followed.",
            hint="Set the provider's base URL to the final address.",
        )
    return failed(status, _stated(body), retry_after_s=retry_after_s(headers), hopeless=hopeless)


def failed(
    status: int, stated: Any, *, retry_after_s: float | None = None, hopeless: frozenset[str] = frozenset()
) -> CallFailed:
    """What an error means that the provider stated, with the status that it has or would have had.

    Arguments:
        stated: the provider's words, as :func:`failed_with_status` takes them, parsed.
    """
    sentence = _sentence(stated) or _phrase(status)
    error = stated.get("error") if isinstance(stated, dict) else None
    named = {error.get("code"), error.get("type")} if isinstance(error, dict) and hopeless else set()
    cannot = status == HTTPStatus.NOT_IMPLEMENTED  # not now, and not at the next try
    again = status in {408, 429} or (status >= HTTPStatus.INTERNAL_SERVER_ERROR and not cannot)
    retryable = again and not any(isinstance(name, str) and name in hopeless for name in named)
    if status < HTTPStatus.INTERNAL_SERVER_ERROR or cannot:
        message = f"The provider refused the call (status {status}): {sentence}"
        return CallRefused(message, status=status, retryable=retryable, retry_after_s=retry_after_s)
    message = f"The provider failed (status {status}): {sentence}"
    return CallFailed(message, retryable=retryable, retry_after_s=retry_after_s)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that the provider asks to wait; None where it does not say."""
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


def _stated(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except UNREADABLE:
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


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # Overflow: a year that no clock will show
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
