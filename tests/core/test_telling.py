"""Listeners that have something to wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial

from noria.core.answering import Later, tell_all
from noria.core.events import Delta, Event


async def test_events_are_told_in_order_each_after_what_the_one_before_waited_for() -> None:
    seen: list[str] = []

    async def wait(text: str) -> None:
        await asyncio.sleep(0)
        seen.append(f"waited {text}")

    def hear(event: Event) -> Awaitable[None] | None:
        assert isinstance(event, Delta)
        seen.append(event.text)
        return Later(partial(wait, event.text)) if event.text != "a" else None

    waiting = tell_all([Delta(text=text) for text in "abc"], hear)
    assert seen == ["a", "b"]
    assert waiting is not None
    await waiting
    assert seen == ["a", "b", "waited b", "c", "waited c"]


async def test_what_a_cancelled_call_does_not_wait_for_any_more_never_begins() -> None:
    """A coroutine that nobody awaits would warn of itself, and a warning fails this test."""
    begun: list[str] = []

    async def wait() -> None:
        begun.append("it")

    assert tell_all([Delta(text="a"), Delta(text="b")], lambda _: Later(wait)) is not None
    await asyncio.sleep(0)
    assert begun == []
