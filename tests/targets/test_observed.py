"""Who watches a target hears of each call, and may refuse it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import pytest

from noria.core.errors import BreakerOpen, CallCut, CallFailed, CallRefused, CallTimeout, EngineFailed
from noria.core.events import Delta, Sent, Started
from noria.core.folding import collect
from noria.targets.breaker import Breaker
from noria.targets.load import Load
from noria.targets.observed import Observed
from noria.targets.scripted import Scripted, Step, answer

from .contract import ASK, events_until_error


class Diary:
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def starts(self) -> Diary:
        self.heard.append("starts")
        return self

    def speaks(self) -> None:
        self.heard.append("speaks")

    def ends(self, outcome: str) -> None:
        self.heard.append(outcome)


@pytest.mark.parametrize(
    ("script", "heard"),
    [
        (answer("a", "b"), ["starts", "speaks", "answered"]),
        ([Started(), CallFailed("Down.", retryable=True)], ["starts", "failed"]),
        ([CallFailed("Nonsense.")], ["starts", "failed"]),
        ([CallTimeout("Late.")], ["starts", "failed"]),
        ([EngineFailed("Crashed.")], ["starts", "failed"]),
        ([CallRefused("Busy.", status=429, retryable=True)], ["starts", "failed"]),
        ([Delta(text="a"), CallCut("Cut.")], ["starts", "speaks", "failed"]),
        ([CallRefused("Your mistake.", status=400)], ["starts", "answered"]),
        ([CallRefused("Wrong key.", status=401)], ["starts", "answered"]),
        ([RuntimeError("A defect.")], ["starts", "given_up"]),
    ],
)
async def test_what_observers_hear(script: Sequence[Step], heard: list[str]) -> None:
    diary = Diary()
    with contextlib.suppress(Exception):  # what they hear of it is the matter
        await collect(Observed(Scripted(lambda _: script), [diary], provider="p").call(ASK))
    assert diary.heard == heard


async def test_a_call_that_its_caller_gives_up_is_nobodys_fault() -> None:
    diary, gate = Diary(), asyncio.Event()
    task = asyncio.create_task(collect(Observed(Scripted(lambda _: [gate]), [diary], provider="p").call(ASK)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert diary.heard == ["starts", "given_up"]


async def test_an_open_breaker_keeps_calls_away_and_the_record_says_from_whom() -> None:
    inner = Scripted(lambda _: [CallTimeout("Late.")])
    load = Load(lambda: 0.0)
    target = Observed(inner, [Breaker("p/m", lambda: 0.0, calls=3), load], provider="p")
    for _ in range(3):
        with pytest.raises(CallTimeout):
            await collect(target.call(ASK))
    seen, error = await events_until_error(target.call(ASK))
    assert isinstance(error, BreakerOpen)
    assert [event.provider for event in seen if isinstance(event, Sent)] == ["p"]
    assert (len(inner.requests), load.outstanding) == (3, 0)
