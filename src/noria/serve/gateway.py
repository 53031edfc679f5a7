"""The gateway's hot path, in raw ASGI: a caller's wire in, a target's events out.

Every call is recorded by the target it is handed. What stays here: the trace that a caller may continue (W3C Trace
Context), Noria's own headers, and what a caller sees when something fails. Before the first piece of the reply a
failure is an error response; after it the stream ends with the wire's error event, never as if it were complete.
"""

from __future__ import annotations

import asyncio
import math
import re
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus

import msgspec

from noria.core.answering import answer
from noria.core.errors import (
    CallFailed,
    CallRefused,
    Cancelled,
    InvalidInput,
    LimitReached,
    NoriaError,
)
from noria.core.keys import Caller
from noria.core.protocols import Target
from noria.core.requests import Request, TraceContext
from noria.serve.access import KEY
from noria.serve.asgi import (
    CAME,
    GONE,
    ASGIApp,
    Hangup,
    Lines,
    Receive,
    Scope,
    Send,
    headers_of,
    respond,
    retry_after,
)
from noria.serve.cache_wish import cache_wish, check_kept
from noria.serve.entrance import Entrance, Lateness, Places
from noria.serve.facts import Facts, of_limits
from noria.serve.failures import own_error
from noria.serve.permitted import permitted
from noria.serve.streaming import streamed
from noria.wires.wire import WireIn

Prepare = Callable[[Request], Awaitable[Request]]
"""Completes a request before it is called."""
_JSON = "application/json"
_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-[0-9a-f]{2}(?P<later>-.*)?"
)


