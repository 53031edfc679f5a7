"""A bounded number of workers over a long list of work, stopped in good order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def each(
    items: Iterable[T],
    work: Callable[[T], Awaitable[None]],
    *,
    workers: int,
    stop: asyncio.Event,
    grace_s: float,
) -> None:
    """Do ``work`` for every item, at most ``workers`` at a time.

    Items are drawn one by one, so a million of them cost no more memory than the iterator does. Once ``stop`` is set
    no item is begun; what is under way may take ``grace_s`` seconds and is cancelled then. The same holds without
    grace when the caller is cancelled. The first exception of ``work`` cancels the rest and is raised.
    """
    source = iter(items)

    async def draw() -> None:
        for item in source:
            if stop.is_set():
                return
            await work(item)

    tasks = [asyncio.create_task(draw()) for _ in range(workers)]
    everyone = asyncio.gather(*tasks)
    stopping = asyncio.create_task(stop.wait())
    try:
        either: set[asyncio.Future[Any]] = {everyone, stopping}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not everyone.done():
            await asyncio.wait({everyone}, timeout=grace_s)
        if everyone.done():
            everyone.result()
    finally:
        for task in (*tasks, stopping):
            task.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)
