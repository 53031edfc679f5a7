"""Limits around a target: reserved before a model is asked, settled with what the call has used.

Requests and concurrent calls are reserved at once. Tokens and dollars are reserved when the request, its prompt rendered and its
model chosen, is about to leave (``Sent``, see there): a call beyond its limit is refused before anybody is asked and paid for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

import msgspec

from noria.core.errors import BudgetUsedUp, LimitReached, NoriaError
from noria.core.events import Delta, Event, Raw, Sent, Started, Used
from noria.core.limits import Standing
from noria.core.protocols import Clock, Target
from noria.core.replies import Reply, Usage
from noria.core.requests import Request
from noria.core.unfolding import events_of
from noria.core.whole import Answered, Ended, Tell, answer
from noria.targets.allowances import Allowances, Counted, Refusal, Reservation, counted_units
from noria.targets.closing import called
from noria.targets.estimate import expected_usage, said_tokens
from noria.targets.pricing import Prices

Matching = Callable[[Request], Sequence[Counted]]
"""The limits that a request counts in."""


class Limited:
    """A target that keeps to limits.

    What is settled: the tokens that the provider counted, priced; where it counted none, the expected prompt and the text that had come,
    also of a call that was cut or whose caller went away; nothing where it failed before anything came, or a kept reply answered.

    Arguments:
        inner: what is called.
        matching: finds the limits of a request.
        allowances: reserve and settle.
        prices: what tokens cost; a price that is unknown counts nothing against a budget.
        now: the clock.
    """

    def __init__(self, inner: Target, matching: Matching, allowances: Allowances, prices: Prices, now: Clock) -> None:
        self._inner = inner
        self._matching = matching
        self._allowances = allowances
        self._prices = prices
        self._now = now
        self.refused = 0
        """Calls that were refused."""

    async def call(self, request: Request) -> AsyncGenerator[Event]:
        """Call on.

        Raises:
            LimitReached: a limit would be exceeded; ``BudgetUsedUp`` where it is one of money.
            Unavailable: the limits' shared state can't be reached.
        """
        limits = self._matching(request)
        if not limits:
            async with called(self._inner, request) as events:
                async for event in events:
                    yield event
            return
        account = _Account(limits, self._allowances, self._prices, self._now)
        try:
            await account.enter()
            async with called(self._inner, request) as events:
                async for event in events:
                    if isinstance(event, Sent):
                        try:
                            standings = await account.expect(event)
                        except LimitReached:
                            yield event  # so that the record tells what was refused
                            raise
                        yield msgspec.structs.replace(event, standings=standings)
                    else:
                        account.take(event)
                        yield event
        except BaseException as error:
            self._ended(account, error)
            raise
        account.settle(failed=False)

    async def whole(self, request: Request, tell: Tell) -> Answered:
        """The same for a reply in one piece."""
        limits = self._matching(request)
        if not limits:
            return await answer(self._inner, request, tell)
        account = _Account(limits, self._allowances, self._prices, self._now)

        async def hear(event: Event) -> None:
            if isinstance(event, Sent):
                try:
                    standings = await account.expect(event)
                except NoriaError as error:
                    await tell(event)
                    raise Ended(error) from error
                event = msgspec.structs.replace(event, standings=standings)
            else:
                account.take(event)
            await tell(event)

        try:
            await account.enter()
            answered = await answer(self._inner, request, hear)
        except Ended as ended:
            self._ended(account, ended.error)
            raise ended.error from None
        except BaseException as error:
            self._ended(account, error)
            raise
        account.take_reply(answered.reply)
        account.settle(failed=False)
        return answered

    def _ended(self, account: _Account, error: BaseException) -> None:
        """Settle a call that did not end well."""
        if isinstance(error, LimitReached):
            self.refused += 1
            error.standings = error.standings or account.standings()
        account.settle(failed=not isinstance(error, GeneratorExit | asyncio.CancelledError))


class _Account:
    """What one call holds and uses."""

    def __init__(self, limits: Sequence[Counted], allowances: Allowances, prices: Prices, now: Clock) -> None:
        self._limits = limits
        self._allowances = allowances
        self._prices = prices
        self._now = now
        self._entered: list[Reservation] = []
        self._open: dict[int, Reservation] = {}
        self._made = False
        self._sent: Sent | None = None
        self._model = ""
        self._usage: Usage | None = None
        self._size = 0

    async def enter(self) -> None:
        """Reserve the call itself."""
        for counted in self._limits:
            if counted.limit.measure in {"requests", "concurrency"}:
                self._entered.append(self._granted(await self._allowances.reserve(counted, 1)))

    async def expect(self, sent: Sent) -> tuple[Standing, ...]:
        """Reserve what the request is expected to use, in place of what an attempt before was."""
        self._sent = sent
        if sent.replays or sent.request.count:
            self._made = True
            return self.standings()
        usage: Usage | None = None
        usd: float | None = None
        for index, counted in enumerate(self._limits):
            if counted.limit.measure not in {"tokens", "usd"}:
                continue
            if usage is None:
                usage = expected_usage(sent.request)
            if usd is None and counted.limit.measure == "usd":
                usd = self._price(sent, usage)
            wanted = counted_units(counted.limit, usage.input_tokens + usage.output_tokens, usd)
            before = self._open.get(index)
            if before is not None and before.units >= wanted:
                continue
            if before is not None:
                before.settle(0)
            self._open[index] = self._granted(await self._allowances.reserve(counted, wanted))
        self._made = True
        return self.standings()

    def take(self, event: Event) -> None:
        """Note what came."""
        match event:
            case Delta():
                self._size += len(event.text) + len(event.reasoning) + len(event.refusal)
                self._size += sum(len(call.name) + len(call.arguments) for call in event.tool_calls)
            case Raw():
                for inner in event.events:
                    self.take(inner)
            case Used():
                self._usage = event.usage
            case Started():
                self._model = event.model

    def take_reply(self, reply: Reply) -> None:
        """Note a reply that came in one piece, or of which the pieces were noted before."""
        self._model, self._usage = reply.model or self._model, reply.usage or self._usage
        if self._usage is None and not self._size:
            for event in events_of(reply):
                self.take(event)

    def settle(self, *, failed: bool) -> None:
        """Give back what was reserved, and count what was used. Nothing here waits: a caller that goes away waits for nobody."""
        for reservation in self._entered:
            reservation.settle(1 if self._made else 0)
        usage = self._used(failed=failed)
        tokens = usage.input_tokens + usage.output_tokens
        usd: float | None = 0.0
        if self._sent and tokens and any(self._limits[index].limit.measure == "usd" for index in self._open):
            usd = self._price(self._sent, usage)
        for index, reservation in self._open.items():
            reservation.settle(counted_units(self._limits[index].limit, tokens, usd))
        self._entered, self._open = [], {}

    def _used(self, *, failed: bool) -> Usage:
        if self._sent is None or self._sent.replays or not self._open:
            return _NOTHING
        if self._usage is not None:
            return self._usage
        if failed and not self._size:
            return _NOTHING
        expected = expected_usage(self._sent.request)
        return Usage(input_tokens=expected.input_tokens, output_tokens=said_tokens(self._size))

    def _price(self, sent: Sent, usage: Usage) -> float | None:
        asked = sent.request.model.removeprefix(f"{sent.provider}/")
        return self._prices.price(sent.provider, self._model or asked, usage, self._now(), asked=asked)

    def standings(self) -> tuple[Standing, ...]:
        """How the limits stand that the call has reserved of."""
        return tuple(reservation.standing() for reservation in (*self._entered, *self._open.values()))

    def _granted(self, found: Reservation | Refusal) -> Reservation:
        if isinstance(found, Reservation):
            return found
        error = _refusal(found, self._now())
        error.standings = (*self.standings(), found.standing)
        raise error


_NOTHING = Usage(input_tokens=0, output_tokens=0)
_SAID = {
    "requests": "requests",
    "tokens": "tokens",
    "usd": "US dollars",
}


def _refusal(found: Refusal, now_ns: int) -> LimitReached:
    limit, who = found.counted.limit, found.counted.who
    whose = "everybody" if limit.of == "all" else f"{limit.of} {who[:80]!r}"
    wait = max(1.0, (found.resets_ns - now_ns) / 1e9) if found.resets_ns else 1.0
    if limit.measure == "concurrency":
        return LimitReached(
            f"The limit {limit.name!r} is reached: {limit.amount:g} calls at a time for {whose}.", retry_after_s=wait
        )
    message = (
        f"The limit {limit.name!r} is reached: {limit.amount:g} {_SAID[limit.measure]} a {limit.window} for {whose}."
    )
    if limit.measure == "usd":
        return BudgetUsedUp(message, retry_after_s=wait, hint=f"The next {limit.window} (UTC) begins in {wait:,.0f} s.")
    return LimitReached(message, retry_after_s=wait)
