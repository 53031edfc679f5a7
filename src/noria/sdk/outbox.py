"""A bounded queue, and the thread that empties it towards Noria.

The application's side is :meth:`Outbox.put`: it holds a lock for a moment, never waits for the network, and never
raises. Everything slow (encoding, compression, sending, waiting to try again) happens in the thread.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
import weakref
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from opentelemetry import context

from noria.core.errors import Unavailable
from noria.sdk.connection import Answer, Connection
from noria.sdk.counts import Counts
from noria.sdk.settings import SDKSettings

T = TypeVar("T")

BATCH_RECORDS = 512
"""Most records of one request."""
BATCH_BYTES = 4 << 20
"""Most bytes of one request before compression, about; a single larger record travels alone."""
_FIRST_BACK_OFF_S, _LONGEST_BACK_OFF_S = 0.5, 30.0
"""Bounds of the wait before another try; it is drawn between half of the bound and all of it."""
_LONGEST_RETRY_AFTER_S = 120.0
"""A server that asks for more than this is asked again after this."""
_TRY_AGAIN = frozenset({408, 429, 500, 502, 503, 504, 507})
_DIVIDE = frozenset({400, 413})
"""Too large as a whole, or one record among them is wrong: the others shall not be lost with it."""
_WARN_EVERY_S = 60.0

# The standard library's logging, not structlog: this runs in other people's applications, whose logging knows it.
log = logging.getLogger("noria.sdk")


class Letter(NamedTuple):
    """How records become a request, and what its answer says."""

    path: str
    """Where they go."""
    content_type: str
    """What the body is."""
    compress: bool
    """Whether it may go as gzip."""
    encode: Callable[[Sequence[Any]], bytes]
    """The body."""
    refused: Callable[[bytes], tuple[int, str]]
    """From the body of an answer that is a success: how many records were refused all the same, and why."""


class Outbox(Generic[T]):
    """Records of one kind on their way to Noria.

    Arguments:
        letter: how they travel.
        connection: where to; this outbox's own.
        settings: bounds and times.
    """

    def __init__(self, letter: Letter, connection: Connection, settings: SDKSettings) -> None:
        self._letter = letter
        self._connection = connection
        self._settings = settings
        self._begin()
        if hasattr(os, "register_at_fork"):
            weak = weakref.WeakMethod(self._after_fork)
            os.register_at_fork(after_in_child=lambda: (method := weak()) and method())

    def _begin(self) -> None:
        # Re-entrant: a signal handler or a finaliser may end a span while its thread is in here.
        self._changed = threading.Condition(threading.RLock())
        self._queue: deque[tuple[T, int]] = deque()
        self._waiting = self._bytes = 0  # in the queue or on their way
        self._made = self._sent = self._retries = 0
        self._dropped: Counter[str] = Counter()
        self._problem = ""
        self._warned_at = -_WARN_EVERY_S
        self._flushing = self._flushes = 0
        self._closed = self._abandoned = False
        self._thread: threading.Thread | None = None

    def _after_fork(self) -> None:
        """In a child: what waits is the parent's to send, its thread is not here, and its locks may be held for ever."""
        self._connection.after_fork()
        closed = self._closed
        self._begin()
        self._closed = closed

    def put(self, record: T, size: int) -> bool:
        """Hand a record over; ``size`` is about its bytes. False when there is no room: it is dropped and counted."""
        with self._changed:
            self._made += 1
            if self._closed:
                self._drop("exit", 1, "a record was made after the SDK was shut down")
                return False
            full = self._bytes + size > self._settings.queue_bytes and self._waiting
            if full or self._waiting >= self._settings.queue_records:
                self._drop("full", 1, f"{self._waiting} records wait already")
                return False
            self._queue.append((record, size))
            self._waiting += 1
            self._bytes += size
            if self._thread is None or not self._thread.is_alive():
                self._start()
            if len(self._queue) == 1 or len(self._queue) == BATCH_RECORDS:
                self._changed.notify_all()
            return True

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="noria-sdk", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:  # the process has no thread left, or is ending; the next record tries again
            self._thread = None
            self._say(str(error))

    def flush(self, timeout_s: float) -> bool:
        """Send what waits now. True when nothing waits any longer, False when ``timeout_s`` was too short."""
        with self._changed:
            self._flushing += 1
            self._flushes += 1
            self._changed.notify_all()
            try:
                return self._changed.wait_for(lambda: not self._waiting, timeout_s)
            finally:
                self._flushing -= 1

    def close(self, timeout_s: float) -> bool:
        """Stop. What waits is sent first, each record tried once. True when nothing of it was lost."""
        with self._changed:
            lost = sum(self._dropped.values())
            self._closed = True
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: not self._waiting, timeout_s):
                self._abandoned = True
                self._queue.clear()
                self._drop("exit", self._waiting, "the process ended before Noria had taken them")
                self._waiting = self._bytes = 0
            return lost == sum(self._dropped.values())

    def counts(self) -> Counts:
        """What became of the records."""
        with self._changed:
            return Counts(
                made=self._made,
                sent=self._sent,
                queued=self._waiting,
                queued_bytes=self._bytes,
                dropped=dict(self._dropped),
                retries=self._retries,
                last_problem=self._problem,
            )

    # -- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        context.attach(context.set_value(context._SUPPRESS_INSTRUMENTATION_KEY, True))  # noqa: SLF001  # as its SDK does
        while batch := self._take():
            self._deliver(batch)
        self._connection.close()

    def _take(self) -> list[tuple[T, int]]:
        """The next batch; empty when the outbox was closed and nothing is left."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed)
            self._changed.wait_for(
                lambda: len(self._queue) >= BATCH_RECORDS or self._flushing or self._closed, self._settings.linger_s
            )
            batch: list[tuple[T, int]] = []
            bytes_ = 0
            while self._queue and len(batch) < BATCH_RECORDS:
                bytes_ += self._queue[0][1]
                if batch and bytes_ > BATCH_BYTES:
                    break
                batch.append(self._queue.popleft())
            return batch

    def _deliver(self, batch: list[tuple[T, int]]) -> None:
        """Send a batch until it is settled: taken, refused, or given up."""
        try:
            body = self._letter.encode([record for record, _ in batch])
        except Exception as error:  # noqa: BLE001  # whatever an application puts in a record, the others still travel
            self._divide(batch, "broken", f"{type(error).__name__} while it was encoded")
            return
        give_up_at = time.monotonic() + self._settings.patience_s
        tries = 0
        while True:
            last = self._closed
            answer, problem = self._ask(body)
            if answer is not None and answer.status < 300:
                refused, why = self._letter.refused(answer.body)
                self._settle(batch, "refused", min(refused, len(batch)), why)
                return
            if answer is not None and answer.status in _DIVIDE:
                self._divide(batch, "refused", problem)
                return
            if answer is not None and answer.status not in _TRY_AGAIN:
                self._settle(batch, "refused", len(batch), problem)
                return
            if last or time.monotonic() > give_up_at:
                self._settle(batch, "exit" if last else "unreachable", len(batch), problem)
                return
            tries += 1
            self._pause(tries, answer.retry_after_s if answer else None, problem)

    def _ask(self, body: bytes) -> tuple[Answer | None, str]:
        """One try: the answer if one came, and what is wrong if it is no success."""
        try:
            letter = self._letter
            answer = self._connection.ask("POST", letter.path, body, letter.content_type, compress=letter.compress)
        except Unavailable as error:
            return None, str(error)
        return answer, f"{self._connection.url} answered {answer.status}: {answer.body[:200].decode(errors='replace')}"

    def _pause(self, tries: int, retry_after_s: float | None, problem: str) -> None:
        """Wait before another try, as long as the server asked for or the back-off says; a flush asks at once."""
        bound = min(_LONGEST_BACK_OFF_S, _FIRST_BACK_OFF_S * 2 ** min(tries - 1, 10))
        wait_s = bound * random.uniform(0.5, 1.0)  # noqa: S311  # jitter, no secret
        if retry_after_s is not None:
            wait_s = min(_LONGEST_RETRY_AFTER_S, retry_after_s) * random.uniform(1.0, 1.25)  # noqa: S311  # see above
        with self._changed:
            self._retries += 1
            self._say(problem)
            flushes = self._flushes
            self._changed.wait_for(lambda: self._closed or self._flushes != flushes, wait_s)

    def _divide(self, batch: list[tuple[T, int]], reason: str, problem: str) -> None:
        """Send the halves of a batch that can't go as a whole; a record that can't go at all is dropped."""
        if len(batch) == 1:
            self._settle(batch, reason, 1, problem)
            return
        half = len(batch) // 2
        self._deliver(batch[:half])
        self._deliver(batch[half:])

    def _settle(self, batch: list[tuple[T, int]], reason: str, lost: int, problem: str) -> None:
        with self._changed:
            if self._abandoned:
                return  # counted already
            self._waiting -= len(batch)
            self._bytes -= sum(size for _, size in batch)
            self._sent += len(batch) - lost
            if lost:
                self._drop(reason, lost, problem)
            self._changed.notify_all()

    def _drop(self, reason: str, count: int, problem: str) -> None:
        self._dropped[reason] += count
        self._say(f"{count} dropped ({reason}): {problem}")

    def _say(self, problem: str) -> None:
        self._problem = problem
        if time.monotonic() - self._warned_at >= _WARN_EVERY_S:
            self._warned_at = time.monotonic()
            log.warning("%s: %s", self._letter.path, problem)
