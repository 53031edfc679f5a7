"""Copying from store to store, stopped at any moment."""

from __future__ import annotations

import asyncio
import random

import pytest
from trace_records import score, span

from noria.core.errors import Unavailable
from noria.core.questions import Question
from noria.stores.traces.copying import Progress, copy, days, differing
from noria.stores.traces.memory import MemoryTraces

DAY = 86_400 * 10**9


class Failing(MemoryTraces):
    """Breaks off now and then: before it has kept a batch, or after it has, without saying so."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    async def append(self, spans=(), scores=()):
        fate = self._chance.random()
        if fate < 0.2:
            raise Unavailable("It went away before.")
        await super().append(spans, scores)
        if fate < 0.4:
            raise Unavailable("It went away after.")


async def filled() -> MemoryTraces:
    store = MemoryTraces()
    await store.append([span(i, start_ns=span(i).start_ns + i % 3 * DAY) for i in range(60)])
    await store.append([span(3, name="again", start_ns=span(3).start_ns)], [score(i % 5) for i in range(40)])
    return store


@pytest.mark.parametrize("seed", range(8))
async def test_a_copy_that_breaks_off_again_and_again_is_exact_in_the_end(seed: int) -> None:
    source, target = await filled(), Failing(random.Random(seed))
    kept = Progress()

    def keep(progress: Progress) -> None:
        nonlocal kept
        kept = progress

    for _ in range(1000):
        try:
            await copy(source, target, kept, keep, batch=7)
        except Unavailable:
            continue
        break
    assert kept.copied
    assert sorted(map(repr, await target.spans(Question(limit=None)))) == sorted(
        map(repr, await source.spans(Question(limit=None)))
    )
    everything = Question(source="scores", limit=None)
    assert sorted(map(repr, await target.scores(everything))) == sorted(map(repr, await source.scores(everything)))
    before, after = await days(source, lambda _: None), await days(target, lambda _: None)
    assert differing(before, after) == []
    assert sum(day.spans for day in before.values()) == 60


async def test_a_difference_is_found_on_its_day() -> None:
    one, other = await filled(), await filled()
    changed = (await other.spans(Question(limit=1)))[0]
    await other.append([span(int(changed.span_id, 16), name="changed", start_ns=changed.start_ns)])
    found = differing(*(await asyncio.gather(days(one, lambda _: None), days(other, lambda _: None))))
    assert len(found) == 1
