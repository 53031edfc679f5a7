"""A target that says what it is told to: for tests, demonstrations and dry runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence

from noria.core.events import Delta, Event, Sent, Started, Stopped, Used
from noria.core.replies import Usage
from noria.core.requests import Request, request_id

Step = Event | Exception | asyncio.Event
"""An event to yield, an error to raise, or a gate to wait at until somebody opens it."""
Script = Callable[[Request], Iterable[Step]]


class Scripted:
    """A target that plays a script for each request.

    It obeys the contract of targets: ``Sent`` comes first unless the script has its own.

    Arguments:
        script: what to do for a request: its steps, in order.
        provider: the name in ``Sent``.
    """

    def __init__(self, script: Script, *, provider: str = "scripted") -> None:
        self._script = script
        self._provider = provider
        self.requests: list[Request] = []
        """What it was called with, in order."""
        self.closed = asyncio.Event()
        """Set when a call was closed or cancelled before its script had ended."""

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        """Play the script."""
        self.requests.append(request)
        steps = list(self._script(request))
        try:
            if not (steps and isinstance(steps[0], Sent)):
                yield Sent(request=request, provider=self._provider, request_id=request_id(request))
            for step in steps:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, asyncio.Event):
                    await step.wait()
                else:
                    yield step
        except (GeneratorExit, asyncio.CancelledError):
            self.closed.set()
            raise


def answer(*pieces: str, model: str = "scripted", reason: str = "stop", usage: Usage | None = None) -> Sequence[Event]:
    """The events of a reply of one choice that comes in ``pieces``; by default each piece counts as one token."""
    return (
        Started(id="reply-1", model=model),
        *(Delta(text=piece) for piece in pieces),
        Stopped(reason=reason),
        Used(usage=usage or Usage(input_tokens=7, output_tokens=len(pieces))),
    )
