"""Another try, where the first failed before it said anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from noria.core.errors import CallCut, CallFailed, CallRefused, EngineFailed
from noria.core.events import Delta, Sent, Started, collect
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
        {"noria.attempt": 2},
        {"noria.attempt": 3},
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
