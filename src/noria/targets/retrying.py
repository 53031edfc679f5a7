"""Another try, where the first failed before it said anything."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable

import msgspec

from noria.core.errors import CallFailed, NoriaError, Unavailable
from noria.core.events import Event, Noted, Sent, Started, plain
from noria.core.protocols import Target
from noria.core.requests import Request
from noria.targets.closing import called

ATTEMPT = "noria.attempt"
"""Attribute: which attempt answered, from 2 on; absent for the first."""


class Retrying:
    """A target that calls again after a retryable failure, as long as nothing of the reply has come.

    A failed attempt leaves no trace in the reply. Each attempt repeats ``Sent``, so the recorder times the last one.
    Waits are exponential with full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015):
    uniform between 0 and ``first_wait_s * 2**k``, at least what the provider asked for.

    Arguments:
        inner: what is called.
        attempts: in all, the first included.
        sleep: waits so many seconds.
        random: uniform in [0, 1).
        first_wait_s: upper end of the first wait, seconds.
        longest_wait_s: upper end of any wait; a provider that asks for more is not called again.
    """

    def __init__(
        self,
        inner: Target,
        *,
        attempts: int = 3,
        sleep: Callable[[float], Awaitable[None]],
        random: Callable[[], float],
        first_wait_s: float = 0.5,
        longest_wait_s: float = 20.0,
    ) -> None:
        self._inner = inner
        self._attempts = attempts
        self._sleep = sleep
        self._random = random
        self._first_wait_s = first_wait_s
        self._longest_wait_s = longest_wait_s

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        """Call on, again if need be. Raises the last attempt's error."""
        attempt = 1
        while True:
            started: list[Event] = []
            speaking = False
            try:
                async with called(self._inner, request) as events:
                    async for event in events:
                        match event:
                            case Sent():
                                yield _numbered(event, attempt)
                                continue
                            case Noted():
                                yield event
                                continue
                            case _ if not speaking and _only_began(event):
                                started.append(event)  # an attempt that only began is no part of the reply
                                continue
                        speaking = True
                        while started:
                            yield started.pop(0)
                        yield event
                return
            except NoriaError as error:
                wait = None if speaking or attempt >= self._attempts else self._wait_s(error, attempt)
                if wait is None:
                    raise
            await self._sleep(wait)
            attempt += 1

    def _wait_s(self, error: NoriaError, attempt: int) -> float | None:
        """Seconds until the next attempt; None when there should be none."""
        if not error.retryable:
            return None
        asked = error.retry_after_s if isinstance(error, CallFailed | Unavailable) else None
        if asked is not None and asked > self._longest_wait_s:
            return None
        jittered = self._random() * min(self._longest_wait_s, self._first_wait_s * 2.0 ** (attempt - 1))
        return max(jittered, asked or 0.0)


def _only_began(event: Event) -> bool:
    return all(isinstance(inner, Started) for inner in plain(event))


def _numbered(sent: Sent, attempt: int) -> Sent:
    if attempt == 1:
        return sent
    attributes = sent.request.attributes | {ATTEMPT: attempt}
    return msgspec.structs.replace(sent, request=msgspec.structs.replace(sent.request, attributes=attributes))