class Gateway:
    """Serves the wires that callers speak.

    Arguments:
        target: answers requests, and records them.
        reuses: whether calls of a name may be answered from kept replies.
        new_trace_id: makes 32 hex digits.
        places: for calls.
        lateness: says when there is no time for more of them.
    """

    def __init__(
        self,
        target: Target,
        new_trace_id: Callable[[], str],
        places: Places,
        lateness: Lateness,
        reuses: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._entrance = Entrance(places, lateness)
        self._target = target
        self._reuses = reuses
        self._new_trace_id = new_trace_id

    def calls(self, wire: WireIn, prepare: Prepare | None = None) -> ASGIApp:
        """The endpoint that takes a wire's calls; ``prepare`` makes of a call what is asked, such as what it goes on from."""
        return partial(self._call, wire, prepare)

    async def _call(self, wire: WireIn, prepare: Prepare | None, scope: Scope, receive: Receive, send: Send) -> None:
        headers = headers_of(scope)
        trace = self._trace(headers.get("traceparent", ""))
        facts = Facts(trace.trace_id)
        try:
            body = await self._entrance.enter(receive, scope.get(CAME))
            try:
                query = scope["query_string"].decode("latin-1")
                path: dict[str, str] = {"query": query, **scope.get("path_params", {})}
                came = wire.decode(body, path=path, id=self._id(trace), created=_now())
                written = came.answer
                caller = permitted(scope.get(KEY), came.request)
                request = _as_asked(came.request, trace, caller, headers, wire.passed_on)
                if prepare is not None:
                    request = await prepare(request)
                if request.cache == "only":
                    check_kept(request.model, self._reuses)
                with _WhileConnected(scope, receive):
                    if request.stream:
                        await streamed(self._target, request, written, send, facts)
                        return
                    said = await answer(self._target, request, facts.hear)
                    assert said.reply is not None  # noqa: S101  # only of a streamed call it was told
                    facts.kept = said.kept
                    raw = said.data if said.wire == wire.name else b""
                    await respond(send, 200, written.whole(said.reply, raw), _JSON, more=facts.lines())
            finally:
                self._entrance.leave()
        except Cancelled:
            return
        except Exception as error:  # noqa: BLE001  # this boundary's one broad catch: whatever failed, the caller is told
            await _refuse(send, wire, own_error(error, scope["path"]), facts.lines())

    def _id(self, trace: TraceContext) -> str:
        """What the reply's id is made of: the trace's id, and more where the caller's trace may hold several calls."""
        return trace.trace_id if trace.parent_id is None else trace.trace_id + self._new_trace_id()[:16]

    def _trace(self, traceparent: str) -> TraceContext:
        """The caller's trace, where it sends a valid one (W3C Trace Context, level 1), else a new one."""
        if not traceparent:
            return TraceContext(trace_id=self._new_trace_id())
        match = _TRACEPARENT.fullmatch(traceparent.strip())
        valid = match and set(match["trace"]) != {"0"} and set(match["span"]) != {"0"}
        if match and valid and not (match["version"] == "00" and match["later"]):
            return TraceContext(trace_id=match["trace"], parent_id=match["span"])
        return TraceContext(trace_id=self._new_trace_id())


class _WhileConnected:
    """Cancels the block, a task's, as soon as the client goes away; that leaves it as ``Cancelled``.

    A class, because a generator for the block costs several times as much.
    """

    __slots__ = ("_gone", "_hangup", "_receive", "_task", "_watcher")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._hangup: Hangup | None = scope.get(GONE)
        self._receive = receive
        self._gone = False

    def __enter__(self) -> None:
        hangup = self._hangup
        task = asyncio.current_task() if hangup is None else hangup.task
        assert task is not None  # noqa: S101  # an ASGI server always calls from a task
        self._task = task
        if hangup is None:  # another server than Noria's own
            self._watcher = asyncio.create_task(self._watch())
        elif hangup.happened:
            raise Cancelled("The client went away.")
        else:
            hangup.listener = self._leave

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._hangup is None:
            self._watcher.cancel()
        else:
            self._hangup.listener = None
        if kind is asyncio.CancelledError and self._gone and self._task.uncancel() == 0:
            raise Cancelled("The client went away.") from None

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _leave(self) -> None:
        self._gone = True
        self._task.cancel()


async def _refuse(send: Send, wire: WireIn, error: NoriaError, lines: Lines) -> None:
    """Answer with an error. ``x-should-retry`` is read by OpenAI's clients, which else guess from the status."""
    if isinstance(error, CallRefused) and error.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        # The provider refused Noria's key; to say 401 would tell the callers that theirs is wrong.
        error = CallFailed(error.message, retry_after_s=error.retry_after_s, hint=error.hint)
    if isinstance(error, LimitReached):
        lines += of_limits(error.standings)
    headers = ((b"x-should-retry", b"true" if error.retryable else b"false"), *retry_after(error))
    await respond(send, error.status, wire.encode_error(error), _JSON, headers, more=lines)


def _as_asked(
    request: Request, trace: TraceContext, caller: Caller, headers: Mapping[str, str], passed_on: Sequence[str]
) -> Request:
    """The request with what its headers say. Raises ``InvalidInput``."""
    return msgspec.structs.replace(
        request,
        trace=trace,
        caller=caller,
        may_drop=_names(headers.get("noria-may-drop")),
        cache=cache_wish(headers),
        may_continue=headers.get("noria-may-continue", "").strip().lower() == "true",
        max_cost_usd=_ceiling(headers.get("noria-max-cost-usd")),
        headers={name: headers[name] for name in passed_on if name in headers} if passed_on else {},
    )


def _ceiling(header: str | None) -> float | None:
    """The caller's ceiling on the price, US dollars. Raises ``InvalidInput`` for what is no amount."""
    if header is None:
        return None
    try:
        amount = float(header)
    except ValueError:
        amount = math.nan
    if not (math.isfinite(amount) and amount >= 0):
        raise InvalidInput(f"noria-max-cost-usd: {header[:40]!r} is no amount of US dollars.")
    return amount


def _names(header: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in header.split(",") if name.strip()) if header else ()


def _now() -> int:
    return int(time.time())
