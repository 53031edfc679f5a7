"""Calls whose events are told to whoever listens, without an iterator between the caller and the model.

An iterator costs a generator for each wrapper on the way, and each event is handed through all of them, by a task that is woken
for it. So a target may offer ``answer`` beside ``call``; both do the same. A target without it is called as ever, and its
events are told here.

Of a request that is streamed (``request.stream`` is true) everything is told, at the moment it comes: often by the event
loop's own call that has read it. Of any other, ``answer`` returns the reply in one piece, and what is known before it
(``Sent``, ``Noted``) is told when it is known, since a call that fails has it too; so is, by whoever folds a stream, each
piece of a reply that may still break off.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

from noria.core.errors import NoriaError
from noria.core.events import Event, OnRecord, Raw
from noria.core.folding import Fold
from noria.core.protocols import Target
from noria.core.replies import Reply
from noria.core.requests import Request

Tell = Callable[[Event], Awaitable[None] | None]
"""Takes an event of a call under way. What it returns has to be awaited before the next event is told; mostly that is nothing.
It raises nothing but ``Ended``."""


class Answered(NamedTuple):
    """How a call ended that did not fail."""

    reply: Reply | None
    """What was said; None where it was told, piece by piece."""
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


class Later:
    """What a listener returns that has to be awaited. It begins then: where its call is cancelled before, there is nothing to end.

    Arguments:
        begin: what is awaited.
    """

    __slots__ = ("_begin",)

    def __init__(self, begin: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._begin = begin

    def __await__(self) -> Generator[Any, None, None]:
        return self._begin().__await__()


async def _nothing() -> None:
    pass


NOTHING = Later(_nothing)
"""To be awaited by whoever has to look up."""


Answering = Coroutine[Any, Any, Answered]
"""A call under way. Cancelling it cancels the call upstream."""


def answer(target: Target, request: Request, tell: Tell) -> Answering:
    """Call a target. Raises what the call raises, some of it before it is awaited."""
    return answering(target)(request, tell)


def answering(target: Target) -> Callable[[Request, Tell], Answering]:
    """How a target is called, for whoever calls it again and again."""
    own: Callable[[Request, Tell], Answering] | None = getattr(target, "answer", None)
    return partial(_called, target) if own is None else own


def _called(target: Target, request: Request, tell: Tell) -> Answering:
    return from_events(target.call(request), request, tell)


async def from_events(events: AsyncIterator[Event], request: Request, tell: Tell) -> Answered:
    """A call's events, all of them told as they come; folded, too, unless the request is streamed."""
    fold, raw, kept = None if request.stream else Fold(), None, None
    try:
        async for event in events:
            if fold is not None:
                fold.take(event)
            if isinstance(event, OnRecord):
                kept = event
                continue
            if isinstance(event, Raw):
                raw = event
            waiting = tell(event)
            if waiting is not None:
                await waiting
    finally:
        aclose = getattr(events, "aclose", None)
        if aclose is not None:
            await aclose()
    if fold is None:
        return Answered(None, kept=kept)
    if raw is None:
        return Answered(fold.reply(), kept=kept)
    return Answered(fold.reply(), raw.wire, raw.data, kept)


def tell_all(events: Iterable[Event], tell: Tell) -> Awaitable[None] | None:
    """Tell several events, one after the other; as ``tell`` does, it returns what has to be awaited."""
    rest = iter(events)
    for event in rest:
        waiting = tell(event)
        if waiting is not None:
            return Later(partial(_tell_rest, waiting, rest, tell))
    return None


async def _tell_rest(waiting: Awaitable[None], rest: Iterator[Event], tell: Tell) -> None:
    await waiting
    for event in rest:
        more = tell(event)
        if more is not None:
            await more


async def told(events: Iterable[Event], tell: Tell) -> None:
    """The same, awaited."""
    waiting = tell_all(events, tell)
    if waiting is not None:
        await waiting
