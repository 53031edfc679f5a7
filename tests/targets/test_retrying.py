"""Another try, where the first failed before it said anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from noria.core.errors import (
    BreakerOpen,
    CallCut,
    CallFailed,
    CallRefused,
    EngineFailed,
    NoriaError,
    Overloaded,
    Unreachable,
)
from noria.core.events import Delta, Sent, Started
from noria.core.folding import collect
from noria.targets.retry_budget import RetryBudget
from noria.targets.retrying import Retrying
from noria.targets.scripted import Scripted, Step, answer

from .contract import ASK, events_until_error


def retrying(*attempts: Sequence[Step], **options: Any) -> tuple[Retrying, Scripted, list[float]]:
    scripts, waits = iter(attempts), []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    inner = Scripted(lambda _: next(scripts))
    return Retrying(inner, **({"sleep": sleep, "random": lambda: 0.5} | options)), inner, waits


BUSY = CallFailed("Busy.", retryable=True)


async def test_a_retry_leaves_no_trace_in_the_reply() -> None:
    target, inner, waits = retrying([Started(id="lost"), BUSY], [BUSY], answer("yes"))
    seen, error = await events_until_error(target.call(ASK))
    assert error is None
    assert [event.request.attributes for event in seen if isinstance(event, Sent)] == [
        {},
        {"noria.attempts": [{"model": "scripted/m", "outcome": "call_failed", "status": 502, "wait_s": 0.25}]},
        {
            "noria.attempts": [
                {"model": "scripted/m", "outcome": "call_failed", "status": 502, "wait_s": 0.25},
                {"model": "scripted/m", "outcome": "call_failed", "status": 502, "wait_s": 0.5},
            ]
        },
    ]
    assert [event.id for event in seen if isinstance(event, Started)] == ["reply-1"]
    assert len(inner.requests) == 3
    assert waits == [0.25, 0.5]


async def test_nothing_is_tried_again_once_something_was_said() -> None:
    target, inner, _ = retrying([*answer("Hel")[:2], CallCut("Cut.")], answer("never"))
    seen, error = await events_until_error(target.call(ASK))
    assert isinstance(error, CallCut)
    assert [event.text for event in seen if isinstance(event, Delta)] == ["Hel"]
    assert len(inner.requests) == 1


async def test_what_cannot_pass_is_not_tried_again() -> None:
    target, inner, _ = retrying([CallRefused("No.", status=400)], answer("never"))
    with pytest.raises(CallRefused):
        await collect(target.call(ASK))
    assert len(inner.requests) == 1


async def test_the_last_error_is_the_one_raised() -> None:
    target, inner, _ = retrying([BUSY], [CallCut("Cut.")], attempts=2)
    with pytest.raises(CallCut):
        await collect(target.call(ASK))
    assert len(inner.requests) == 2


async def test_the_wait_that_is_asked_for_is_kept() -> None:
    slow = CallRefused("Slow down.", status=429, retryable=True, retry_after_s=3)
    target, _, waits = retrying([slow], [EngineFailed("Restarting.", retry_after_s=2)], answer("yes"))
    await collect(target.call(ASK))
    assert waits == [3, 2]


async def test_who_asks_for_too_long_a_wait_is_not_called_again() -> None:
    target, _, waits = retrying(
        [CallRefused("Tomorrow.", status=429, retryable=True, retry_after_s=3600)], answer("never")
    )
    with pytest.raises(CallRefused, match="Tomorrow"):
        await collect(target.call(ASK))
    assert waits == []


async def test_waits_grow_to_a_limit() -> None:
    target, _, waits = retrying(*[[BUSY]] * 5, answer("yes"), attempts=6, random=lambda: 1.0, longest_wait_s=3)
    await collect(target.call(ASK))
    assert waits == [0.5, 1, 2, 3, 3]


@pytest.mark.parametrize("error", [Overloaded("Full."), BreakerOpen("Open.")])
async def test_who_turns_calls_away_is_not_asked_again(error: NoriaError) -> None:
    target, inner, _ = retrying([error], answer("never"))
    with pytest.raises(type(error)):
        await collect(target.call(ASK))
    assert len(inner.requests) == 1


async def test_who_is_not_there_is_asked_again_only_where_nobody_else_could_answer() -> None:
    gone = Unreachable("Nothing answers.", retryable=True)
    alone, inner, _ = retrying([gone], answer("yes"))
    assert (await collect(alone.call(ASK))).text == "yes"
    among_others, inner, waits = retrying([gone], answer("never"), insistent=False)
    with pytest.raises(Unreachable):
        await collect(among_others.call(ASK))
    assert (len(inner.requests), waits) == (1, [])


async def test_all_calls_share_one_budget_of_retries() -> None:
    budget = RetryBudget(lambda: 0.0, share=0.5, most=2)
    inner = Scripted(lambda _: [BUSY])

    async def sleep(_: float) -> None: ...

    for _ in range(10):
        with pytest.raises(CallFailed):
            await collect(Retrying(inner, sleep=sleep, random=lambda: 0.5, budget=budget).call(ASK))
    assert len(inner.requests) == 10 + budget.taken
    assert budget.taken == 6  # two at the beginning, and half a one for each call but the first, which found it full
    assert budget.refused == 9
