"""What the open store does by itself: it takes what is durable in the spool, gathers what workers spooled, and settles.

Taking and settling have a thread each, and a task each that says when. Knows nothing of questions: who asks one lets it
catch up first.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import structlog

from noria.core.errors import Unavailable
from noria.stores.traces.embedded.keeper import Keeper
from noria.stores.traces.embedded.waiting import Waiting
from noria.stores.traces.plan import Plan

_EARLY_BYTES = 8 << 20
"""So many waiting bytes are taken at once, without waiting for ``drain_after_s``."""
_CLOSE_S = 5.0
"""So long does closing take what waits, one batch more at most: 12 s of work were seen to wait after a flood of spans."""
_LOOK_S = 30.0
"""How often what waits in memory is looked at, for its age."""
Result = TypeVar("Result")

log = structlog.get_logger(__name__)


class Upkeep:
    """Begins with its making, on the loop that runs.

    Arguments:
        keeper: the open store.
        writer: the one thread that takes.
        waiting: what was appended lately; it forgets what is taken.
        drain_after_s: so long may something wait in the spool.
    """

    def __init__(self, keeper: Keeper, writer: ThreadPoolExecutor, waiting: Waiting, drain_after_s: float) -> None:
        self._keeper = keeper
        self._spool = keeper.spool
        self._writer = writer
        self._settler = ThreadPoolExecutor(1, thread_name_prefix="noria-traces-settle")
        self._waiting = waiting
        self._drain_after_s = drain_after_s
        self._taking = asyncio.Lock()
        self._settling = asyncio.Lock()
        self._arrived = asyncio.Event()
        self._urgent = asyncio.Event()
        self._full = asyncio.Event()
        self._fresh_bytes = 0
        self._failing = False
        loop = asyncio.get_running_loop()
        keeper.sealed = lambda: _wake(loop, self._full)
        if self._spool.pending_bytes:
            self._arrived.set()
        self._tasks = [
            asyncio.create_task(self._drain_while_open(), name="noria-traces-drain"),
            asyncio.create_task(self._settle_while_open(), name="noria-traces-settle"),
            asyncio.create_task(self._gather_while_open(), name="noria-traces-gather"),
        ]

    def arrived(self, size: int) -> None:
        """So many bytes more are durable: take them soon, or at once where much waits."""
        self._fresh_bytes += size
        self._arrived.set()
        if self._fresh_bytes >= _EARLY_BYTES and not self._failing:
            self._urgent.set()

    async def catch_up(self) -> None:
        """Take everything that is durable now. Raises ``Unavailable``: then it stays in the spool."""
        until, gathering, self._fresh_bytes = self._spool.end, self._keeper.gathering, 0
        async with self._taking:
            await gathering.gather()  # what is moved is noted there before it is taken here
            until = max(until, gathering.end)
            if self._keeper.intake.position < until:
                await _run(self._writer, lambda: self._keeper.take(until))
                self._waiting.forget(self._keeper.intake.position)

    async def change(self, change: Callable[[Keeper, Plan], int], checked: Plan) -> int:
        """What ``change`` returns, made while nothing is taken and nothing settled, of all that is durable now."""
        async with self._taking:
            await self._keeper.gathering.empty()
        await asyncio.to_thread(self._spool.begin_anew)  # so that what holds them now can be deleted
        await self.catch_up()
        async with self._taking, self._settling:
            return await _run(self._settler, lambda: change(self._keeper, checked))

    async def finish(self) -> None:
        """End the tasks, and take and settle what is left.

        What DuckDB can't take, or not within five seconds, stays in the spool for the next open.
        """
        self._keeper.intake.deadline = deadline = time.monotonic() + _CLOSE_S
        waiting = set(self._tasks)
        while waiting:  # more than once: a timeout at the same moment swallows a cancellation (Python 3.11)
            for task in waiting:
                task.cancel()
            _, waiting = await asyncio.wait(waiting, timeout=0.1)
        try:
            await self.catch_up()
            if time.monotonic() < deadline:
                await _run(self._settler, lambda: self._keeper.settle(everything=True))
        except Unavailable as error:
            log.error("traces.left_in_spool", error=str(error), pending_bytes=self._spool.pending_bytes)  # noqa: TRY400 - the sentence says it
        else:
            if self._spool.pending_bytes:
                log.warning("traces.left_in_spool", pending_bytes=self._spool.pending_bytes)

    async def close(self) -> None:
        """Checkpoint and close the store, when nothing reads any more."""
        await asyncio.to_thread(self._settler.shutdown)
        await _run(self._writer, self._keeper.close)
        self._writer.shutdown()

    async def _drain_while_open(self) -> None:
        while True:
            await self._arrived.wait()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._urgent.wait(), self._drain_after_s)
            self._arrived.clear()
            self._urgent.clear()
            try:
                await self.catch_up()
                self._failing = False
            except Unavailable as error:
                self._failing = True
                self._arrived.set()  # again after the usual wait
                log.error("traces.drain_failed", error=str(error), pending_bytes=self._spool.pending_bytes)  # noqa: TRY400 - the sentence says it
            except Exception:  # the task's boundary: if it ended here, nothing would be taken until someone asks
                self._failing = True
                self._arrived.set()
                log.exception("traces.drain_failed", pending_bytes=self._spool.pending_bytes)

    async def _gather_while_open(self) -> None:
        while True:
            await asyncio.sleep(self._drain_after_s)
            try:
                if self._keeper.gathering.behind():
                    self._arrived.set()
            except OSError as error:
                log.error("traces.gather_failed", error=str(error))  # noqa: TRY400 - the sentence says it

    async def _settle_while_open(self) -> None:
        wait = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), wait)
            self._full.clear()
            wait = _LOOK_S  # also after a failure, whose reason is hardly gone at once
            try:
                async with self._settling:
                    await _run(self._settler, self._keeper.settle)
                    if self._keeper.unindexed and await _run(self._settler, self._keeper.index):
                        wait = 0.0
            except Unavailable as error:
                log.error("traces.settle_failed", error=str(error))  # noqa: TRY400 - the sentence says it
            except Exception:  # the task's boundary: if it ended here, nothing would be settled any more
                log.exception("traces.settle_failed")


async def _run(thread: ThreadPoolExecutor, work: Callable[[], Result]) -> Result:
    return await asyncio.get_running_loop().run_in_executor(thread, work)


def _wake(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    loop.call_soon_threadsafe(event.set)
