"""A chain of models: where one fails before its answer has begun, the next one answers, and the caller sees only that."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from http import HTTPStatus
from typing import Literal, NamedTuple

import msgspec

from noria.core.attributes import ROUTE
from noria.core.errors import CallFailed, CallRefused, InvalidInput, NoriaError, TooExpensive
from noria.core.events import Event
from noria.core.protocols import Target
from noria.core.requests import Request
from noria.targets.attempts import Beginning, noted
from noria.targets.closing import called
from noria.targets.continuing import Unfinished, can_be_continued

Also = Literal["too_long", "refused"]
"""Refusals after which the next model is tried too: of a prompt that is too long, or any."""
Order = Callable[[Request], Sequence[int]]
"""In which order the models are to be tried for a request: their numbers, each once."""

_OURS = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
    | {HTTPStatus.TOO_MANY_REQUESTS}
)
"""Refusals that are not the caller's fault: of Noria's key, account or quota, or of a model that is not there."""
_TOO_LONG = (
    "context_length",
    "context length",
    "context size",
    "context window",
    "prompt is too long",
    "too many tokens",
)
"""How providers say that a prompt does not fit: OpenAI and vLLM, llama.cpp, Anthropic, Cohere and others."""


class Member(NamedTuple):
    """One model of a chain."""

    name: str
    """``provider/model``, or another route's name."""
    target: Target
    """Answers for it."""


class Fallback:
    """A target that asks one model after another.

    It goes on to the next after errors that may pass (a provider's 429 and 5xx, timeouts, broken connections), an open
    breaker, too many calls, a price above the ceiling, and where a provider refuses Noria's own key or quota. A caller's
    mistake is told to the caller. Once something was said, a failure is passed on, unless the caller allows another model
    to go on (``may_continue``) and the text so far allows it too; then no raw bytes pass, because two providers'
    would not fit together.

    Arguments:
        route: the name that callers used.
        members: the models.
        order: in which order they are tried.
        also: refusals after which the next model is tried as well.
        may_continue: allow it for calls that do not say so themselves.
        max_cost_usd: a ceiling for calls that have none, or a higher one.
    """

    def __init__(
        self,
        route: str,
        members: Sequence[Member],
        order: Order,
        *,
        also: frozenset[Also] = frozenset(),
        may_continue: bool = False,
        max_cost_usd: float | None = None,
    ) -> None:
        self._route = route
        self._members = members
        self._order = order
        self._also = also
        self._may_continue = may_continue
        self._max_cost_usd = max_cost_usd
        self.fallen = 0
        """Times that a further model was tried."""

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        """Ask the models in turn. Raises the last one's error."""
        request = self._marked(request)
        left = [self._members[number] for number in self._order(request)]
        unfinished = Unfinished(request) if len(left) > 1 and can_be_continued(request) else None
        spoken = False
        while True:
            member = left.pop(0)
            beginning = Beginning()
            try:
                async with called(member.target, msgspec.structs.replace(request, model=member.name)) as events:
                    async for event in events:
                        if beginning.speaking and unfinished is None:
                            yield event
                            continue
                        for seen in _seen(beginning.take(event), unfinished):
                            yield seen
                for held in beginning.rest():
                    yield held
                return
            except NoriaError as error:
                for lost in beginning.lost():
                    yield lost
                spoken = spoken or beginning.speaking
                if not left or not self._goes_on(error) or (spoken and not (unfinished and unfinished.can_go_on())):
                    raise
                request = noted(request, beginning.sent, error)
                if spoken and unfinished:
                    request = unfinished.resume(request)
            self.fallen += 1

    def _marked(self, request: Request) -> Request:
        ceilings = [ceiling for ceiling in (request.max_cost_usd, self._max_cost_usd) if ceiling is not None]
        return msgspec.structs.replace(
            request,
            attributes={ROUTE: self._route} | request.attributes,
            may_continue=request.may_continue or self._may_continue,
            max_cost_usd=min(ceilings, default=None),
        )

    def _goes_on(self, error: NoriaError) -> bool:
        """Whether the next model should be tried."""
        if error.retryable or isinstance(error, TooExpensive):
            return True
        if isinstance(error, CallRefused):
            return error.status in _OURS or "refused" in self._also or ("too_long" in self._also and _too_long(error))
        return isinstance(error, CallFailed) or (isinstance(error, InvalidInput) and "refused" in self._also)


def _seen(events: Iterable[Event], unfinished: Unfinished | None) -> Iterator[Event]:
    """What the caller is to see of them."""
    for event in events:
        yield from (event,) if unfinished is None else unfinished.take(event)


def _too_long(error: CallRefused) -> bool:
    said = error.message.lower()
    return any(words in said for words in _TOO_LONG)
