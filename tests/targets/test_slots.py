"""So many at a time, a short line, and the newest turned away."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from noria.core.errors import Overloaded
from noria.core.events import Sent
from noria.core.folding import collect
from noria.targets.bounded import Bounded
from noria.targets.scripted import Scripted, answer
from noria.targets.slots import Slots

from .contract import ASK, events_until_error


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_first_come_first_served_and_the_newest_is_turned_away_at_once() -> None:
    slots, gates, done = Slots(2, waiting=2, of="This server"), [asyncio.Event() for _ in range(4)], list[int]()

    async def work(number: int) -> None:
        async with slots.place():
            done.append(number)
            await gates[number].wait()

    tasks = []
    for number in range(4):
        tasks.append(asyncio.create_task(work(number)))
        await settled()
    assert (done, slots.taken, slots.waiting) == ([0, 1], 2, 2)
    with pytest.raises(Overloaded, match="This server has 2 calls under way") as caught:
        async with slots.place():
            pass
    assert (caught.value.status, caught.value.retry_after_s, slots.shed) == (503, 1.0, 1)
    gates[1].set()
    await settled()
    assert done == [0, 1, 2]
    for gate in gates:
        gate.set()
    await asyncio.gather(*tasks)
    assert (done, slots.taken, slots.waiting) == ([0, 1, 2, 3], 0, 0)


async def test_a_call_for_which_another_waits_has_that_one_s_place_as_long_as_there_is_one() -> None:
    slots = Slots(1, waiting=0, of="p")
    async with slots.place("outer"):
        async with slots.place("inner", "outer"), slots.place("another", "outer"):
            assert slots.taken == 1
        with pytest.raises(Overloaded):
            async with slots.place("else", "nobody"):
                pass
    async with slots.place("late", "outer"):
        assert slots.taken == 1, "the outer one has none any more"
    assert slots.taken == 0


async def test_nobody_waits_longer_than_their_patience() -> None:
    slots = Slots(1, waiting=5, patience_s=0.01, of="p")
    async with slots.place():
        with pytest.raises(Overloaded):
            async with slots.place():
                pass
    assert (slots.taken, slots.waiting) == (0, 0)


async def test_no_place_is_lost_however_callers_come_and_go() -> None:
    slots, lots = Slots(3, waiting=4, patience_s=0.004, of="p"), random.Random(7)

    async def work() -> None:
        with contextlib.suppress(Overloaded):
            async with slots.place():
                assert slots.taken <= 3
                await asyncio.sleep(lots.random() / 500)

    tasks = []
    for _ in range(300):
        tasks.append(asyncio.create_task(work()))
        if lots.random() < 0.5:
            lots.choice(tasks).cancel()
        if lots.random() < 0.3:
            await asyncio.sleep(lots.random() / 1000)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (slots.taken, slots.waiting) == (0, 0)
    assert slots.shed > 0


class OfTwo:
    """Places that two have in one process; :mod:`noria.stores.places` is tried with its own tests."""

    def __init__(self) -> None:
        self.counts = {"one": 0, "two": 0}
        self.lines = {"one": 0, "two": 0}
        self.since = {"one": 0, "two": 0}

    def of(self, name: str) -> _Side:
        return _Side(self, name)


class _Side:
    def __init__(self, both: OfTwo, name: str) -> None:
        self._both = both
        self._name = name

    @property
    def taken(self) -> int:
        return sum(self._both.counts.values())

    @property
    def waiting(self) -> int:
        return sum(self._both.lines.values())

    def take(self, most: int, since_us: int, now_us: int) -> bool:
        assert since_us <= now_us
        earlier = any(0 < since < since_us for name, since in self._both.since.items() if name != self._name)
        if self.taken >= most or earlier:
            return False
        self._both.counts[self._name] += 1
        return True

    def leave(self) -> None:
        self._both.counts[self._name] -= 1

    def wait(self, more: int, since_us: int, now_us: int) -> None:
        assert since_us <= now_us
        self._both.lines[self._name] += more
        self._both.since[self._name] = since_us


async def test_places_and_the_line_are_one_number_with_those_who_share_them_and_the_longest_waiting_comes_first() -> (
    None
):
    both = OfTwo()
    one, two = (Slots(1, waiting=2, of="This server") for _ in range(2))
    one.share(both.of("one"))
    two.share(both.of("two"))
    gates, done = [asyncio.Event() for _ in range(3)], list[int]()

    async def work(slots: Slots, number: int) -> None:
        async with slots.place():
            done.append(number)
            await gates[number].wait()

    tasks = []
    for number, slots in enumerate((one, two, one)):
        tasks.append(asyncio.create_task(work(slots, number)))
        await asyncio.sleep(0.002)
    assert done == [0]
    for slots in (one, two):
        with pytest.raises(Overloaded):
            await slots.enter()
        with pytest.raises(Overloaded):
            slots.check()
    gates[0].set()
    async with asyncio.timeout(5):
        while done != [0, 1]:  # noqa: ASYNC110  # who waits in another process is told by nobody
            await asyncio.sleep(0.001)
        gates[1].set()
        gates[2].set()
        await asyncio.gather(*tasks)
    assert done == [0, 1, 2]
    tasks = [asyncio.create_task(work(slots, 0)) for slots in (one, two, one)]
    await settled()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert (both.counts, both.lines, both.since) == ({"one": 0, "two": 0},) * 3


async def test_a_call_without_a_place_is_told_whom_it_would_have_gone_to() -> None:
    gate = asyncio.Event()
    slots = Slots(1, waiting=0, of="Provider p")
    target = Bounded(Scripted(lambda _: [gate, *answer("yes")]), slots, provider="p")
    first = asyncio.create_task(collect(target.call(ASK)))
    await settled()
    seen, error = await events_until_error(target.call(ASK))
    assert [event.provider for event in seen if isinstance(event, Sent)] == ["p"]
    assert isinstance(error, Overloaded)
    gate.set()
    assert (await first).text == "yes"
    assert (await collect(target.call(ASK))).text == "yes"


async def test_more_places_are_taken_at_once_and_fewer_by_and_by() -> None:
    slots = Slots(1, waiting=5, of="p")
    gate = asyncio.Event()

    async def work() -> None:
        async with slots.place():
            await gate.wait()

    tasks = [asyncio.create_task(work()) for _ in range(3)]
    await settled()
    assert (slots.taken, slots.waiting) == (1, 2)
    slots.resize(2, waiting=0)
    await settled()
    assert (slots.taken, slots.waiting) == (2, 1)
    gate.set()
    await asyncio.gather(*tasks)
    assert slots.taken == 0
