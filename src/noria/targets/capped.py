"""A model that is called only when the call can't cost more than its caller allows."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable

from noria.core.answering import Answering, Tell, answering, from_events
from noria.core.errors import TooExpensive
from noria.core.events import Event, Sent
from noria.core.protocols import Target
from noria.core.requests import Request


class Capped:
    """A target that refuses what may cost more than ``request.max_cost_usd``.

    A price that nobody knows is no promise, so a model without one is refused too, once there is a ceiling.

    Arguments:
        inner: what is called.
        provider: who answers.
        estimate: what a request may cost, US dollars; None where it can't be told.
    """

    def __init__(self, inner: Target, *, provider: str, estimate: Callable[[Request], float | None]) -> None:
        self._inner = inner
        self._answer = answering(inner)
        self._provider = provider
        self._estimate = estimate

    def call(self, request: Request) -> AsyncIterator[Event]:
        """Call on. Raises ``TooExpensive``, from the iterator."""
        ceiling = request.max_cost_usd
        if ceiling is not None and self._beyond(ceiling, request):
            return self._refused(request)
        return self._inner.call(request)

    def answer(self, request: Request, tell: Tell) -> Answering:
        """The same, told."""
        ceiling = request.max_cost_usd
        if ceiling is not None and self._beyond(ceiling, request):
            return from_events(self._refused(request), request, tell)
        return self._answer(request, tell)

    def _beyond(self, ceiling: float, request: Request) -> bool:
        cost = self._estimate(request)
        return cost is None or cost > ceiling

    async def _refused(self, request: Request) -> AsyncGenerator[Event]:
        yield Sent(request=request, provider=self._provider, asked=False)
        cost = self._estimate(request)
        what = "has no known price" if cost is None else f"may cost {cost:.6f} US dollars for this call"
        raise TooExpensive(
            f"{request.model} {what}, and the ceiling is {request.max_cost_usd:g}.",
            kept="Nothing was sent.",
            hint="Raise the ceiling, ask for fewer tokens (`max_tokens`), or call a cheaper model.",
        )
