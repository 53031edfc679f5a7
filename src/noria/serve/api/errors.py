"""Every error of the API in one shape: code, message, what was kept, what to do next."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, ValidationException

from noria.core.errors import InvalidInput, NoriaError, UnknownName
from noria.serve.asgi import retry_after
from noria.serve.failures import own_error


def error_body(code: str, message: str, *, kept: str = "", hint: str = "") -> dict[str, Any]:
    """The body of an error response."""
    return {"error": {"code": code, "message": message, "kept": kept, "hint": hint}}


def on_noria_error(_: Request[Any, Any, Any], error: NoriaError) -> Response[dict[str, Any]]:
    """An error that Noria raised on purpose."""
    body = error_body(error.code, error.message, kept=error.kept, hint=error.hint)
    headers = {name.decode(): value.decode() for name, value in retry_after(error)}
    return Response(body, status_code=error.status, headers=headers, media_type=MediaType.JSON)


def on_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    """An error that the framework found: unknown route, wrong method, a body of the wrong shape."""
    message = error.detail
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        message = "; ".join(_field(item) for item in error.extra) or message
    code = "error" if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR else InvalidInput.code
    if error.status_code == HTTPStatus.NOT_FOUND:
        code, message = UnknownName.code, f"There is nothing at {request.url.path[:80]!r}."
    return Response(error_body(code, message), status_code=error.status_code, media_type=MediaType.JSON)


def on_too_deep(_: Request[Any, Any, Any], __: RecursionError) -> Response[dict[str, Any]]:
    """JSON nested deeper than any decoder goes."""
    return Response(error_body("invalid_input", "The body is nested too deeply."), status_code=400)


def on_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, Any]]:
    """The one broad catch of this boundary."""
    return on_noria_error(request, own_error(error, request.url.path))


def _field(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    key = item.get("key")
    return f"{key}: {item.get('message')}" if key else str(item.get("message"))
