r"""Keeps one engine's process running: starts it, starts it again after a crash, gives up, stops it.

    stopped --start--> starting --healthy--> ready --crash--> backing_off --> starting ...
                          \______________________________________ too many crashes --> failed

It knows nothing about models: an engine is a program that keeps to the agreement in :mod:`noria.engines.child`.
"""

from __future__ import annotations

import asyncio
import copy
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import structlog

from noria.core.errors import EngineFailed, NoriaError
from noria.core.protocols import Endpoint, EngineStatus
from noria.engines.log import EngineLog
from noria.engines.process import CannotRun, EngineProcess, spawn
from noria.engines.restarts import RestartPolicy, patience_returns, pause, recent

_log = structlog.get_logger(__name__)


class Supervisor:
    """A supervised process that serves an OpenAI-compatible port. Itself an :class:`~noria.core.protocols.Engine`.

    Arguments:
        name: what messages call it.
        model: the name to send as the model.
        argv: the program and its arguments.
        order: what the process is told on its standard input, JSON-like; ``attempt`` (0, 1, ...) is added.
        log: path of its log file, kept over restarts and bounded.
        policy: when to restart and when to give up.
        check: called in a thread before each first start; what it raises is raised by :meth:`start`.
        monotonic: a clock in seconds, for crash times.
        uniform: a random number in [0, 1), for the jitter.

    One object belongs to one event loop.
    """

    def __init__(
        self,
        *,
        name: str,
        model: str,
        argv: Sequence[str],
        order: Mapping[str, Any],
        log: Path,
        policy: RestartPolicy | None = None,
        check: Callable[[], None] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self._name = name
        self._model = model
        self._argv = argv
        self._order = order
        self._log = EngineLog(log)
        self._policy = policy or RestartPolicy()
        self._check = check
        self._monotonic = monotonic
        self._uniform = uniform
        self._state = "stopped"
        self._message = ""
        self._restarts = 0
        self._peak: int | None = None
        self._crashes: list[float] = []
        self._task: asyncio.Task[None] | None = None
        self._process: EngineProcess | None = None
        self._endpoint: Endpoint | None = None
        self._failure: EngineFailed | None = None
        self._ready: asyncio.Future[Endpoint | NoriaError] | None = None
        self._gone: asyncio.Future[EngineFailed] | None = None

    async def start(self) -> Endpoint:
        """Start, or join a start or restart under way; return when it answers.

        Raises:
            EngineFailed: it can't run here, crashed too often, or was stopped meanwhile. After too many crashes it
                stays failed until they are a window old, or until :meth:`stop`.
        """
        if self._endpoint is not None:
            return self._endpoint
        if self._task is None or self._task.done():
            self._refuse_while_failed()
            self._ready = asyncio.get_running_loop().create_future()
            self._task = asyncio.create_task(self._supervise(), name=f"engine {self._name}")
        assert self._ready is not None  # noqa: S101 - set together with the task
        outcome = await asyncio.shield(self._ready)
        if isinstance(outcome, NoriaError):
            raise _anew(outcome)
        return outcome

    async def stop(self) -> None:
        """Stop; the process is gone on return. Starts under way and calls in flight get ``EngineFailed``."""
        task = self._task
        if task is None:
            return
        if not task.done() and not task.cancelling():  # a second cancel would cut short the grace of the first
            self._fail_all(EngineFailed(f"The engine '{self._name}' was stopped."))
            task.cancel()
        await asyncio.wait({task})
        self._state, self._message = "stopped", ""
        self._crashes.clear()

    async def crashed(self, endpoint: Endpoint) -> EngineFailed:
        """Wait until the process behind ``endpoint`` is gone, and return why; at once when it is gone already."""
        if endpoint != self._endpoint or self._gone is None:
            gone = EngineFailed(f"The engine '{self._name}' no longer runs.")
            return _anew(self._failure or gone)
        return _anew(await asyncio.shield(self._gone))

    def status(self) -> EngineStatus:
        """Health now."""
        process = self._process
        rss = process.rss_bytes() if process else None
        if process:
            self._peak = max(self._peak or 0, process.peak_rss_bytes or 0) or None
        return EngineStatus(
            state=self._state,
            pid=process.pid if process else None,
            restarts=self._restarts,
            rss_bytes=rss,
            peak_rss_bytes=self._peak,
            log=str(self._log.path),
            message=self._message,
        )

    def _refuse_while_failed(self) -> None:
        wait = patience_returns(self._crashes, self._monotonic(), self._policy)
        if self._failure is not None and wait > 0:
            kind = type(self._failure)
            raise kind(f"{self._message} It is not started again for another {wait:.0f} s.", retry_after_s=wait)

    async def _supervise(self) -> None:
        try:
            await self._live()
        except Exception as error:  # noqa: BLE001 - the task's boundary: without it, starts that wait would wait for ever
            _log.exception("engine.supervision_failed", engine=self._name)
            self._state, self._message = (
                "failed",
                f"The engine '{self._name}' failed ({type(error).__name__}: {error}).",
            )
            self._fail_all(EngineFailed(self._message, hint=f"Its whole log is {self._log.path}."))

    async def _live(self) -> None:
        self._state = "starting"
        try:
            await asyncio.to_thread(self._check)
        except NoriaError as error:
            self._state, self._message = "failed", str(error)
            self._settle(error)
            return
        attempt = 0
        while True:
            failure = await self._run(attempt)
            now = self._monotonic()
            # What can't run here won't run on a further try: one refusal counts like the last crash.
            counts = self._policy.crash_limit if isinstance(failure, CannotRun) else 1
            self._crashes = [*recent(self._crashes, now, self._policy), *[now] * counts]
            if len(self._crashes) >= self._policy.crash_limit:
                self._give_up(failure)
                return
            self._state, self._message = "backing_off", str(failure)
            await asyncio.sleep(pause(len(self._crashes), self._policy, self._uniform()))
            attempt += 1
            self._restarts += 1

    async def _run(self, attempt: int) -> EngineFailed:
        """One life of the process, from spawn to the failure that ended it."""
        self._state = "starting"
        order = {**self._order, "attempt": attempt}
        try:
            process = await spawn(self._argv, order, name=self._name, model=self._model, log=self._log)
        except CannotRun as missing:
            return missing
        self._process = process
        try:
            self._gain(await process.ready(self._policy))
            failure = await process.ended(self._policy)
            self._fail_calls(failure)
            return failure
        except EngineFailed as early:
            return early
        finally:
            self._endpoint = None  # nobody is sent to a process that is about to end
            process.rss_bytes()
            await process.end(self._policy.grace_s)
            self._peak = max(self._peak or 0, process.peak_rss_bytes or 0) or None
            self._process = None

    def _gain(self, endpoint: Endpoint) -> None:
        self._endpoint, self._state, self._message = endpoint, "ready", ""
        self._gone = asyncio.get_running_loop().create_future()
        self._settle(endpoint)

    def _fail_calls(self, failure: EngineFailed) -> None:
        """Fail the calls in flight; starts wait for the next process."""
        self._endpoint, self._failure = None, failure
        if self._gone and not self._gone.done():
            self._gone.set_result(failure)
        if self._ready is None or self._ready.done():
            self._ready = asyncio.get_running_loop().create_future()

    def _fail_all(self, failure: EngineFailed) -> None:
        """Fail the calls in flight and the starts that wait."""
        self._fail_calls(failure)
        self._settle(failure)

    def _settle(self, outcome: Endpoint | NoriaError) -> None:
        """Answer the starts that wait."""
        if self._ready and not self._ready.done():
            self._ready.set_result(outcome)

    def _give_up(self, failure: EngineFailed) -> None:
        self._state, self._message = "failed", str(failure)
        if not isinstance(failure, CannotRun):
            self._message = f"{failure} It crashed {len(self._crashes)} times in a short time and is given up."
            failure = EngineFailed(self._message)
        self._fail_all(failure)


Failure = TypeVar("Failure", bound=NoriaError)


def _anew(failure: Failure) -> Failure:
    """A copy for each caller: a shared exception would collect all their tracebacks."""
    return copy.copy(failure)
