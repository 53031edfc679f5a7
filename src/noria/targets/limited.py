"""Limits around a target: reserved before a model is asked, settled with what the call has used.

Requests and concurrent calls are reserved at once. Tokens and dollars are reserved when the request, its prompt rendered and its
model chosen, is about to leave (``Sent``, see there): a call beyond its limit is refused before anybody is asked and paid for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import msgspec

from noria.core.answering import Answered, Ended, Later, Tell, answering, told
from noria.core.errors import BudgetUsedUp, LimitReached, NoriaError
from noria.core.events import Event, Sent
from noria.core.limits import Measure, Standing, amount, units
from noria.core.protocols import Clock, Target
from noria.core.replies import Reply, Usage
from noria.core.requests import Request
from noria.targets.allowances import Allowances, Counted, Due, Refusal, Reservation
from noria.targets.closing import called
from noria.targets.estimate import OUTPUT, expected_usage
from noria.targets.metering import Meter, Spent
from noria.targets.pricing import Prices

Matching = Callable[[Request], Sequence[Counted]]
"""The limits that a request counts in."""


class Limited:
    """A target that keeps to limits.

    What is settled: the tokens that the provider counted, priced; where it counted none, the expected prompt and the text that had come,
    also of a call that was cut or whose caller went away; nothing where it failed before anything came, or a kept reply answered. An
    attempt that broke off is settled at once, beside what follows it (:mod:`noria.targets.metering`).

    Arguments:
        inner: what is called.
        matching: finds the limits of a request.
        allowances: reserve and settle.
        prices: what tokens cost; a price that is unknown counts nothing against a budget.
        now: the clock.
    """

    def __init__(self, inner: Target, matching: Matching, allowances: Allowances, prices: Prices, now: Clock) -> None:
        self._inner = inner
        self._answer = answering(inner)
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
            if waiting := account.enter():
                await waiting
            async with called(self._inner, request) as events:
                async for event in events:
                    account.take(event)
                    if isinstance(event, Sent):
                        try:
                            if waiting := account.expect(event):
                                await waiting
                        except LimitReached:
                            yield msgspec.structs.replace(
                                event, asked=False
                            )  # so that the record tells what was refused
                            raise
                        yield msgspec.structs.replace(event, standings=account.standings())
                    else:
                        yield event
        except BaseException as error:
            self._ended(account, error)
            raise
        account.end()

    async def answer(self, request: Request, tell: Tell) -> Answered:
        """The same, told."""
        limits = self._matching(request)
        if not limits:
            return await self._answer(request, tell)
        account = _Account(limits, self._allowances, self._prices, self._now)
        hear = partial(account.hear, tell)
        try:
            if waiting := account.enter():
                await waiting
            answered = await self._answer(request, hear)
        except Ended as ended:
            self._ended(account, ended.error)
            raise ended.error from None
        except BaseException as error:
            self._ended(account, error)
            raise
        account.end(answered.reply)
        return answered

    def _ended(self, account: _Account, error: BaseException) -> None:
        """Settle a call that did not end well."""
        if isinstance(error, LimitReached):
            self.refused += 1
            error.standings = error.standings or account.standings()
        account.fail(given_up=isinstance(error, GeneratorExit | asyncio.CancelledError))


_CALLS = frozenset({"requests", "concurrency"})
"""Measures that count calls, and not what they use."""
_NOTHING: Mapping[Measure, int] = MappingProxyType({})


class _Account:
    """What one call holds and uses."""

    def __init__(self, limits: Sequence[Counted], allowances: Allowances, prices: Prices, now: Clock) -> None:
        self._limits = limits
        self._allowances = allowances
        self._prices = prices
        self._now = now
        self._uses: list[Counted] = []
        self._priced = False
        self._held: dict[str, Reservation] = {}
        self._made = False
        self._meter = Meter()

    def enter(self) -> Later | None:
        """Reserve the call itself. What it returns has to be awaited; mostly that is nothing."""
        due: list[Due] = []
        for counted in self._limits:
            measure = counted.limit.measure
            if measure in _CALLS:
                due.append((counted, 1))
            else:
                self._uses.append(counted)
                self._priced = self._priced or measure == "usd"
        return self._reserve(due, made=False)

    def expect(self, sent: Sent) -> Later | None:
        """Reserve what the request is expected to use, in place of what an attempt before was; as ``enter`` does."""
        due: list[Due] = []
        if self._uses and not (sent.replays or sent.request.count):
            expected = self._units(sent.provider, sent.request.model, "", expected_usage(sent.request))
            for counted in self._uses:
                wanted = expected[counted.limit.measure]
                before = self._held.get(counted.counter)
                if before is not None:
                    if before.units >= wanted:
                        continue
                    self._held.pop(counted.counter).end(0)
                due.append((counted, wanted))
        return self._reserve(due, made=True)

    def take(self, event: Event) -> None:
        """Note what came; what an attempt used that broke off is used."""
        for spent in self._meter.take(event):
            self._spend(spent)

    def hear(self, tell: Tell, event: Event) -> Awaitable[None] | None:
        """Take what is told, and tell it."""
        for spent in self._meter.take(event):
            self._spend(spent)
        if not isinstance(event, Sent):
            return tell(event)
        if waiting := self.expect(event):
            return Later(partial(self._leave, tell, event, waiting))
        return tell(msgspec.structs.replace(event, standings=self.standings()))

    async def _leave(self, tell: Tell, sent: Sent, reserved: Awaitable[None]) -> None:
        try:
            await reserved
        except NoriaError as error:
            await told([msgspec.structs.replace(sent, asked=False)], tell)
            raise Ended(error) from error
        await told([msgspec.structs.replace(sent, standings=self.standings())], tell)

    def end(self, reply: Reply | None = None) -> None:
        """Count what a call used that came to its end; nothing here waits, as in all that ends a call.

        Arguments:
            reply: what came in one piece, or of which the pieces were noted before; None where it was told.
        """
        if reply is not None:
            self._meter.take_reply(reply)
        sent, used = self._meter.sent, _NOTHING
        if self._uses and sent is not None and not sent.replays:
            used = self._units(sent.provider, sent.request.model, self._meter.model, self._meter.finished())
        self._close(used)

    def fail(self, *, given_up: bool) -> None:
        """Count what a call used that failed, or whose caller went away (``given_up``)."""
        spent = self._meter.broken(given_up=given_up)
        if spent is not None:
            self._spend(spent)
        self._close(_NOTHING)

    def _spend(self, spent: Spent) -> None:
        """Count what an attempt used that broke off, in place of what was reserved for it."""
        provider, _, model = spent.model.partition("/")
        used = self._units(provider, model, spent.answered, spent.usage)
        for reservation in self._held.values():
            if reservation.purse.measure in used:
                reservation.settle(used[reservation.purse.measure])

    def _close(self, used: Mapping[Measure, int]) -> None:
        """Count the call and what it used, and give back what is still reserved."""
        made = 1 if self._made else 0
        for reservation in self._held.values():
            measure = reservation.purse.measure
            reservation.end(made if measure in _CALLS else used.get(measure, 0))
        self._held = {}

    def _units(self, provider: str, asked: str, answered: str, usage: Usage) -> Mapping[Measure, int]:
        """What so many tokens are in the units of the limits; an unknown price counts nothing."""
        found: dict[Measure, int] = {"tokens": usage.input_tokens + usage.output_tokens}
        if self._priced:
            asked = asked.removeprefix(f"{provider}/")
            usd = self._prices.price(provider, answered or asked, usage, self._now(), asked=asked)
            found["usd"] = units("usd", usd or 0.0)
        return found

    def standings(self) -> tuple[Standing, ...]:
        """How the limits stand that the call has reserved of."""
        return tuple([reservation.purse.standing() for reservation in self._held.values()])

    def _reserve(self, due: list[Due], *, made: bool) -> Later | None:
        """Reserve of what this process has leased, ``made`` for a request that is about to leave: then the call counts as made."""
        found = self._allowances.held(due)
        for (counted, _), reservation in zip(due, found, strict=False):
            self._held[counted.counter] = reservation
        if len(found) < len(due):
            return Later(partial(self._ask, due[len(found) :], made))
        self._made = self._made or made
        return None

    async def _ask(self, due: list[Due], made: bool) -> None:
        """The same where all processes have to be asked."""
        for counted, wanted in due:
            found = await self._allowances.reserve(counted, wanted)
            if isinstance(found, Refusal):
                error = _refusal(found, wanted, self._now())
                error.standings = (*self.standings(), found.standing)
                raise error
            self._held[counted.counter] = found
        self._made = self._made or made


_SAID = {
    "requests": "requests",
    "tokens": "tokens",
    "usd": "US dollars",
}


def _refusal(found: Refusal, wanted: int, now_ns: int) -> LimitReached:
    limit, _, who, name = found.counted
    whose = "everybody" if limit.of == "all" else f"{limit.of} {(name or who)[:80]!r}"
    whose += f" ({who})" if name else ""
    wait = max(1.0, (found.resets_ns - now_ns) / 1e9) if found.resets_ns else 1.0
    if limit.measure == "concurrency":
        return LimitReached(
            f"The limit {limit.name!r} is reached: {limit.amount:g} calls at a time for {whose}.", retry_after_s=wait
        )
    message = (
        f"The limit {limit.name!r} is reached: {limit.amount:g} {_SAID[limit.measure]} a {limit.window} for {whose}."
    )
    hint = f"The next {limit.window} (UTC) begins in {wait:,.0f} s." if limit.measure == "usd" else ""
    left = found.standing.remaining
    if left > 0 and limit.measure != "requests":
        may = f"{amount(limit.measure, wanted):.6g}"
        message += f" This call may use {may}, and {left:.6g} {'is' if left == 1 else 'are'} left."
        hint = f"Set a lower `max_tokens`: without it {OUTPUT:,} tokens of answer are expected. {hint}".strip()
    kind = BudgetUsedUp if limit.measure == "usd" else LimitReached
    return kind(message, retry_after_s=wait, hint=hint)
