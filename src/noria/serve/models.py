"""``GET /v1/models`` and ``/v1beta/models``: what the caller's key opens, in the shape that the caller's client reads.

The path alone does not say whose client it is: Anthropic's sends ``anthropic-version``, and Google's, which may be told to use ``/v1``,
``x-goog-api-client``.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol
from urllib.parse import parse_qsl

from noria.core.errors import NoriaError, UnknownName
from noria.core.keys import Key
from noria.serve.access import KEY
from noria.serve.asgi import Receive, Scope, Send, headers_of, respond, retry_after
from noria.wires import anthropic, google, openai_chat

_JSON = "application/json"


class _Shape(Protocol):
    """How a dialect writes models."""

    def many(self, names: list[str], query: Mapping[str, str]) -> bytes:
        """A list, or a page of one. Raises ``InvalidInput`` for a page that there can't be."""
        ...

    def one(self, name: str) -> bytes:
        """One of them."""
        ...

    def error(self, error: NoriaError) -> bytes:
        """A refusal."""
        ...


class _OpenAI:
    def many(self, names: list[str], query: Mapping[str, str]) -> bytes:
        del query  # it has no pages
        return openai_chat.encode_models(names, int(time.time()))

    def one(self, name: str) -> bytes:
        return openai_chat.encode_model(name, int(time.time()))

    def error(self, error: NoriaError) -> bytes:
        return openai_chat.encode_error(error)


class _Anthropic:
    def many(self, names: list[str], query: Mapping[str, str]) -> bytes:
        return anthropic.encode_models(names, query)

    def one(self, name: str) -> bytes:
        return anthropic.encode_model(name)

    def error(self, error: NoriaError) -> bytes:
        return anthropic.encode_error(error)


class _Google:
    def many(self, names: list[str], query: Mapping[str, str]) -> bytes:
        del query  # all of them are one page
        return google.encode_models(names)

    def one(self, name: str) -> bytes:
        return google.encode_model(name)

    def error(self, error: NoriaError) -> bytes:
        return google.encode_error(error)


_OPENAI, _ANTHROPIC, _GOOGLE = _OpenAI(), _Anthropic(), _Google()


class ModelRoutes:
    """Tells which models there are.

    Arguments:
        models: names that may be called now.
    """

    def __init__(self, models: Callable[[], Awaitable[Iterable[str]]]) -> None:
        self._models = models

    async def every(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Apps, routes and aliases by name, models as ``provider/model``."""
        del receive
        shape = _shape(scope)
        try:
            query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
            body = shape.many(await self._open_to(scope), query)
        except NoriaError as error:  # told in the client's own shape, which the path does not say
            await respond(send, error.status, shape.error(error), _JSON, retry_after(error))
            return
        await respond(send, 200, body, _JSON)

    async def one(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One of them."""
        del receive
        shape, name = _shape(scope), scope["path_params"]["model"]
        if name in await self._open_to(scope):
            await respond(send, 200, shape.one(name), _JSON)
            return
        error = UnknownName(f"There is no model {name[:80]!r}.", hint="The list of models has those there are.")
        await respond(send, error.status, shape.error(error), _JSON)

    async def _open_to(self, scope: Scope) -> list[str]:
        """Names that the caller's key opens."""
        key: Key | None = scope.get(KEY)
        return [name for name in await self._models() if key is None or key.may_call(name)]


def _shape(scope: Scope) -> _Shape:
    headers = headers_of(scope)
    if scope["path"].startswith("/v1beta/") or "x-goog-api-client" in headers:
        return _GOOGLE
    return _ANTHROPIC if "anthropic-version" in headers else _OPENAI
