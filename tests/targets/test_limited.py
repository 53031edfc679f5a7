"""Limits around a target: reserved before, settled after, never exceeded."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from noria.core.errors import BudgetUsedUp, CallFailed, LimitReached, UnknownName
from noria.core.events import Delta, Event, Sent, Started, Used
from noria.core.folding import collect
from noria.core.limits import Ask, Grant, Limit, Measure, SharedCounters
from noria.core.messages import Message
from noria.core.prices import AgreedPrice
from noria.core.replies import Usage
from noria.core.requests import Parameters, Request
from noria.stores.catalogue import Catalogue
from noria.targets.allowances import LEASE_NS, Allowances, Counted, Refusal, Reservation
from noria.targets.limited import Limited
from noria.targets.pricing import Prices
from noria.targets.scripted import Scripted, answer

ASK = Request(model="up/m", messages=(Message(role="user", content="x" * 300),), params=Parameters(max_tokens=50))
"""Expected to take 104 tokens in and 50 out."""
PRICES = Prices({"scripted/*": AgreedPrice(input_per_mtok=1000.0, output_per_mtok=10_000.0)})
MINUTE = 60 * 10**9


class Time:
    def __init__(self) -> None:
        self.ns = 1_767_225_600 * 10**9

    def __call__(self) -> int:
        return self.ns


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def catalogue(tmp_path: Path, time: Time) -> Iterator[Catalogue]:
    with Catalogue.open(f"sqlite:///{tmp_path / 'c.sqlite'}", now=time) as found:
        yield found


def counted(measure: Measure, amount: float, name: str = "limit") -> Counted:
    return Counted(Limit(name=name, measure=measure, amount=amount, of="team"), f"{name} {measure}", "care")


class Door:
    """A target with limits, and what it used."""

    def __init__(self, catalogue: Catalogue, time: Time, *limits: Counted, script: Any = None) -> None:
        self.catalogue, self.time = catalogue, time
        self.allowances = Allowances(catalogue.limits, "me", time)
        self.inner = Scripted(script or (lambda _: answer("Hel", "lo")))
        self.target = Limited(self.inner, lambda _: limits, self.allowances, PRICES, time)

    async def call(self, request: Request = ASK) -> list[Event]:
        return [event async for event in self.target.call(request)]

    async def used(self) -> dict[str, int]:
        await self.allowances.close()
        return {name: used for name, _, used in self.catalogue.limits.used(self.time())}


async def test_requests_are_counted_to_the_last(catalogue: Catalogue, time: Time) -> None:
    door = Door(catalogue, time, counted("requests", 3))
    for left in (2, 1, 0):
        [sent, *_] = await door.call()
        assert isinstance(sent, Sent)
        assert [standing.remaining for standing in sent.standings] == [left]
    with pytest.raises(LimitReached, match="3 requests a minute for team 'care'") as caught:
        await door.call()
    assert caught.value.retry_after_s == 60.0
    assert caught.value.standings[0].remaining == 0
    assert len(door.inner.requests) == 3
    time.ns += MINUTE
    await door.call()


async def test_what_lies_idle_is_given_back_also_while_a_round_of_telling_is_under_way(
    catalogue: Catalogue, time: Time
) -> None:
    process = Allowances(catalogue.limits, "p", time)
    held = await process.reserve(counted("tokens", 800), 1)
    assert isinstance(held, Reservation)
    held.settle(1)
    await asyncio.gather(process.tend(), process.tend(all=True))
    assert [used for _, _, used in catalogue.limits.used(time())] == [1]


async def test_a_call_that_lasts_into_the_next_window_counts_in_the_one_that_it_began_in(
    catalogue: Catalogue, time: Time
) -> None:
    process, limit = Allowances(catalogue.limits, "p", time), counted("tokens", 800)
    first = await process.reserve(limit, 10)
    time.ns += MINUTE
    second = await process.reserve(limit, 20)
    assert isinstance(first, Reservation)
    assert isinstance(second, Reservation)
    await process.tend()
    first.end(7)
    second.settle(5)
    assert (first.purse.standing().remaining, second.purse.standing().remaining) == (793, 795)
    await process.close()
    began = time() - time() % MINUTE
    assert sorted(catalogue.limits.used(time() - MINUTE)) == [
        (limit.counter, began, 7),
        (limit.counter, began + MINUTE, 5),
    ]


@pytest.mark.parametrize("measure", ["tokens", "usd"])
async def test_a_call_beyond_its_limit_is_refused_before_it_is_made(
    catalogue: Catalogue, time: Time, measure: Measure
) -> None:
    """154 tokens, or 0.104 + 0.5 dollars, are expected; 9 tokens, or 0.027 dollars, are used."""
    asked: list[str] = []

    def script(request: Request) -> Any:
        yield Sent(request=request, provider="scripted")
        asked.append("asked")  # behind the first event: as a provider is asked
        yield from answer("Hel", "lo")

    expected = {"tokens": 154, "usd": 0.604}[measure]
    door = Door(catalogue, time, counted(measure, expected), script=script)
    await door.call()
    with pytest.raises(LimitReached) as caught:
        await door.call()
    assert isinstance(caught.value, BudgetUsedUp) is (measure == "usd")
    assert caught.value.status == (402 if measure == "usd" else 429)
    await door.call(msgspec.structs.replace(ASK, params=Parameters(max_tokens=1)))
    units = {"tokens": 18, "usd": 54_000_000}[measure]
    assert await door.used() == {f"limit {measure}": units}


async def test_a_budget_counts_a_call_without_tokens_that_has_a_price_all_the_same(
    catalogue: Catalogue, time: Time
) -> None:
    def script(_: Request) -> Any:
        return answer("Hel", "lo", usage=Usage(input_tokens=0, output_tokens=0))

    door, limit = Door(catalogue, time, script=script), counted("usd", 1.0)
    prices = Prices({"scripted/*": AgreedPrice(per_request=0.5)})
    await collect(Limited(door.inner, lambda _: [limit], door.allowances, prices, time).call(ASK))
    assert await door.used() == {"limit usd": 500_000_000}


async def test_calls_under_way_are_counted(catalogue: Catalogue, time: Time) -> None:
    gate = asyncio.Event()
    door = Door(catalogue, time, counted("concurrency", 2), script=lambda _: [*answer("a")[:2], gate, *answer("a")[2:]])
    running = [asyncio.create_task(door.call()) for _ in range(2)]
    await asyncio.sleep(0.1)
    with pytest.raises(LimitReached, match="2 calls at a time"):
        await door.call()
    gate.set()
    await asyncio.gather(*running)
    await door.call()
    await door.allowances.tend()
    assert await door.used() == {"limit concurrency": 0}


def cut(_: Request) -> Any:
    return [Started(id="r", model="m"), Delta(text="x" * 30), CallFailed("broke")]


@pytest.mark.parametrize(
    ("script", "tokens", "requests"),
    [
        (lambda _: [*answer("a")[:2], Used(usage=Usage(input_tokens=40, output_tokens=2)), CallFailed("late")], 42, 1),
        (cut, 104 + 10, 1),
        (lambda _: [CallFailed("refused")], 0, 1),
        (lambda r: [Sent(request=r, provider="scripted", replays="a/b"), *answer("a")], 0, 1),
        (lambda r: [Sent(request=r, provider="scripted"), Sent(request=r, provider="scripted"), *answer("a")], 8, 1),
    ],
    ids=["counted", "cut", "refused", "replayed", "again"],
)
async def test_calls_that_end_otherwise_are_settled(
    catalogue: Catalogue, time: Time, script: Any, tokens: int, requests: int
) -> None:
    door = Door(catalogue, time, counted("tokens", 1000), counted("requests", 9), script=script)
    with contextlib.suppress(CallFailed):
        await door.call()
    used = {name: units for name, units in (await door.used()).items() if units}
    assert used == {name: n for name, n in (("limit tokens", tokens), ("limit requests", requests)) if n}


async def test_a_call_that_nobody_could_answer_is_none(catalogue: Catalogue, time: Time) -> None:
    class Nobody:
        async def call(self, request: Request) -> Any:
            raise UnknownName("nobody")
            yield

    door = Door(catalogue, time, counted("requests", 1))
    door.target = Limited(Nobody(), lambda _: [counted("requests", 1)], door.allowances, PRICES, time)
    for _ in range(3):
        with pytest.raises(UnknownName):
            await door.call()
    assert await door.used() == {"limit requests": 0}


@pytest.mark.parametrize("after", [0, 1, 2])
async def test_whoever_goes_away_has_used_what_came(catalogue: Catalogue, time: Time, after: int) -> None:
    gate = asyncio.Event()
    script = lambda _: [Started(id="r", model="m"), Delta(text="x" * 30), gate]  # noqa: E731
    door = Door(catalogue, time, counted("tokens", 1000), counted("concurrency", 1), script=script)
    events = door.target.call(ASK)
    for _ in range(after + 1):
        await anext(events)
    await events.aclose()
    assert await door.used() == {"limit tokens": 104 + (10 if after == 2 else 0), "limit concurrency": 0}


async def test_one_of_several_limits_refuses_and_the_others_get_theirs_back(catalogue: Catalogue, time: Time) -> None:
    door = Door(catalogue, time, counted("requests", 9, "a"), counted("tokens", 1000, "b"), counted("tokens", 100, "c"))
    with pytest.raises(LimitReached, match="'c'"):
        await door.call()
    assert await door.used() == {"a requests": 0, "b tokens": 0, "c tokens": 0}


async def test_limits_without_a_match_cost_nothing(catalogue: Catalogue, time: Time) -> None:
    door = Door(catalogue, time)
    assert (await collect(door.target.call(ASK))).text == "Hello"
    assert door.allowances.asks == 0


# -- several processes


async def test_processes_that_hammer_one_limit_pass_exactly_what_it_allows(catalogue: Catalogue, time: Time) -> None:
    limit = counted("requests", 500)
    processes = [Allowances(catalogue.limits, f"p{n}", time) for n in range(4)]
    passed = 0

    async def hammer(process: Allowances) -> None:
        nonlocal passed
        for _ in range(200):
            found = await process.reserve(limit, 1)
            if isinstance(found, Reservation):
                passed += 1
                found.settle(1)

    await asyncio.gather(*(hammer(process) for process in processes))
    assert passed <= 500, "never more"
    for _ in range(3):  # what lies idle with one comes back, and then all of it can be used
        time.ns += 10**9
        for process in processes:
            await process.tend()
            await process.tend()
        await hammer(processes[0])
    assert passed == 500
    assert sum(process.asks for process in processes) < 250
    for process in processes:
        await process.close()
    assert catalogue.limits.used(time()) == [(limit.counter, time() - time() % MINUTE + MINUTE, 500)]


class Slow:
    """Counters that answer when they are let."""

    def __init__(self, inner: SharedCounters) -> None:
        self._inner = inner
        self.asked, self.may = threading.Event(), threading.Event()

    def renew(self, holder: str, asks: list[Ask], *, now_ns: int, until_ns: int) -> list[Grant]:
        self.asked.set()
        assert self.may.wait(10)
        return self._inner.renew(holder, asks, now_ns=now_ns, until_ns=until_ns)


async def test_calls_do_not_wait_while_what_was_used_is_told(catalogue: Catalogue, time: Time) -> None:
    slow, limit = Slow(catalogue.limits), counted("requests", 80)
    process, other = Allowances(slow, "p", time), Allowances(catalogue.limits, "q", time)
    slow.may.set()
    first = await process.reserve(limit, 1)  # with a lease of 10
    assert isinstance(first, Reservation)
    first.settle(1)
    slow.may.clear()
    slow.asked.clear()
    telling = asyncio.create_task(process.tend())
    assert await asyncio.to_thread(slow.asked.wait, 10)
    meanwhile = process.held([(limit, 1)] * 20)
    assert len(meanwhile) == 9, "all that is left of the lease, and no more"
    meanwhile.pop().settle(1)
    elsewhere = [await other.reserve(limit, 1) for _ in range(80)]
    passed = sum(isinstance(found, Reservation) for found in elsewhere)
    slow.may.set()
    await telling
    assert passed == 70
    assert isinstance(await process.reserve(limit, 1), Refusal)
    for reservation in (*meanwhile, *(found for found in elsewhere if isinstance(found, Reservation))):
        reservation.settle(1)
    await other.close()
    await process.close()
    assert [used for _, _, used in catalogue.limits.used(time())] == [80]


async def test_what_was_used_is_told_once_also_by_a_process_that_stops_while_it_tells(
    catalogue: Catalogue, time: Time
) -> None:
    slow, limit = Slow(catalogue.limits), counted("tokens", 800)
    process = Allowances(slow, "p", time)
    slow.may.set()
    held = await process.reserve(limit, 10)
    assert isinstance(held, Reservation)
    held.end(7)
    slow.may.clear()
    slow.asked.clear()
    telling = asyncio.create_task(process.tend())
    assert await asyncio.to_thread(slow.asked.wait, 10)
    telling.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await telling
    slow.may.set()
    await process.close()
    assert [used for _, _, used in catalogue.limits.used(time())] == [7]


class Waking:
    """Shared counters that tell the event loop when they have been asked: then nothing goes on there until the answer has come."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._loop = asyncio.get_running_loop()
        self.wake: Callable[[], None] = lambda: None

    def renew(self, holder: str, asks: list[Ask], *, now_ns: int, until_ns: int) -> list[Grant]:
        grants: list[Grant] = self._inner.renew(holder, asks, now_ns=now_ns, until_ns=until_ns)
        wake, self.wake = self.wake, lambda: None
        self._loop.call_soon_threadsafe(wake)
        return grants


