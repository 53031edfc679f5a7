"""``noria up`` as a process that is stopped in every way there is."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import psutil

from durable.watched import Answer, Watcher, command

KEY = "noria_key_of_the_measurements"
_NORIA = [sys.executable, "-c", "import sys; from noria.cli import main; sys.exit(main())"]
_GIVE_UP_S = 300.0


def free_port() -> int:
    """A port that nobody has now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


class Server:
    """One data folder and one port; started and ended as often as wanted.

    Arguments:
        data: the data folder.
        log: file that takes what the server says.
        settings: further ``NORIA_*`` variables.
        port: where it listens.
        workers: processes that answer calls, beside the one that holds the folder from 2 on.
    """

    def __init__(
        self, data: Path, log: Path, settings: Mapping[str, str], port: int | None = None, *, workers: int = 1
    ) -> None:
        self._workers = workers
        self._data = data
        self._log = log
        self._settings = settings
        self._port = port or free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: Watcher | None = None
        self._started = 0.0
        self.url = f"http://127.0.0.1:{self._port}"
        """Where it answers."""
        self.headers = {"authorization": f"Bearer {KEY}"}
        """What lets a client in."""

    @property
    def running(self) -> psutil.Process:
        """The process."""
        assert self._process is not None
        return psutil.Process(self._process.pid)

    def start(
        self,
        *,
        settings: Mapping[str, str] | None = None,
        answer: Answer | None = None,
        largest_file: int | None = None,
    ) -> None:
        """Start, and don't wait.

        Arguments:
            settings: further variables for this time.
            answer: is asked before each sync of the server.
            largest_file: bytes beyond which every file of this server is a full disk.
        """
        # A measurement is not itself measured, and the server starts from bytecode, as an installed one does.
        left_out = ("NORIA_", "COVERAGE_", "PYTHONDONTWRITEBYTECODE")
        environ = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
        environ |= {"NORIA_API_KEY": KEY, **self._settings, **(settings or {})}
        arguments = [*_NORIA, "up", "--port", str(self._port), "--data", str(self._data)]
        arguments += ["--workers", str(self._workers)] if self._workers > 1 else []
        inherited: tuple[int, ...] = ()
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(self._log.open("ab"))
            if answer is not None:
                ours, theirs = socket.socketpair()
                stack.enter_context(theirs)
                self._watcher = Watcher(ours, answer)
                arguments, inherited = command(arguments, theirs), (theirs.fileno(),)
            self._started = time.perf_counter()
            self._process = subprocess.Popen(
                arguments, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=inherited
            )
        if largest_file is not None:
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (largest_file, largest_file))

    def wait_ready(self) -> float | None:
        """Seconds from the start to the first 200 of ``/readyz``; None when the process has ended before."""
        assert self._process is not None
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/readyz", timeout=5):
                return time.perf_counter() - self._started
            if self._process.poll() is not None:
                return None
            if time.perf_counter() - self._started > _GIVE_UP_S:
                sys.exit(f"The server was not ready in {_GIVE_UP_S:.0f} s; its log is {self._log}.")
            time.sleep(0.02)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, where there still is a process."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)

    def ended(self, within_s: float = _GIVE_UP_S) -> int:
        """Wait for the end; the exit status."""
        assert self._process is not None
        status = self._process.wait(within_s)
        if self._watcher is not None:
            self._watcher.join()
            self._watcher = None
        return status

    def kill(self, chance: random.Random | None = None) -> None:
        """SIGKILL; of several processes in the order of ``chance``, and now and then with a moment between two."""
        assert self._process is not None
        processes = [] if self._process.poll() is not None else [self.running, *self.running.children(recursive=True)]
        if chance is not None:
            chance.shuffle(processes)
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
            if chance is not None and len(processes) > 1 and chance.random() < 0.3:
                time.sleep(chance.random() * 0.3)
        psutil.wait_procs(processes[1:], timeout=_GIVE_UP_S)
        self.ended()

    def kill_worker(self, chance: random.Random) -> None:
        """SIGKILL to one of the workers, where there are any now."""
        workers = self.running.children()
        if workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                chance.choice(workers).kill()

    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def metrics(self) -> dict[str, float]:
        """Its numbers."""
        request = urllib.request.Request(f"{self.url}/metrics", headers=self.headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}
