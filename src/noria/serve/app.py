"""The application: one door that checks every request, then the route that answers it.

/v1/...        the gateway, raw ASGI
/api/...       the REST API (Litestar)
/healthz       the process runs            /readyz   it can take calls
/metrics       Prometheus                  /login    exchanges a link's token for a session
/, /static/    the browser client
"""

from __future__ import annotations

import functools
import importlib.resources
import mimetypes
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qs

import msgspec
import structlog
from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from noria.assemble import Workspace
from noria.core.errors import NoriaError, NotAllowed
from noria.serve.access import STATIC, Access, cookie_header
from noria.serve.api.apps import AppsController, VariantsController
from noria.serve.api.datasets import DatasetsController
from noria.serve.api.errors import error_body, on_http_error, on_noria_error, on_unexpected
from noria.serve.api.experiments import ExperimentsController
from noria.serve.api.models import ModelsController
from noria.serve.api.monitors import MonitorsController
from noria.serve.api.prompts import PromptsController
from noria.serve.api.server import ServerController
from noria.serve.api.traces import TracesController
from noria.serve.asgi import ASGIApp, Headers, Receive, Scope, Send, headers_of, respond
from noria.serve.gateway import Gateway
from noria.serve.health import CONTENT_TYPE_LATEST, metrics_page
from noria.wires import openai_chat

PAGE_HEADERS: Headers = (
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
            b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    ),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
)
"""Traces are hostile text: the pages that show them run no script but Noria's own, and load nothing from elsewhere."""

_JSON = "application/json"
_log = structlog.get_logger(__name__)

Routes = Mapping[str, Mapping[str, ASGIApp]]
"""Path -> method -> handler."""


class Application:
    """Noria's ASGI application.

    Arguments:
        workspace: the assembled stores, targets and services.
        access: who may come in.
    """

    def __init__(self, workspace: Workspace, access: Access) -> None:
        self._workspace = workspace
        self._access = access
        self._metrics = metrics_page(workspace.numbers)
        gateway = Gateway(workspace.target, workspace.callable_models, workspace.new_trace_id)
        self.routes: Routes = {
            "/v1/chat/completions": {"POST": gateway.chat_completions},
            "/v1/models": {"GET": gateway.list_models},
            "/healthz": {"GET": self._healthz},
            "/readyz": {"GET": self._readyz},
            "/metrics": {"GET": self._show_metrics},
            "/login": {"GET": self._login},
            "/": {"GET": self._page},
        }
        """The routes outside of the REST API and ``/static/``."""
        self.api = rest_api(workspace, access)
        """The REST API."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        try:
            self._access.check(method, path, headers_of(scope))
        except NotAllowed as error:
            await _refuse(send, path, error)
            return
        if path.startswith("/api/"):
            await self.api(scope, receive, send)  # type: ignore[arg-type]  # Litestar spells ASGI's types its own way
        elif path.startswith(STATIC) and method in {"GET", "HEAD"}:
            await _static(send, path.removeprefix(STATIC))
        elif path not in self.routes:
            await _refuse_status(send, path, HTTPStatus.NOT_FOUND, f"There is nothing at {path!r}.")
        elif (handler := self.routes[path].get("GET" if method == "HEAD" else method)) is None:
            allowed = ", ".join(self.routes[path])
            await _refuse_status(send, path, HTTPStatus.METHOD_NOT_ALLOWED, f"{path} takes {allowed}, not {method}.")
        else:
            await handler(scope, receive, send)

    async def _healthz(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await respond(send, 200, b'{"status":"ok"}', _JSON)

    async def _readyz(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        ready = self._workspace.ready
        await respond(send, 200 if ready else 503, b'{"ready":%s}' % (b"true" if ready else b"false"), _JSON)

    async def _show_metrics(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await respond(send, 200, self._metrics(), CONTENT_TYPE_LATEST)

    async def _login(self, scope: Scope, _receive: Receive, send: Send) -> None:
        [token] = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[-1:]
        try:
            session = self._access.exchange(token)
        except NotAllowed as error:
            await respond(send, error.status, str(error).encode(), "text/plain; charset=utf-8", PAGE_HEADERS)
            return
        cookie = cookie_header(session, secure=scope.get("scheme") == "https")
        fields = ((b"location", b"/"), (b"set-cookie", cookie.encode()), (b"cache-control", b"no-store"))
        await respond(send, 303, b"", "text/plain", fields)

    async def _page(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await _static(send, "index.html")


def rest_api(workspace: Workspace, access: Access) -> Litestar:
    """The REST API, with its OpenAPI document at ``/api/openapi.json``."""
    return Litestar(
        path="/api",
        route_handlers=[
            AppsController,
            DatasetsController,
            ExperimentsController,
            ModelsController,
            MonitorsController,
            PromptsController,
            ServerController,
            TracesController,
            VariantsController,
        ],
        dependencies={
            "workspace": Provide(lambda: workspace, sync_to_thread=False),
            "access": Provide(lambda: access, sync_to_thread=False),
        },
        exception_handlers={NoriaError: on_noria_error, HTTPException: on_http_error, Exception: on_unexpected},
        openapi_config=OpenAPIConfig(
            title="Noria",
            version=workspace.version,
            description="Every call becomes a record; every record can be judged; every judgement can change what ships.",
            path="/",
            render_plugins=[JsonRenderPlugin(path="/openapi.json")],
            use_handler_docstrings=True,
            security=[{"key": []}],
            components=Components(security_schemes={"key": SecurityScheme(type="http", scheme="bearer")}),
        ),
        logging_config=None,
        request_max_body_size=32 * 1024 * 1024,
    )


@functools.cache
def _read_static(name: str) -> bytes | None:
    """A file of the browser client; only names in its folder, no paths."""
    if "/" in name or "\\" in name or name.startswith("."):
        return None
    file = importlib.resources.files("noria.serve") / "static" / name
    return file.read_bytes() if file.is_file() else None


async def _static(send: Send, name: str) -> None:
    body = _read_static(name)
    if body is None:
        await _refuse_status(send, STATIC + name, HTTPStatus.NOT_FOUND, f"There is no page {name[:80]!r}.")
        return
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    await respond(send, 200, body, f"{kind}; charset=utf-8", PAGE_HEADERS)


async def _refuse(send: Send, path: str, error: NoriaError) -> None:
    if path.startswith("/v1/"):
        body = openai_chat.encode_error(error)
    else:
        body = msgspec.json.encode(error_body(error.code, error.message, kept=error.kept, hint=error.hint))
    headers = ((b"www-authenticate", b"Bearer"),) if error.status == HTTPStatus.UNAUTHORIZED else ()
    await respond(send, error.status, body, _JSON, headers)


async def _refuse_status(send: Send, path: str, status: HTTPStatus, sentence: str) -> None:
    error = NoriaError(sentence)
    error.status = status.value
    await _refuse(send, path, error)


async def _lifespan(receive: Receive, send: Send) -> None:
    """Noria opens and closes its workspace outside of the server, so there is nothing to do here."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
