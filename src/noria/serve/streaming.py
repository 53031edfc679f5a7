"""A streamed reply on its way to the caller: each event is written where it is told.

Before its first byte a failure is left to the gateway, which answers with an error; after it the stream ends with the wire's
error event, and never as if it were complete.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from noria.core.answering import Ended, Later, answer
from noria.core.errors import NoriaError
from noria.core.events import Event, OnRecord, Sent
from noria.core.protocols import Target
from noria.core.requests import Request
from noria.serve.asgi import Lines, Send, headers_in
from noria.serve.facts import Facts, names_of
from noria.serve.failures import own_error
from noria.wires.wire import Answer

_log = structlog.get_logger(__name__)


async def streamed(target: Target, request: Request, written: Answer, send: Send, facts: Facts) -> None:
    """Call a target and send its reply as it comes. Raises what the call raises before anything of it was sent."""
    stream = _Stream(written, send, facts)
    try:
        said = await answer(target, request, stream.hear)
    except (Exception, Ended) as raised:  # noqa: BLE001  # a boundary: whatever failed, a response that has begun must tell it
        error = raised.error if isinstance(raised, Ended) else raised
        if not stream.begun:
            raise error from None
        failure = own_error(error, "the gateway")
        _log.warning("gateway.stream_failed", code=failure.code)
        await stream.end(written.error(failure))
        return
    await stream.end(_untold(said.kept, written) + written.finish())


class _Stream:
    """Writes one reply."""

    def __init__(self, written: Answer, send: Send, facts: Facts) -> None:
        self._written = written
        self._send = send
        self._facts = facts
        self._more: Callable[[bytes], Awaitable[None] | None] | None = None
        self.begun = False
        """Something was sent."""

    def hear(self, event: Event) -> Awaitable[None] | None:
        """Send what an event means in the caller's wire."""
        if isinstance(event, Sent) and not self.begun:
            self._facts.sent = event
            return None
        try:
            piece = _seam(event, self._written) if isinstance(event, Sent) else self._written.encode(event)
        except NoriaError as error:
            raise Ended(error) from error
        if not piece:
            return None
        if self._more is not None:
            return self._more(piece)
        return None if not self.begun and self._begin_at_once(piece) else Later(partial(self._slowly, piece))

    async def end(self, piece: bytes) -> None:
        """Send the last piece."""
        await self._slowly(piece, more=False)

    async def _slowly(self, piece: bytes, *, more: bool = True) -> None:
        """As every ASGI server takes it."""
        if not self.begun:
            self.begun = True
            await self._send({"type": "http.response.start", "status": 200, "headers": headers_in(self._head())})
        await self._send({"type": "http.response.body", "body": piece, "more_body": more})

    def _begin_at_once(self, piece: bytes) -> bool:
        """Send the head with the first piece, where the server offers that."""
        begin: Callable[[int, Lines, bytes], bool] | None = getattr(self._send, "begin", None)
        if begin is None or not begin(200, self._head(), piece):
            return False
        self.begun, self._more = True, self._send.more  # type: ignore[attr-defined]  # it offers both
        return True

    def _head(self) -> Lines:
        kind = self._written.content_type
        return b"content-type: %b\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n%b" % (
            kind,
            self._facts.lines(),
        )


def _untold(kept: OnRecord | None, answer: Answer) -> bytes:
    """Tells what of the answer was left out: a comment, since the headers have left; a stream that has none says it in its last piece."""
    if kept is None or not kept.dropped:
        return b""
    if not answer.content_type.startswith(b"text/event-stream"):
        return answer.encode(kept)
    return b": noria-dropped %b\n\n" % names_of(kept.dropped)


def _seam(sent: Sent, answer: Answer) -> bytes:
    """Tells that another model goes on from here: a comment, which clients of server-sent events pass over."""
    if sent.continues is None or not answer.content_type.startswith(b"text/event-stream"):
        return b""
    return f": noria-continued {sent.continues} {sent.provider}\n\n".encode()
