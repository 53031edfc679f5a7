"""How a call comes in: its body is read first, in bounded time and memory, and only then does it take a place.

A caller who sends slowly would else hold a place that others could use, and some hundred of them all of it. In return what was read
and has no place yet takes memory, so all of that together is bounded.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
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

    async def enter(self) -> None:
        """Take a place. Raises ``Overloaded``."""
        ...

    def leave(self) -> None:
        """Give it back."""
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
        self._places = places
        self._lateness = lateness
        self._held = 0

    async def enter(self, receive: Receive, came_s: float | None) -> bytes:
        """Take a place for a call, and read its body. Whoever has entered has to :meth:`leave`.

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
        self._places.check()  # before anything is read for a call that would be turned away
        body, more = await body_piece(receive)
        self._hold(len(body), len(body))
        if more:
            body = await self._read_on(body, receive)
        try:
            await self._places.enter()
        finally:
            self._held -= len(body)
        return body

    def leave(self) -> None:
        """The call has ended."""
        self._places.leave()

    async def _read_on(self, piece: bytes, receive: Receive) -> bytes:
        """The whole body that begins with a piece, which is held."""
        pieces, size, more = [piece], len(piece), True
        try:
            async with asyncio.timeout(WHOLE_BODY_S):
                while more:
                    piece, more = await body_piece(receive)
                    self._hold(len(piece), size + len(piece))
                    pieces.append(piece)
                    size += len(piece)
        except TimeoutError:
            self._held -= size
            error = InvalidInput(f"The request body did not come within {WHOLE_BODY_S:g} seconds.")
            error.status = HTTPStatus.REQUEST_TIMEOUT.value
            raise error from None
        except BaseException:
            self._held -= size
            raise
        return b"".join(pieces)

    def _hold(self, more: int, size: int) -> None:
        """Hold a piece of a body that is of this size with it. Raises where it is not held."""
        if size > MAX_BODY:
            error = InvalidInput(f"The request body is larger than {MAX_BODY:,} bytes.")
            error.status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE.value
            raise error
        if self._held + more > MAX_TOGETHER:
            raise Overloaded(
                "Too many large requests are on their way to this server.",
                kept="Nothing was sent.",
                hint="Try again later.",
            )
        self._held += more
