"""Several processes on one port: started, watched, started again, told to stop. What they do is not known here.

The parent holds the listening socket and hands it on, so a connection that waits to be accepted outlives the worker that
would have taken it. Each worker holds the reading end of a pipe whose other end only the parent has: when the parent is
killed, the pipe ends, and so does the worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from noria.assemble.workers.own_folder import own_folder
from noria.core.struct import Noun

SHORTEST_WAIT_S = 0.5
"""Seconds until a worker that ended is started again; twice as long each further time in a row."""
LONGEST_WAIT_S = 30.0
"""Longest of those waits."""
WELL_AFTER_S = 60.0
"""Seconds after which a worker counts as well, and the waits begin anew."""
STOP_S = 30.0
"""Seconds that workers get to stop, a little more than they take at most; then they are killed."""

_MOST_BYTES = 4096

log = structlog.get_logger(__name__)


class Post(Noun):
    """What a worker is told when it starts. Descriptors are open in the worker under these numbers."""

    number: int
    """Which of the workers it is, from 1."""
    listening: int
    """Descriptor of the listening socket."""
    lifeline: int
    """Descriptor that can be read, to its end, when the parent is gone."""
    ready: int
    """Descriptor on which the worker writes one line when it accepts calls."""


class Workers:
    """Keeps a number of processes running.

    Arguments:
        command: the program of a worker with its arguments.
        count: how many, at least 1.
        bound: the listening socket.
        environ: their environment; each gets a ``TMPDIR`` of its own, emptied before it is started again.
        on_ready: called once, with the first worker's line, when all accept calls.
        on_end: called with the number of one that ended, before it is started again.
        kept_open: descriptors that each of them keeps open, without knowing what for.
        shortest_wait_s: until one that ended is started again.
        stop_s: what they get to stop.
    """

    def __init__(
        self,
        command: Callable[[Post], Sequence[str]],
        count: int,
        bound: socket.socket,
        environ: Mapping[str, str],
        *,
        on_ready: Callable[[str], None],
        on_end: Callable[[int], None] = lambda _number: None,
        kept_open: Sequence[int] = (),
        shortest_wait_s: float = SHORTEST_WAIT_S,
        stop_s: float = STOP_S,
    ) -> None:
        self._command = command
        self._count = count
        self._bound = bound
        self._environ = dict(environ)
        self._on_ready = on_ready
        self._on_end = on_end
        self._kept_open = tuple(kept_open)
        self._shortest_wait_s = shortest_wait_s
        self._stop_s = stop_s
        self._ready: dict[int, asyncio.subprocess.Process] = {}
        self._said: dict[int, str] = {}
        self._told = Counter[signal.Signals]()
        self._first = asyncio.Event()
        self._unclean = False

    async def run(self) -> int:
        """Keep them running until cancelled, then stop them. The exit status: 0 when all of them stopped well.

        When one ends by itself before it was ever ready, the others are stopped, and the status is that worker's: it has
        said what was wrong. One that is killed then has said nothing, and is started again where another answers already.
        """
        with own_folder("workers") as own:
            self._kept_open += (own.lock,)
            keeping = [
                asyncio.create_task(self._keep(number, own.path / f"worker-{number}"), name=f"noria-worker-{number}")
                for number in range(1, self._count + 1)
            ]
            with contextlib.suppress(asyncio.CancelledError):  # which is how they are told to stop
                await asyncio.wait(keeping, return_when=asyncio.FIRST_COMPLETED)
            for task in keeping:
                task.cancel()
            while not all(task.done() for task in keeping):
                with contextlib.suppress(asyncio.CancelledError):  # to be told again changes nothing: they are stopping
                    await asyncio.wait(keeping)
            ended = await asyncio.gather(*keeping, return_exceptions=True)
        for result in ended:
            if isinstance(result, int):
                return result
            if not isinstance(result, asyncio.CancelledError):
                raise result
        return 1 if self._unclean else 0

    def tell(self, number: signal.Signals) -> None:
        """Pass a signal on to all that accept calls; one that still starts would die of it, and gets it when it does."""
        self._told[number] += 1
        for process in list(self._ready.values()):
            _signal(process, number)

    async def _keep(self, number: int, folder: Path) -> int:
        """Run one, again and again. Returns the status of one that could not start, before all have."""
        if number > 1:  # the first brings the stores up to date, and says alone what is wrong with the settings
            await self._first.wait()
        wait_s = self._shortest_wait_s
        while True:
            began = time.monotonic()
            status = await self._run_one(number, folder)
            self._on_end(number)
            if number not in self._said and (status >= 0 or not self._said):
                return status if status > 0 else 1
            if time.monotonic() - began >= WELL_AFTER_S:
                wait_s = self._shortest_wait_s
            log.error("worker.ended", worker=number, status=status, again_in_s=wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    async def _run_one(self, number: int, folder: Path) -> int:
        """Run one to its end, or stop it when cancelled. Its exit status; of one that was killed, less than 0."""
        await asyncio.to_thread(_fresh, folder)
        told_before = self._told.copy()
        ours_ready, ready = os.pipe()
        lifeline, ours_lifeline = os.pipe()
        try:
            try:
                post = Post(number=number, listening=self._bound.fileno(), lifeline=lifeline, ready=ready)
                process = await asyncio.create_subprocess_exec(
                    *self._command(post),
                    stdin=asyncio.subprocess.DEVNULL,
                    env=self._environ | {"TMPDIR": str(folder)},
                    pass_fds=(post.listening, lifeline, ready, *self._kept_open),
                    start_new_session=True,  # Ctrl-C reaches the parent alone, which passes it on once
                )
            finally:
                os.close(lifeline)
                os.close(ready)
            try:
                line = await _line(ours_ready)
                if line:
                    self._is_ready(number, process, line)
                    for missed in self._told - told_before:
                        _signal(process, missed)
                return await process.wait()
            except asyncio.CancelledError:
                await self._stop(number, process)
                raise
            finally:
                self._ready.pop(number, None)
        finally:
            os.close(ours_ready)
            os.close(ours_lifeline)

    def _is_ready(self, number: int, process: asyncio.subprocess.Process, line: str) -> None:
        log.info("worker.ready", worker=number, pid=process.pid)
        self._ready[number] = process
        before = len(self._said)
        self._said[number] = line
        self._first.set()
        if before < self._count == len(self._said):
            self._on_ready(self._said[1])

    async def _stop(self, number: int, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        stopping = asyncio.create_task(process.wait())
        ended, _ = await asyncio.wait({stopping}, timeout=self._stop_s)
        if not ended:
            log.error("worker.killed", worker=number, after_s=self._stop_s, kept="what was acknowledged")
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        if await stopping and number in self._ready:  # one that was still starting has nothing to finish
            self._unclean = True


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(number)


def _fresh(folder: Path) -> None:
    """What one that was killed has left there, caches and logs of engines, was acknowledged to nobody."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, exist_ok=True)


async def _line(descriptor: int) -> str:
    """The line that comes; empty when the other end was closed before."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(descriptor, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, _MOST_BYTES).decode()  # short enough to come in one piece
