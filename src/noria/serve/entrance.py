"""How a call comes in: its body is read first, in bounded time and memory, and only then does it take a place.

A caller who sends slowly would else hold a place that others could use, and some hundred of them all of it. In return what was read
and has no place yet takes memory, so all of that together is bounded.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from types import TracebackType
from typing import Protocol

from noria.core.errors import InvalidInput, Overloaded
from noria.serve.asgi import Receive, body_piece

MAX_BODY = 32 * 1024 * 1024
"""Largest request, bytes."""
MAX_TOGETHER = 256 * 1024 * 1024
"""Most bytes of requests that have no place yet."""
WHOLE_BODY_S = 120.0
"""Seconds that a body may take that does not come at once."""


class Places(Protocol):
    """Places for calls."""

    def check(self) -> None:
        """Raise ``Overloaded`` where there is neither a place nor room in the line."""
        ...

    def place(self) -> AbstractAsyncContextManager[None]:
        """A place for the length of a block. Raises ``Overloaded``."""
        ...


class Lateness(Protocol):
    """How late calls are taken up."""

    def check(self, came_s: float) -> None:
        """A call that came then is taken up. Raises ``Overloaded``."""
        ...


class Entrance:
    """Lets calls in.

    Arguments:
        places: for the calls themselves.
        lateness: says when there is no time for more of them.
    """

    def __init__(self, places: Places, lateness: Lateness) -> None:
        self.places = places
        self._lateness = lateness
        self._held = 0

    def call(self, receive: Receive, came_s: float | None) -> Entered:
        """``async with`` it: a place, and the call's body.

        Arguments:
            receive: ASGI's.
            came_s: when it was read, by the event loop's clock; None where nobody knows.

        Raises:
            InvalidInput: 413, the body is too large; 408, it took too long.
            Overloaded: there is no place, too much is waiting for one, or there is no time.
            Cancelled: the client went away.
        """
        if came_s is not None:
            self._lateness.check(came_s)
        return Entered(self, receive)

    async def read(self, receive: Receive) -> bytes:
        """A whole body, which counts as held until :meth:`leave`."""
        piece, more = await body_piece(receive)
        pieces, size = [piece], len(piece)
        try:
            self._hold(size, size)
            if more:
                async with asyncio.timeout(WHOLE_BODY_S):
                    while more:
                        piece, more = await body_piece(receive)
                        pieces.append(piece)
                        size += len(piece)
                        self._hold(len(piece), size)
        except TimeoutError:
            self._held -= size
            error = InvalidInput(f"The request body did not come within {WHOLE_BODY_S:g} seconds.")
            error.status = HTTPStatus.REQUEST_TIMEOUT.value
            raise error from None
        except BaseException:
            self._held -= size
            raise
        return piece if len(pieces) == 1 else b"".join(pieces)

    def leave(self, body: bytes) -> None:
        """The body has found its place, or none."""
        self._held -= len(body)

    def _hold(self, more: int, size: int) -> None:
        self._held += more
        if size > MAX_BODY:
            error = InvalidInput(f"The request body is larger than {MAX_BODY:,} bytes.")
            error.status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE.value
            raise error
        if self._held > MAX_TOGETHER:
            raise Overloaded(
                "Too many large requests are on their way to this server.",
                kept="Nothing was sent.",
                hint="Try again later.",
            )


class Entered:
    """One call's way in. A class, because a generator for the block costs several times as much."""

    __slots__ = ("_entrance", "_place", "_receive")

    def __init__(self, entrance: Entrance, receive: Receive) -> None:
        self._entrance = entrance
        self._receive = receive

    async def __aenter__(self) -> bytes:
        self._entrance.places.check()  # before anything is read for a call that would be turned away
        body = await self._entrance.read(self._receive)
        try:
            self._place = self._entrance.places.place()
            await self._place.__aenter__()
        finally:
            self._entrance.leave(body)
        return body

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._place.__aexit__(kind, error, traceback)
