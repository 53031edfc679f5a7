"""Every error of the API in one shape: code, message, what was kept, what to do next."""

from __future__ import annotations

from typing import Any

import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, ValidationException

from noria.core.errors import NoriaError, Unavailable

_log = structlog.get_logger(__name__)


def error_body(code: str, message: str, *, kept: str = "", hint: str = "") -> dict[str, Any]:
    """The body of an error response."""
    return {"error": {"code": code, "message": message, "kept": kept, "hint": hint}}


def on_noria_error(_: Request[Any, Any, Any], error: NoriaError) -> Response[dict[str, Any]]:
    """An error that Noria raised on purpose."""
    body = error_body(error.code, error.message, kept=error.kept, hint=error.hint)
    headers = {"retry-after": str(max(1, round(error.retry_after_s)))} if isinstance(error, Unavailable) else {}
    return Response(body, status_code=error.status, headers=headers, media_type=MediaType.JSON)


def on_http_error(_: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    """An error that the framework found: unknown route, wrong method, a body of the wrong shape."""
    message = error.detail
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        message = "; ".join(_field(item) for item in error.extra) or message
    code = "invalid_input" if error.status_code < 500 else "error"
    return Response(error_body(code, message), status_code=error.status_code, media_type=MediaType.JSON)


def on_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    """The one broad catch of this boundary: log the defect, tell the caller nothing of the inside."""
    _log.error("api.unexpected", path=request.url.path, error=type(error).__name__, exc_info=error)
    return Response(error_body("error", "Noria failed; its log says why."), status_code=500, media_type=MediaType.JSON)


def _field(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    key = item.get("key")
    return f"{key}: {item.get('message')}" if key else str(item.get("message"))
