"""Calls whose reply comes in one piece, made without a stream of events between the caller and the model.

A stream costs a generator for each wrapper on the way, and three events that pass through all of them: more than all
that the wrappers do. So a target may offer ``whole`` beside ``call``, for requests that are not streamed. Both do the
same; a target without it is called as ever, and its events are folded here.

What becomes known before the reply (``Sent``, ``Noted``) is *told* outwards when it is known, since a call that fails
has it too; so is, by whoever folds a stream, each piece of a reply that may still break off.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, NamedTuple

from noria.core.errors import NoriaError
from noria.core.events import Event, OnRecord, Raw
from noria.core.folding import Fold
from noria.core.protocols import Target
from noria.core.replies import Reply
from noria.core.requests import Request

Tell = Callable[[Event], Awaitable[None]]
"""Takes an event of a call under way, before the call goes on. It raises nothing but ``Ended``."""


class Answered(NamedTuple):
    """A reply, complete or not."""

    reply: Reply
    """What was said."""
    wire: str = ""
    """The caller's wire, where the provider wrote in it."""
    data: bytes = b""
    """The reply in the provider's own bytes then."""
    kept: OnRecord | None = None
    """Its record, from the recorder outwards."""


class Ended(BaseException):
    """Raised by what is told, to end a call from outside.

    Wrappers on the way see it as they see a caller that went away, and not as a failure of the model, after which they
    might try again.

    Arguments:
        error: what the call fails with, outside.
    """

    def __init__(self, error: NoriaError) -> None:
        super().__init__(error)
        self.error = error
        """What the call fails with."""


Answering = Coroutine[Any, Any, Answered]
"""A call under way. Cancelling it cancels the call upstream."""


def answer(target: Target, request: Request, tell: Tell) -> Answering:
    """Call a target for a reply in one piece. Raises what the call raises, some of it before it is awaited."""
    whole: Callable[[Request, Tell], Answering] | None = getattr(target, "whole", None)
    return collected(target.call(request), tell) if whole is None else whole(request, tell)


async def collected(events: AsyncIterator[Event], tell: Tell) -> Answered:
    """A stream as one piece; all of it is told as it comes."""
    fold, raw, kept = Fold(), None, None
    try:
        async for event in events:
            fold.take(event)
            if isinstance(event, OnRecord):
                kept = event
                continue
            if isinstance(event, Raw):
                raw = event
            await tell(event)
    finally:
        aclose = getattr(events, "aclose", None)
        if aclose is not None:
            await aclose()
    if raw is None:
        return Answered(fold.reply(), kept=kept)
    return Answered(fold.reply(), raw.wire, raw.data, kept)
