"""How a wrapper holds the target inside it: the inner call ends at once, however the outer one does; and how it fails."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

from noria.core.errors import NoriaError
from noria.core.events import Event
from noria.core.protocols import Target
from noria.core.requests import Request


class called:  # noqa: N801  # reads as what it does: `async with called(target, request) as events`
    """Call ``target`` for the length of the block.

    Python leaves an abandoned generator to the garbage collector; a model would go on generating, and be paid, until
    then. So the block closes its iterator itself. It is a class, because a generator for the block would cost more than
    all else here, several times a call.
    """

    __slots__ = ("_events",)

    def __init__(self, target: Target, request: Request) -> None:
        self._events = target.call(request)

    async def __aenter__(self) -> AsyncIterator[Event]:
        return self._events

    async def __aexit__(self, *_: object) -> None:
        close = getattr(self._events, "aclose", None)  # the protocol asks for an iterator; generators can be closed too
        if close is not None:
            await close()


async def failing(error: NoriaError) -> AsyncGenerator[Event]:
    """A call that fails at its first event, for wrappers that have no events of their own."""
    raise error
    yield  # type: ignore[unreachable]  # makes it a generator
