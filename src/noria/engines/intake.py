"""Streams bytes into a blob store from a thread, so that the event loop goes on and a Ctrl-C stops it cleanly."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import CancelledError, Future
from typing import TYPE_CHECKING, Self

from noria.core.protocols import BlobStore

if TYPE_CHECKING:
    # bytes-like in Python 3.12 and later has a name; 3.11 has it for type checkers alone.
    from _typeshed import WriteableBuffer

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, bytes so far, and bytes in all where known. Always in the event loop's thread."""


class Stopped(OSError):
    """The caller went away: a store that is reading keeps nothing."""


class Intake(io.RawIOBase):
    """A file-like object over a function that gives the next piece, empty at the end."""

    def __init__(self, piece: Callable[[], bytes], seen: Callable[[int], None]) -> None:
        self._piece = piece
        self._seen = seen
        self._rest = memoryview(b"")
        self._count = 0
        self._stopped = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill a buffer as far as the piece at hand goes. Raises ``Stopped`` after :meth:`stop`."""
        if not self._rest:
            if self._stopped:
                raise Stopped("the caller went away")
            self._rest = memoryview(self._piece())
            self._count += len(self._rest)
            self._seen(self._count)
        target = memoryview(buffer).cast("B")
        size = min(len(target), len(self._rest))
        target[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    def stop(self) -> None:
        """Make the next read fail."""
        self._stopped = True


class Bridge:
    """Lets a thread take pieces from a generator that lives in an event loop. Closes the generator at its end."""

    def __init__(self, pieces: AsyncGenerator[bytes, None]) -> None:
        self._pieces = pieces
        self._loop = asyncio.get_running_loop()
        self._asked: Future[bytes] | None = None
        self._abandoned = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pieces.aclose()

    def piece(self) -> bytes:
        """The next piece, empty at the end; for a thread. Raises ``Stopped`` after :meth:`abandon`."""
        self._asked = asyncio.run_coroutine_threadsafe(self._next(), self._loop)
        try:
            return self._asked.result()
        except CancelledError:
            raise Stopped("the caller went away") from None

    def abandon(self) -> None:
        """Wake the thread that waits for a piece; for the event loop."""
        self._abandoned = True
        if self._asked:
            self._asked.cancel()

    async def _next(self) -> bytes:
        if self._abandoned:
            raise asyncio.CancelledError
        return await anext(self._pieces, b"")


async def store(
    blobs: BlobStore,
    piece: Callable[[], bytes],
    *,
    expect: str | None,
    progress: Progress,
    doing: str,
    total: int | None,
    abandon: Callable[[], None] = lambda: None,
) -> str:
    """Put what ``piece`` gives into ``blobs``; return its SHA-256.

    ``piece`` is called in a thread until it gives nothing; ``abandon`` wakes it when the caller goes away. A
    cancellation is passed on only when the thread is done, so that nothing half-written is left behind it.
    """
    loop = asyncio.get_running_loop()

    def seen(count: int) -> None:
        loop.call_soon_threadsafe(progress, doing, count, total)

    intake = Intake(piece, seen)
    put = loop.run_in_executor(None, lambda: blobs.put(io.BufferedReader(intake, 1 << 20), expect=expect))
    try:
        return await asyncio.shield(put)
    except asyncio.CancelledError:
        intake.stop()
        abandon()
        await asyncio.wait({put})
        if not put.cancelled():
            put.exception()  # seen: it says no more than that the caller went away
        raise