@pytest.mark.parametrize("turns", range(5))
async def test_what_a_call_uses_that_begins_as_an_idle_lease_was_given_back_is_told(
    catalogue: Catalogue, time: Time, turns: int
) -> None:
    shared, limit = Waking(catalogue.limits), counted("tokens", 800)
    process = Allowances(shared, "p", time)
    first = await process.reserve(limit, 10)
    assert isinstance(first, Reservation)
    first.end(10)
    await process.tend()
    loop, began, calls = asyncio.get_running_loop(), asyncio.Event(), list[asyncio.Task[Any]]()

    def wake() -> None:
        sleep(0.02)  # by then the thread has answered
        later(turns)

    def later(turns: int) -> None:
        if turns:
            loop.call_soon(later, turns - 1)
        else:
            calls.append(loop.create_task(process.reserve(limit, 20)))
            began.set()

    shared.wake = wake
    await process.tend()
    await began.wait()
    second = await calls.pop()
    assert isinstance(second, Reservation)
    second.end(20)
    await process.close()
    assert [used for _, _, used in catalogue.limits.used(time())] == [30]


async def test_a_long_call_of_which_nobody_knew_what_it_would_use_counts_at_its_end(
    catalogue: Catalogue, time: Time
) -> None:
    limit, process = counted("usd", 8), Allowances(catalogue.limits, "p", time)
    other = await process.reserve(limit, 10)
    assert isinstance(other, Reservation)
    other.end(10)
    await process.tend()
    [long] = process.held([(limit, 0)])
    for _ in range(20):
        time.ns += 10**9
        await process.tend()
    long.end(7)
    await process.close()
    assert [used for _, _, used in catalogue.limits.used(time())] == [17]


