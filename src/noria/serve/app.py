"""The application: one door that checks every request, then the route that answers it.

/v1/...        the gateway, and OTLP's intake (traces, logs, metrics), raw ASGI
/v1beta/...    the gateway in Google's dialect, as /v1beta1/... is for clients of Vertex AI
/api/...       the REST API (Litestar)
/healthz       the process runs            /readyz   it can take calls
/metrics       Prometheus                  /login    exchanges a link's token for a session
/, /static/    the browser client
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qs

import msgspec
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from noria.assemble import Workspace
from noria.core.errors import InvalidInput, NoriaError, NotAllowed, Unavailable
from noria.serve.access import KEY, STATIC, Access
from noria.serve.api.errors import error_body
from noria.serve.api.tail import Tails
from noria.serve.asgi import ASGIApp, Headers, Receive, Scope, Send, headers_of, respond, retry_after
from noria.serve.failures import own_error
from noria.serve.gateway import Gateway
from noria.serve.health import CONTENT_TYPE_LATEST, metrics_page
from noria.serve.misdirected import doubled, meant, nothing_at
from noria.serve.models import ModelRoutes
from noria.serve.otlp import Otlp
from noria.serve.responses import StoredResponses
from noria.serve.rest import rest_api
from noria.serve.routes import Found, Router, Routes
from noria.serve.static_files import PAGE_HEADERS, StaticFile, static_files
from noria.serve.traffic import Traffic
from noria.wires import anthropic, cohere, google, openai_chat, openai_responses
from noria.wires.wire import WireIn

_JSON = "application/json"
_WATCHED = frozenset({"/healthz", "/readyz", "/metrics"})
"""What watches the server: it is answered to the end, and does not hold up a stop."""
_ERRORS: tuple[tuple[str, Callable[[NoriaError], bytes]], ...] = (
    ("/v1/messages", anthropic.encode_error),
    ("/v1/rerank", cohere.encode_error),
    ("/v2/", cohere.encode_error),
    ("/v1/", openai_chat.encode_error),
    ("/v1beta/", google.encode_error),
    ("/v1beta1/", google.encode_error),
)
"""Where a path begins -> how its callers read errors; the first that fits. All others read those of the REST API."""
_GOOGLES = (":generateContent", ":streamGenerateContent", ":countTokens", ":embedContent", ":batchEmbedContents")
"""How paths end whose callers read Google's errors, whatever the version of its API."""
_UNPACKED = frozenset({"/v1/traces", "/v1/logs", "/v1/metrics"})
"""Routes that take compressed bodies; elsewhere one would be read as text that is no JSON."""


