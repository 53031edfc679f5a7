"""A target whose calls are watched by whoever has to know how it does: a breaker, a measure of its load."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Sequence
from http import HTTPStatus
from typing import Literal, Protocol

from noria.core.answering import Answered, Tell, answering, told
from noria.core.errors import CallFailed, EngineFailed, NoriaError
from noria.core.events import Event, Noted, Sent
from noria.core.protocols import Target
from noria.core.requests import Request
from noria.targets.attempts import only_began
from noria.targets.closing import called

Outcome = Literal["answered", "failed", "given_up"]
"""How a call ended: the model did its part (a refused request too), it did not, or nobody waited for it."""


class Watch(Protocol):
    """Watches one call."""

    def speaks(self) -> None:
        """The first piece of the answer has come."""
        ...

    def ends(self, outcome: Outcome) -> None:
        """The call is over. It comes once."""
        ...


class Observer(Protocol):
    """Watches the calls of a model."""

    def starts(self) -> Watch:
        """A call is to be made. Raises ``Unavailable`` where it should not be."""
        ...


class Observed:
    """A target that tells its observers of each call.

    Arguments:
        inner: what is called.
        observers: told in this order; one that refuses a call is the last to hear of it.
        provider: for the record of a call that was refused here.
    """

    def __init__(self, inner: Target, observers: Sequence[Observer], *, provider: str) -> None:
        self._inner = inner
        self._answer = answering(inner)
        self._observers = observers
        self._provider = provider

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        """Call on, unless an observer refuses."""
        watches: list[Watch] = []
        outcome: Outcome = "given_up"
        speaking = False
        try:
            try:
                for observer in self._observers:
                    watches.append(observer.starts())  # noqa: PERF401  # those before one that refuses have begun
            except NoriaError:
                yield Sent(request=request, provider=self._provider, asked=False)
                raise
            async with called(self._inner, request) as events:
                async for event in events:
                    if not speaking and _speaks(event):
                        speaking = True
                        for watch in watches:
                            watch.speaks()
                    yield event
            outcome = "answered"
        except NoriaError as error:
            outcome = "failed" if at_fault(error) else "answered"
            raise
        finally:
            for watch in watches:
                watch.ends(outcome)

    async def answer(self, request: Request, tell: Tell) -> Answered:
        """The same, told."""
        watches: list[Watch] = []
        outcome: Outcome = "given_up"
        speaking = False

        def hear(event: Event) -> Awaitable[None] | None:
            nonlocal speaking
            if not speaking and _speaks(event):
                speaking = True
                for watch in watches:
                    watch.speaks()
            return tell(event)

        try:
            try:
                for observer in self._observers:
                    watches.append(observer.starts())  # noqa: PERF401  # see above
            except NoriaError:
                await told([Sent(request=request, provider=self._provider, asked=False)], tell)
                raise
            answered = await self._answer(request, hear)
            if not speaking:
                for watch in watches:
                    watch.speaks()
            outcome = "answered"
        except NoriaError as error:
            outcome = "failed" if at_fault(error) else "answered"
            raise
        finally:
            for watch in watches:
                watch.ends(outcome)
        return answered


def _speaks(event: Event) -> bool:
    """Whether the model has begun to answer."""
    return type(event) not in _ASIDE and not only_began(event)


_ASIDE = frozenset({Sent, Noted})


def at_fault(error: NoriaError) -> bool:
    """Whether an error speaks against the model's health: it failed or is too busy, and not just refused the request."""
    if isinstance(error, CallFailed):
        return error.retryable or error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(error, EngineFailed)