async def test_a_clock_that_is_set_back_gives_nobody_more(catalogue: Catalogue, time: Time) -> None:
    limit, process = counted("requests", 9), Allowances(catalogue.limits, "p", time)
    passed = 0
    for step in (0, MINUTE, -MINUTE, 0, MINUTE, -MINUTE):
        time.ns += step
        await process.tend()
        for _ in range(4):
            found = await process.reserve(limit, 1)
            if step <= 0 and isinstance(found, Reservation):
                passed += 1
    assert passed == 9


async def test_processes_that_tell_all_the_time_pass_no_more_than_it_allows(catalogue: Catalogue, time: Time) -> None:
    limit, passed = counted("requests", 300), 0
    processes = [Allowances(catalogue.limits, f"p{n}", time) for n in range(3)]

    async def hammer(process: Allowances) -> None:
        nonlocal passed
        for _ in range(150):
            found = await process.reserve(limit, 1)
            await asyncio.sleep(0)
            if isinstance(found, Reservation):
                passed += 1
                found.settle(1)

    async def tell(process: Allowances) -> None:
        for _ in range(15):
            await process.tend()

    await asyncio.gather(*(work(process) for process in processes for work in (hammer, hammer, tell)))
    for process in processes:
        await process.close()
    assert passed <= 300
    assert [used for _, _, used in catalogue.limits.used(time())] == [passed]