class Application:
    """Noria's ASGI application.

    Arguments:
        workspace: the assembled stores, targets and services.
        access: who may come in.
        elsewhere: answers, and checks, all but the gateway's calls; None where this process answers all.
    """

    def __init__(self, workspace: Workspace, access: Access, *, elsewhere: ASGIApp | None = None) -> None:
        self._elsewhere = elsewhere
        self._workspace = workspace
        self._access = access
        self._metrics = metrics_page(workspace.numbers, workspace.measured)
        gateway = Gateway(
            workspace.calling.target,
            workspace.new_trace_id,
            workspace.calling.slots,
            workspace.calling.lateness,
            workspace.calling.reuses,
        )
        models = ModelRoutes(workspace.callable_models)
        stored = StoredResponses(workspace.traces, KEY)
        otlp = Otlp(workspace)
        files = {name: _readable(_file(file)) for name, file in static_files().items()}
        self.traffic = Traffic()
        """What is being answered now."""
        self.routes: Routes = {
            "/v1/chat/completions": {"POST": gateway.calls(openai_chat.ChatCompletions())},
            "/v1/messages": {"POST": gateway.calls(anthropic.Messages())},
            "/v1/messages/count_tokens": {"POST": gateway.calls(anthropic.CountTokens())},
            "/v1/embeddings": {"POST": gateway.calls(openai_chat.Embeddings())},
            "/v1/responses": {"POST": gateway.calls(openai_responses.Responses(), stored.resume)},
            "/v1/responses/{id}": {**_readable(stored.show), "DELETE": stored.delete},
            "/v1/responses/{id}/input_items": _readable(stored.list_items),
            "/v1/models": _readable(models.every),
            "/v1/models/{model}": _readable(models.one),
            "/v1/rerank": {"POST": gateway.calls(cohere.RerankV1())},
            "/v2/rerank": {"POST": gateway.calls(cohere.Rerank())},
            "/v1beta/models": _readable(models.every),
            "/v1beta/models/{model}": _readable(models.one),
            **_googles(gateway, "/v1beta"),
            **_googles(gateway, "/v1"),  # which Google's client for Python calls unless it is told otherwise
            **_googles(gateway, "/v1beta1"),  # which it calls for Vertex AI
            "/v1/traces": {"POST": otlp.traces},
            "/v1/logs": {"POST": otlp.logs},
            "/v1/metrics": {"POST": otlp.metrics},
            "/healthz": _readable(self._healthz),
            "/readyz": _readable(self._readyz),
            "/metrics": _readable(self._show_metrics),
            "/login": {"GET": self._behind_proxy(self._login)},  # not HEAD: a link's preview must not use it up
            "/": files.pop("index.html"),
            **{STATIC + name: methods for name, methods in files.items()},
        }
        """The routes outside of the REST API."""
        if elsewhere is not None:
            self.routes = {path: methods for path, methods in self.routes.items() if _is_call(path)}
        self._router = Router(self.routes)
        self._tails = Tails()
        self._api = elsewhere or rest_api(workspace, access, self._tails)

    def stop(self) -> None:
        """End what has no end of its own: streams of spans as they arrive."""
        self._tails.closing = True

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one connection."""
        if scope["type"] == "http":
            return self._http(scope, receive, send)
        if scope["type"] == "lifespan":
            return _lifespan(receive, send)
        return send({"type": "websocket.close", "code": 1008})

    @staticmethod
    def _behind_proxy(answer: ASGIApp) -> ASGIApp:
        """Heeds what a trusted proxy says of the request. Whatever else is answered does not care where it came from."""
        trusted = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")  # uvicorn's variable
        return cast("ASGIApp", ProxyHeadersMiddleware(cast("Any", answer), trusted_hosts=trusted))

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        found = self._router.find(path)
        if found is None and self._elsewhere is not None:
            answer = self._elsewhere  # which checks it, too
        else:
            headers = headers_of(scope)
            try:
                scope[KEY] = self._access.check(scope["method"], path, headers)
            except NotAllowed as error:
                await _refuse(send, meant(path, self._is_there) or path, error)
                return
            answer = self._answer_of(scope, headers, found)
        counted = path not in _WATCHED or (self._elsewhere is not None and self.traffic.draining)
        try:
            if counted:
                self.traffic.begin()
        except Unavailable as error:
            await _refuse(send, path, error, ((b"connection", b"close"),))
            return
        try:
            await answer(scope, receive, send)
        except Exception as error:  # noqa: BLE001  # the one broad catch of all routes
            await _refuse(send, path, own_error(error, path))
        finally:
            if counted:
                self.traffic.end()

    def _answer_of(self, scope: Scope, headers: Mapping[str, str], found: Found | None) -> ASGIApp:
        """What answers a request that was let in, if only by a refusal."""
        path, method = scope["path"], scope["method"]
        packed = headers.get("content-encoding", "")
        if packed and path not in _UNPACKED and packed.strip().lower() != "identity":
            refusal = InvalidInput("This route takes bodies as they are, without content-encoding.")
            refusal.status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE.value
            return _refusing(path, refusal)
        if path.startswith("/api/"):
            return self._api
        if found is None or (found.params and doubled(found.params)):
            return _refusing(meant(path, self._is_there) or path, nothing_at(path, self._is_there))
        handler = found.methods.get(method)
        if handler is None:
            allowed = ", ".join(found.methods)
            refusal = InvalidInput(f"{path} takes {allowed}, not {method[:20]}.")
            refusal.status = HTTPStatus.METHOD_NOT_ALLOWED.value
            return _refusing(path, refusal, ((b"allow", allowed.encode()),))
        if found.params:
            scope["path_params"] = found.params
        return handler

    def _is_there(self, path: str) -> bool:
        return self._router.find(path) is not None

    async def _healthz(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await respond(send, 200, b'{"status":"ok"}', _JSON)

    async def _readyz(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        ready = self._workspace.ready and not self.traffic.draining
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
        await asyncio.to_thread(self._workspace.note_login)
        cookie = self._access.cookie_header(session, secure=scope.get("scheme") == "https")
        fields = ((b"location", b"/"), (b"set-cookie", cookie.encode()), (b"cache-control", b"no-store"))
        await respond(send, 303, b"", "text/plain", fields)


def _is_call(path: str) -> bool:
    """Whether a worker answers it: the gateway's wires, and the lists of what they can call."""
    stored = path.startswith("/v1/responses/")
    return path.startswith(("/v1/", "/v1beta/", "/v2/")) and path not in _UNPACKED and not stored


def _googles(gateway: Gateway, version: str) -> Routes:
    """The methods of a model in Google's dialect, below a version of its API.

    The model is ``models/NAME``, or as it is where its name has a slash: so the Vercel AI SDK calls ``provider/model``.
    Vertex AI's clients write ``projects/P/locations/L/publishers/google/models/NAME``.
    """
    wires: dict[str, WireIn] = {
        "generateContent": google.GenerateContent(),
        "streamGenerateContent": google.GenerateContent(stream=True),
        "countTokens": google.CountTokens(),
        "embedContent": google.EmbedContent(),
        "batchEmbedContents": google.EmbedContent(batch=True),
    }
    return {f"{version}/{{model}}:{method}": {"POST": gateway.calls(wire)} for method, wire in wires.items()}


def _readable(handler: ASGIApp) -> dict[str, ASGIApp]:
    """A resource that is read: HEAD is GET whose body the server does not send (RFC 9110, section 9.3.2)."""
    return {"GET": handler, "HEAD": handler}


def _file(file: StaticFile) -> ASGIApp:
    async def serve(_scope: Scope, _receive: Receive, send: Send) -> None:
        await respond(send, 200, file.body, file.content_type, PAGE_HEADERS)

    return serve


def _refusing(path: str, error: NoriaError, headers: Headers = ()) -> ASGIApp:
    async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
        await _refuse(send, path, error, headers)

    return refuse


async def _refuse(send: Send, path: str, error: NoriaError, headers: Headers = ()) -> None:
    encode = next((encode for start, encode in _ERRORS if path.startswith(start)), None)
    if path.endswith(_GOOGLES):
        encode = google.encode_error
    if encode is not None:
        body = encode(error)
    else:
        body = msgspec.json.encode(error_body(error.code, error.message, kept=error.kept, hint=error.hint))
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers = (*headers, (b"www-authenticate", b"Bearer"))
    await respond(send, error.status, body, _JSON, (*headers, *retry_after(error)))


async def _lifespan(receive: Receive, send: Send) -> None:
    """Noria opens and closes its workspace outside of the server, so there is nothing to do here."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
