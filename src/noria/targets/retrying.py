"""Another try, where the first failed before it said anything."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial

from noria.core.answering import Answered, Tell, answering, told
from noria.core.errors import BreakerOpen, CallFailed, NoriaError, Overloaded, Unavailable, Unreachable
from noria.core.events import Event
from noria.core.protocols import Target
from noria.core.requests import Request
from noria.targets.attempts import Beginning, noted
from noria.targets.closing import called
from noria.targets.retry_budget import RetryBudget


class Retrying:
    """A target that calls again after a retryable failure, as long as nothing of the reply has come.

    A failed attempt leaves no trace in the reply. Each attempt repeats ``Sent``, so the recorder times the last one; the
    request of each carries the attempts before it. Who turns a call away because of too many, or of an open breaker, is
    not asked again: another model may be.
    Waits are exponential with full jitter (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015):
    uniform between 0 and ``first_wait_s * 2**k``, at least what the provider asked for.

    Arguments:
        inner: what is called.
        attempts: in all, the first included.
        sleep: waits so many seconds.
        random: uniform in [0, 1).
        first_wait_s: upper end of the first wait, seconds.
        longest_wait_s: upper end of any wait; a provider that asks for more is not called again.
        insistent: call a server again that can't be reached; else another model's turn comes at once.
        budget: further attempts that all calls to the provider may make together; None for any number.
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
        insistent: bool = True,
        budget: RetryBudget | None = None,
    ) -> None:
        self._inner = inner
        self._answer = answering(inner)
        self._attempts = attempts
        self._sleep = sleep
        self._random = random
        self._first_wait_s = first_wait_s
        self._longest_wait_s = longest_wait_s
        self._insistent = insistent
        self._budget = budget

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        """Call on, again if need be. Raises the last attempt's error."""
        if self._budget is not None:
            self._budget.called()
        attempt = 1
        while True:
            beginning = Beginning()
            try:
                async with called(self._inner, request) as events:
                    async for event in events:
                        if beginning.speaking:
                            yield event
                        else:
                            for let in beginning.take(event):
                                yield let
                for held in beginning.rest():
                    yield held
                return
            except NoriaError as error:
                for lost in beginning.lost():
                    yield lost
                wait = None if beginning.speaking or attempt >= self._attempts else self._wait_s(error, attempt)
                if wait is None:
                    raise
                request = noted(request, beginning.sent, error, wait_s=wait)
            await self._sleep(wait)
            attempt += 1

    async def answer(self, request: Request, tell: Tell) -> Answered:
        """The same, told."""
        if self._budget is not None:
            self._budget.called()
        attempt = 1
        while True:
            beginning = Beginning()
            try:
                answered = await self._answer(request, partial(beginning.hear, tell))
                if rest := beginning.rest():
                    await told(rest, tell)
            except NoriaError as error:
                await told(beginning.lost(), tell)
                wait = None if beginning.speaking or attempt >= self._attempts else self._wait_s(error, attempt)
                if wait is None:
                    raise
                request = noted(request, beginning.sent, error, wait_s=wait)
            else:
                return answered
            await self._sleep(wait)
            attempt += 1

    def _wait_s(self, error: NoriaError, attempt: int) -> float | None:
        """Seconds until the next attempt; None when there should be none."""
        if not error.retryable or isinstance(error, Overloaded | BreakerOpen):
            return None
        if isinstance(error, Unreachable) and not self._insistent:
            return None
        asked = error.retry_after_s if isinstance(error, CallFailed | Unavailable) else None
        if asked is not None and asked > self._longest_wait_s:
            return None
        if self._budget is not None and not self._budget.take():
            return None
        jittered = self._random() * min(self._longest_wait_s, self._first_wait_s * 2.0 ** (attempt - 1))
        return max(jittered, asked or 0.0)