async def test_a_lease_is_used_without_asking(catalogue: Catalogue, time: Time) -> None:
    process = Allowances(catalogue.limits, "p", time)
    for _ in range(1000):
        found = await process.reserve(counted("requests", 1_000_000), 1)
        assert isinstance(found, Reservation)
        found.settle(1)
    assert process.asks == 1
    await process.close()


class Play:
    """Three processes on one limit of 100, and what a careful book-keeper knows of them."""

    def __init__(self, catalogue: Catalogue, time: Time, limit: Counted) -> None:
        self.catalogue, self.time, self.limit = catalogue, time, limit
        self.made = 0
        self.processes = [self.process() for _ in range(3)]
        self.held: list[tuple[int, Reservation]] = []
        self.untold = [0, 0, 0]
        self.heard_ns = [time.ns] * 3
        self.spent = self.over = self.forgotten = 0

    def process(self) -> Allowances:
        self.made += 1
        return Allowances(self.catalogue.limits, f"{self.limit.counter} {self.made}", self.time)

    async def reserve(self, which: int, wanted: int) -> None:
        found = await self.processes[which].reserve(self.limit, wanted)
        if isinstance(found, Reservation):
            self.held.append((which, found))

    async def settle(self, which: int, share: float) -> None:
        if self.held:
            of, reservation = self.held.pop(which % len(self.held))
            used = int(reservation.units * share)
            self.over += max(0, used - reservation.units)
            reservation.settle(used)
            self.spent += used
            self.untold[of] += used

    async def tend(self, which: int, _: int) -> None:
        await self.processes[which].tend()
        self.untold[which] = 0
        self.heard_ns[which] = self.time.ns

    async def crash(self, which: int, _: int) -> None:
        self.forget(which)
        self.untold[which] = 0
        self.held = [(of, one) for of, one in self.held if of != which]
        self.processes[which] = self.process()
        self.heard_ns[which] = self.time.ns

    async def wait(self, seconds: int, _: int) -> None:
        """A process that says nothing for as long as a lease lasts is taken for dead."""
        self.time.ns += seconds * 10**9
        for which, heard_ns in enumerate(self.heard_ns):
            if self.time.ns - heard_ns >= LEASE_NS:
                self.forget(which)

    def forget(self, which: int) -> None:
        self.forgotten += self.untold[which] + sum(one.units for of, one in self.held if of == which)

    async def all(self, steps: list[tuple[str, int, Any]]) -> None:
        for what, which, value in steps:
            await getattr(self, what)(which, value)
            assert sum(one.units for _, one in self.held) + self.spent <= 100 + self.over + self.forgotten
        for _, reservation in self.held:
            reservation.settle(0)
        for process in self.processes:
            await process.close()
        self.time.ns += LEASE_NS + 1
        last = self.process()
        assert isinstance(await last.reserve(self.limit, 0), Reservation)
        await last.close()
        now = self.catalogue.limits.used(self.time())
        used = sum(used for name, _, used in now if name == self.limit.counter)
        assert self.spent - self.forgotten <= used <= self.spent


steps = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.integers(0, 2), st.integers(0, 40)),
        st.tuples(st.just("settle"), st.integers(0, 30), st.floats(0, 1.5)),
        st.tuples(st.just("tend"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("crash"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 70), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps)
def test_whatever_happens_no_more_is_reserved_than_there_is(
    catalogue: Catalogue, time: Time, steps: list[tuple[str, int, Any]]
) -> None:
    """Law: what calls hold and what was used within the estimates is at most the limit, but for what a crash forgot."""
    time.ns += 3600 * 10**9
    time.ns -= time.ns % MINUTE
    limit = Counted(Limit(name="l", measure="tokens", amount=100, window="day", of="team"), f"l {time.ns}", "care")

    asyncio.run(Play(catalogue, time, limit).all(steps))
