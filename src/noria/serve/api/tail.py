"""Server-Sent Events: spans as they arrive (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import msgspec

from noria.core.errors import NoriaError, Unavailable
from noria.core.questions import Arrivals
from noria.core.struct import spelt_out
from noria.serve.api.errors import error_body

MOST = 32
"""Streams at the same time; each asks the store again and again."""
BEAT_S = 10.0
"""Seconds without an event after which a comment says that the stream lives."""


class Tails:
    """The streams that are open."""

    def __init__(self) -> None:
        self.open = 0
        """How many."""
        self.closing = False
        """Whether they are to end."""

    def counted(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """``stream``, counted while it is read. Raises ``Unavailable`` when there are too many."""
        if self.open >= MOST:
            raise Unavailable(f"{MOST} streams are open already.", retry_after_s=10, hint="Close one, or list instead.")
        return self._counted(stream)

    async def _counted(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        self.open += 1
        try:
            async for piece in stream:
                yield piece
        finally:
            self.open -= 1


async def events(batches: AsyncIterator[Arrivals]) -> AsyncIterator[bytes]:
    """Batches as events.

    Only the end of a batch has an id: who comes back with it misses nothing, and sees at most one batch again. A cursor
    without a span is sent too, so that a stream on which nothing matches goes on from where it was.
    """
    yield b": spans as they arrive\n\n"
    sent, cursor = time.monotonic(), ""
    try:
        async for batch in batches:
            pieces = [_event(b"span", msgspec.json.encode(spelt_out(span))) for span in batch.spans]
            if batch.cursor != cursor:
                cursor = batch.cursor
                pieces.append(b"id: " + cursor.encode() + b"\n\n")
            elif time.monotonic() - sent > BEAT_S:
                pieces.append(b": still here\n\n")
            if pieces:
                yield b"".join(pieces)
                sent = time.monotonic()
    except asyncio.CancelledError:
        raise
    except NoriaError as error:
        body = error_body(error.code, error.message, kept=error.kept, hint=error.hint)
        yield _event(b"error", msgspec.json.encode(body))


def _event(name: bytes, data: bytes) -> bytes:
    """One event. JSON holds no line break, so its data are one line."""
    return b"event: " + name + b"\ndata: " + data + b"\n\n"
