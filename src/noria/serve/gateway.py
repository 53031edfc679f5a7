"""The gateway's hot path, in raw ASGI: OpenAI Chat Completions in, a target's events out.

Every call is recorded by the target it is handed. What stays here: the wire, the trace that a caller may continue
(W3C Trace Context), and what a caller sees when something fails. Before the first piece of the reply a failure is an
error response; after it the stream ends with an error chunk and without ``[DONE]``, never as if it were complete.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from http import HTTPStatus

import msgspec
import structlog

from noria.core.errors import CallFailed, CallRefused, Cancelled, NoriaError
from noria.core.events import Event, collect
from noria.core.protocols import Target
from noria.core.requests import TraceContext
from noria.serve.asgi import Headers, Receive, Scope, Send, headers_of, read_body, respond, retry_after
from noria.serve.failures import own_error
from noria.wires import openai_chat

MAX_BODY = 32 * 1024 * 1024
"""Largest request, bytes."""

_JSON = "application/json"
_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-[0-9a-f]{2}(?P<later>-.*)?"
)
_log = structlog.get_logger(__name__)


class Gateway:
    """Serves ``POST /v1/chat/completions`` and ``GET /v1/models``.

    Arguments:
        target: answers requests, and records them.
        models: names that may be called now.
        new_trace_id: makes 32 hex digits.
    """

    def __init__(
        self, target: Target, models: Callable[[], Awaitable[Iterable[str]]], new_trace_id: Callable[[], str]
    ) -> None:
        self._target = target
        self._models = models
        self._new_trace_id = new_trace_id

    async def list_models(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``GET /v1/models``: apps by name, local models as ``local/name``."""
        del scope, receive
        await respond(send, 200, openai_chat.encode_models(await self._models(), _now()), _JSON)

    async def chat_completions(self, scope: Scope, receive: Receive, send: Send) -> None:
        """``POST /v1/chat/completions``."""
        trace = self._trace(headers_of(scope).get("traceparent", ""))
        sent_headers = ((b"noria-trace-id", trace.trace_id.encode()),)
        try:
            body = await read_body(receive, MAX_BODY)
            request, stream, include_usage = openai_chat.decode_request(body)
            request = msgspec.structs.replace(request, trace=trace)
            encoder = openai_chat.StreamEncoder(id=_reply_id(trace), created=_now(), include_usage=include_usage)
            async with _while_connected(receive), _closing(self._target.call(request)) as events:
                if stream:
                    await _stream(events, encoder, send, sent_headers)
                else:
                    reply = await collect(events)
                    body = openai_chat.encode_reply(reply, id=_reply_id(trace), created=_now())
                    await respond(send, 200, body, _JSON, sent_headers)
        except Cancelled:
            return
        except Exception as error:  # noqa: BLE001  # this boundary's one broad catch: whatever failed, the caller is told
            await _refuse(send, own_error(error, scope["path"]), sent_headers)

    def _trace(self, traceparent: str) -> TraceContext:
        """The caller's trace, where it sends a valid one (W3C Trace Context, level 1), else a new one."""
        match = _TRACEPARENT.fullmatch(traceparent.strip())
        valid = match and set(match["trace"]) != {"0"} and set(match["span"]) != {"0"}
        if match and valid and not (match["version"] == "00" and match["later"]):
            return TraceContext(trace_id=match["trace"], parent_id=match["span"])
        return TraceContext(trace_id=self._new_trace_id())


@contextlib.asynccontextmanager
async def _while_connected(receive: Receive) -> AsyncIterator[None]:
    """Cancel the block as soon as the client goes away; that leaves it as ``Cancelled``."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  # an ASGI server always calls from a task
    gone = False

    async def watch() -> None:
        nonlocal gone
        while (await receive())["type"] != "http.disconnect":
            pass
        gone = True
        task.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if gone and task.uncancel() == 0:
            raise Cancelled("The client went away.") from None
        raise
    finally:
        watcher.cancel()


@contextlib.asynccontextmanager
async def _closing(events: AsyncIterator[Event]) -> AsyncIterator[AsyncIterator[Event]]:
    """Close the stream at the end, so that an unfinished call is cancelled upstream at once."""
    try:
        yield events
    finally:
        aclose = getattr(events, "aclose", None)
        if aclose is not None:
            await aclose()


async def _stream(
    events: AsyncIterator[Event], encoder: openai_chat.StreamEncoder, send: Send, headers: Headers
) -> None:
    """Send the reply as server-sent events. A failure before the first event is left to the caller."""
    event = await anext(events, None)
    fields = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-cache"),
        (b"x-accel-buffering", b"no"),
        *headers,
    ]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    try:
        while event is not None:
            if chunk := encoder.encode(event):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            event = await anext(events, None)
    except Exception as error:  # noqa: BLE001  # the response has begun, so the failure must be told in it
        failure = own_error(error, "/v1/chat/completions")
        _log.warning("gateway.stream_failed", code=failure.code)
        await send({"type": "http.response.body", "body": encoder.error(failure)})
        return
    await send({"type": "http.response.body", "body": encoder.finish()})


async def _refuse(send: Send, error: NoriaError, headers: Headers) -> None:
    """Answer with an error. ``x-should-retry`` is read by OpenAI's clients, which else guess from the status."""
    if isinstance(error, CallRefused) and error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        # The provider refused Noria's key; to say 401 would tell the callers that theirs is wrong.
        error = CallFailed(error.message, retry_after_s=error.retry_after_s, hint=error.hint)
    headers = (*headers, (b"x-should-retry", b"true" if error.retryable else b"false"), *retry_after(error))
    await respond(send, error.status, openai_chat.encode_error(error), _JSON, headers)


def _reply_id(trace: TraceContext) -> str:
    return f"chatcmpl-{trace.trace_id}"


def _now() -> int:
    return int(time.time())
