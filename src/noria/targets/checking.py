"""Replies held to their schemas in a few threads of their own.

Schemas and patterns are the callers', and a check may take seconds. Made in the threads that everything shares, some hostile ones
would keep limits, keys and the record waiting. Here they can only delay other checks, and the line of those is short.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec

from noria.core.errors import InvalidInput, Overloaded

Reads = Callable[[str], str]
"""Takes a reply's text and returns the JSON in it; a ``ValueError`` says what is wrong with it."""
THREADS = 2
"""Checks at a time."""
MOST_WAITING = 64
"""Checks that may wait for a thread."""
LONGEST_S = 10.0
"""Seconds that a check may take, its turn in the line included."""
MOST_KEPT = 256
"""Schemas that are kept ready."""
MOST_KEPT_BYTES = 8 * 1024
"""Largest schema that is kept, as JSON: what it takes in memory is some hundred times as much."""

T = TypeVar("T")


class Checks:
    """Makes readers of schemas, and lets them read.

    Arguments:
        compile: makes what reads the replies of a schema; of None, any JSON object. Raises ``InvalidInput``.
        threads: checks at a time.
        most_waiting: checks in the line.
        longest_s: seconds that one may take.
    """

    def __init__(
        self,
        compile: Callable[[dict[str, Any] | None], Reads],
        *,
        threads: int = THREADS,
        most_waiting: int = MOST_WAITING,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._compile = compile
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="noria-schema")
        self._most = threads + most_waiting
        self._longest_s = longest_s
        self._running = 0
        self._ready: OrderedDict[bytes, Reads] = OrderedDict()
        self.compiled = 0
        """Schemas that were made ready."""

    async def reader(self, schema: dict[str, Any] | None) -> Reader:
        """What reads the replies of a schema.

        Raises:
            InvalidInput: it is no schema, or too large a one.
            Overloaded: too many wait to be checked.
        """
        written = b"" if schema is None else msgspec.json.encode(schema, order="deterministic")
        name = hashlib.sha256(written).digest()
        reads = self._ready.get(name)
        if reads is not None:
            self._ready.move_to_end(name)
            return Reader(self, reads)
        self.compiled += 1
        reads = await self.run(lambda: self._compile(schema))
        if len(written) <= MOST_KEPT_BYTES:
            self._ready[name] = reads
            while len(self._ready) > MOST_KEPT:
                self._ready.popitem(last=False)
        return Reader(self, reads)

    async def run(self, work: Callable[[], T]) -> T:
        """Do it in one of the threads. Raises what it raises, and ``Overloaded`` and ``InvalidInput`` as above."""
        if self._running >= self._most:
            raise Overloaded(
                "Too many replies wait to be checked against their schemas.",
                hint="Try again later.",
            )
        self._running += 1
        job = self._threads.submit(work)
        job.add_done_callback(self._done(asyncio.get_running_loop()))
        try:
            async with asyncio.timeout(self._longest_s):
                return await asyncio.wrap_future(job)
        except TimeoutError:
            raise InvalidInput(
                f"The reply could not be checked against its schema within {self._longest_s:g} s.",
                hint="Write a simpler schema.",
            ) from None

    def close(self) -> None:
        """Let nothing more begin; what runs ends by its own deadline."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _done(self, loop: asyncio.AbstractEventLoop) -> Callable[[Future[Any]], None]:
        """Counts a check as over when its thread is free, and not when nobody waits for it any more."""

        def left() -> None:
            self._running -= 1

        def done(_: Future[Any]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(left)

        return done


class Reader:
    """Reads the replies of one schema."""

    def __init__(self, checks: Checks, reads: Reads) -> None:
        self._checks = checks
        self._reads = reads

    async def __call__(self, text: str) -> str:
        """The JSON in a reply's text. A ``ValueError`` says what is wrong with it."""
        return await self._checks.run(lambda: self._reads(text))
