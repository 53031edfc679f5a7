"""A target that is called only so many times at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager

from noria.core.answering import Answered, Tell, answering, told
from noria.core.errors import Overloaded
from noria.core.events import Event, Sent
from noria.core.protocols import Target
from noria.core.requests import Request
from noria.targets.closing import called
from noria.targets.slots import Slots


class Bounded:
    """A target whose calls take a place each, but for those because of which another one waits that has a place already.

    Arguments:
        inner: what is called.
        slots: the places; several targets may share them.
        provider: for the record of a call that found none.
    """

    def __init__(self, inner: Target, slots: Slots, *, provider: str) -> None:
        self._inner = inner
        self._answer = answering(inner)
        self._slots = slots
        self._provider = provider

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        """Call on when there is a place. Raises ``Overloaded``."""
        try:
            async with self._place(request), called(self._inner, request) as events:
                async for event in events:
                    yield event
        except Overloaded:
            yield Sent(request=request, provider=self._provider, asked=False)
            raise

    async def answer(self, request: Request, tell: Tell) -> Answered:
        """The same, told."""
        try:
            async with self._place(request):
                return await self._answer(request, tell)
        except Overloaded:
            await told([Sent(request=request, provider=self._provider, asked=False)], tell)
            raise

    def _place(self, request: Request) -> AbstractAsyncContextManager[None]:
        trace = request.trace
        return self._slots.place((trace and trace.parent_id) or "", request.caused_by)
