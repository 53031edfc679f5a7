"""Records that come at about the same time, made durable by one append.

An append costs a write, a sync, two changes of thread and a line of each index, however little is in it: together as much as
a sixth of a call through the gateway. Where several came together lately, the first waits a moment for the next ones
(PostgreSQL's ``commit_delay``); one alone never waits, so whoever makes one call after another loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from noria.core.errors import InvalidInput
from noria.core.spans import Span

GATHER_S = 0.006
"""How long the first of an append waits for others."""
_COMPANY = 1.5
"""Records of an append, on average over the last some, from which on it is worth to wait."""
_MEMORY = 8

Begin = Callable[[Sequence[Span]], asyncio.Future[Any]]
"""Begins an append that is all or nothing; it goes on whether or not anybody waits for what is returned."""
Call = TypeVar("Call")
Gathered = list[tuple[Span, "asyncio.Future[Span]"]]


class Together(Generic[Call]):
    """Appends the spans of calls, several at once.

    Arguments:
        make: makes the span of a call, for all of an append one after the other: between calls it takes three times as long.
        begin: begins an append.
        kept: is told of each span that is durable, before whoever waits for it.
    """

    def __init__(self, make: Callable[[Call], Span], begin: Begin, kept: Callable[[Span], None]) -> None:
        self._make = make
        self._begin = begin
        self._kept = kept
        self._gathered: list[tuple[Call, asyncio.Future[Span]]] = []
        self._appending: set[asyncio.Future[Any]] = set()
        self._usual = 1.0
        self._loop: asyncio.AbstractEventLoop | None = None  # Python 3.11 asks the system each time it is asked for

    def add(self, call: Call) -> asyncio.Future[Span]:
        """The call's span, when it is durable; it becomes so whether or not anybody waits. Has the error of its append otherwise."""
        loop = self._loop = self._loop or asyncio.get_running_loop()
        done: asyncio.Future[Span] = loop.create_future()
        self._gathered.append((call, done))
        if len(self._gathered) == 1:
            if self._usual < _COMPANY:
                loop.call_soon(self._go)
            else:
                loop.call_later(GATHER_S, self._go)
        return done

    async def drain(self) -> None:
        """Wait until nothing is on its way. What failed went to whoever waited for it."""
        while self._gathered or self._appending:
            if self._appending:
                await asyncio.wait(self._appending)
            else:
                await asyncio.sleep(GATHER_S)

    def _go(self) -> None:
        calls, self._gathered = self._gathered, []
        self._usual += (len(calls) - self._usual) / _MEMORY
        gathered: Gathered = []
        for call, done in calls:
            try:
                gathered.append((self._make(call), done))
            except Exception as error:  # noqa: BLE001  # it goes to whoever waits for this one
                if not done.done():
                    done.set_exception(error)
        if gathered:
            self._append(gathered)

    def _append(self, gathered: Gathered) -> None:
        try:
            kept = self._begin([span for span, _ in gathered])
        except Exception as error:  # noqa: BLE001  # it goes to those who wait
            self._fail(gathered, error)
        else:
            self._appending.add(kept)
            kept.add_done_callback(partial(self._ended, gathered))

    def _ended(self, gathered: Gathered, kept: asyncio.Future[Any]) -> None:
        self._appending.discard(kept)
        if kept.cancelled():
            for _, done in gathered:
                done.cancel()
        elif (error := kept.exception()) is not None:
            self._fail(gathered, error)
        else:
            for span, done in gathered:
                if not done.done():
                    done.set_result(span)
            for span, _ in gathered:  # they wake after it, and also where it fails
                self._kept(span)

    def _fail(self, gathered: Gathered, error: BaseException) -> None:
        if isinstance(error, InvalidInput) and len(gathered) > 1:  # one can't be kept as it is, so none was: each alone
            for one in gathered:
                self._append([one])
            return
        for _, done in gathered:
            if not done.done():
                done.set_exception(error)
