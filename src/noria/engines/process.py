"""One life of an engine's process: spawned, asked until it answers, watched, ended.

The child's side of the agreement is :mod:`noria.engines.child`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psutil

from noria.core.errors import EngineFailed
from noria.core.protocols import Endpoint
from noria.engines.log import EngineLog
from noria.engines.restarts import RestartPolicy

HOST = "127.0.0.1"


class CannotRun(EngineFailed):
    """The engine said that it can't run on this machine: starting again would not help."""

    retryable = False


class EngineProcess:
    """A spawned process. Make one with :func:`spawn`."""

    def __init__(self, process: asyncio.subprocess.Process, *, name: str, model: str, key: str, log: EngineLog) -> None:
        self.pid = process.pid
        self.peak_rss_bytes: int | None = None
        """Largest resident memory seen so far."""
        self._process = process
        self._name = name
        self._model = model
        self._key = key
        self._log = log
        self._port = 0

    async def ready(self, policy: RestartPolicy) -> Endpoint:
        """Wait until it listens and is healthy. Raises ``EngineFailed`` when it exits or takes too long."""
        try:
            async with asyncio.timeout(policy.start_timeout_s):
                self._port = await self._announced()
                failure = await _first(self._until_healthy(policy), self._exited())
        except TimeoutError:
            raise self._failure(f"did not answer within {policy.start_timeout_s:g} s of its start") from None
        if failure is not None:
            raise failure
        self.rss_bytes()
        return Endpoint(base_url=f"http://{HOST}:{self._port}/v1", model=self._model, api_key=self._key)

    async def ended(self, policy: RestartPolicy) -> EngineFailed:
        """Wait until it exits, or hangs; return why."""
        return await _first(self._exited(), self._hung(policy))

    async def end(self, grace_s: float) -> None:
        """Ask it to stop, and make it after the grace."""
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(grace_s):
                await self._process.wait()
        except TimeoutError:
            self._kill()
            await self._process.wait()
        except asyncio.CancelledError:
            self._kill()
            raise

    def rss_bytes(self) -> int | None:
        """Resident memory now, and the peak brought up to date; None when it is gone."""
        try:
            rss: int = psutil.Process(self.pid).memory_info().rss
        except psutil.Error:
            return None
        self.peak_rss_bytes = max(rss, _peak(self.pid), self.peak_rss_bytes or 0)
        return rss

    async def _announced(self) -> int:
        pipe = self._process.stdout
        line = await pipe.readline() if pipe else b""
        if not line:
            await self._process.wait()
            raise self._exit_failure()
        answer = json.loads(line)
        if "refused" in answer:
            why = f"The engine '{self._name}' can't run: {answer['refused']}{self._quoted()}"
            raise CannotRun(why, hint=str(answer.get("hint", "")))
        return int(answer["port"])

    async def _until_healthy(self, policy: RestartPolicy) -> None:
        while not await self._healthy(policy.check_timeout_s):  # noqa: ASYNC110 - nobody tells; asking is the only way
            await asyncio.sleep(0.05)

    async def _exited(self) -> EngineFailed:
        await self._process.wait()
        return self._exit_failure()

    async def _hung(self, policy: RestartPolicy) -> EngineFailed:
        """Return when it neither answers nor computes. A busy engine may answer late; it is left alone."""
        missed, worked = 0, self._cpu_s()
        while missed < policy.check_misses:
            await asyncio.sleep(policy.check_every_s)
            self._log.trim()
            self.rss_bytes()
            healthy, before, worked = await self._healthy(policy.check_timeout_s), worked, self._cpu_s()
            busy = worked - before > 0.01 * policy.check_every_s
            missed = 0 if healthy or busy else missed + 1
        return self._failure(f"is idle and has missed {missed} health checks")

    async def _healthy(self, timeout_s: float) -> bool:
        import aiohttp  # noqa: PLC0415 - a slow import that only a running engine needs

        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_s)) as session,
                session.get(
                    f"http://{HOST}:{self._port}/health", headers={"Authorization": f"Bearer {self._key}"}
                ) as reply,
            ):
                return reply.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    def _cpu_s(self) -> float:
        try:
            times = psutil.Process(self.pid).cpu_times()
        except psutil.Error:
            return 0.0
        return float(times.user + times.system)

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    def _exit_failure(self) -> EngineFailed:
        code = self._process.returncode or 0
        name = signal.Signals(-code).name if code < 0 and -code in set(signal.Signals) else ""
        return self._failure(f"was killed by {name}" if name else f"exited with status {code}")

    def _failure(self, what: str) -> EngineFailed:
        hint = f"Its whole log is {self._log.path}."
        return EngineFailed(f"The engine '{self._name}' {what}.{self._quoted()}", hint=hint)

    def _quoted(self) -> str:
        lines = self._log.last_lines()
        return f" Its log ends: {lines}" if lines else ""


async def spawn(
    argv: Sequence[str], order: Mapping[str, Any], *, name: str, model: str, log: EngineLog
) -> EngineProcess:
    """Start a process and hand it its order. Raises ``EngineFailed`` when the program can't be run at all."""
    key = secrets.token_urlsafe(32)
    line = json.dumps({**order, "host": HOST, "api_key": key, "parent": os.getpid()}).encode() + b"\n"
    try:
        with log.open() as errors:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                # Its own session: Ctrl-C on a terminal reaches the server alone, which then stops its engines in order.
                start_new_session=True,
            )
    except OSError as error:
        raise CannotRun(f"The engine '{name}' can't be started: {error}.") from error
    found = EngineProcess(process, name=name, model=model, key=key, log=log)
    # Not drained: nothing may be awaited between the spawn and the return, or a cancelled start leaves an orphan.
    if process.stdin:
        process.stdin.write(line)
    return found


T = TypeVar("T")


async def _first(*rivals: Coroutine[Any, Any, T]) -> T:
    """The result of whichever ends first; the others are cancelled."""
    tasks = [asyncio.ensure_future(rival) for rival in rivals]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _peak(pid: int) -> int:
    """Linux keeps the peak itself (``VmHWM`` in proc(5)); elsewhere the samples must do."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(line.split()[1]) * 1024
