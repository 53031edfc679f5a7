"""How a wrapper holds the target inside it: the inner call ends at once, however the outer one does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from noria.core.events import Event
from noria.core.protocols import Target
from noria.core.requests import Request


@asynccontextmanager
async def called(target: Target, request: Request) -> AsyncIterator[AsyncIterator[Event]]:
    """Call ``target`` for the length of the block.

    Python leaves an abandoned generator to the garbage collector; a model would go on generating, and be paid, until
    then. So the block closes its iterator itself.
    """
    events = target.call(request)
    try:
        yield events
    finally:
        close = getattr(events, "aclose", None)  # the protocol asks for an iterator; generators can be closed too
        if close is not None:
            await close()
