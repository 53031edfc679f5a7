"""Servers that take OTLP, each started, asked and counted in its own way: Noria, Arize Phoenix, MLflow."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import psutil
from durable.server import KEY, free_port

from noria.assemble import open_workspace
from noria.core.questions import Aggregate, Question
from noria.settings import Settings

_GIVE_UP_S = 600.0
_LAST_LINES = 30


class Taker(Protocol):
    """A server that takes OTLP over HTTP."""

    name: str
    """What it is called."""
    url: str
    """Where it takes traces."""
    headers: Mapping[str, str]
    """What a client has to send."""

    def start(self) -> None:
        """Start, and return when it can take spans."""

    def rows(self) -> int:
        """Spans in its database now."""

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""

    def cpu_s(self) -> float:
        """CPU seconds of all its processes since the start."""

    def memory_mb(self) -> float:
        """Resident memory of all its processes."""


class Process:
    """What all of them have in common: a process tree on a port of its own."""

    name = ""
    ready_path = "/"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/v1/traces"
        self.headers: Mapping[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._at_end = 0.0

    def command(self) -> list[str]:
        """Its command line."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """Its variables."""
        return {}

    def start(self) -> None:
        """Start, and return when it answers."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("NORIA_", "PYTHONPATH"))}
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                env=environ | self.environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + _GIVE_UP_S
        while time.monotonic() < end and self._process.poll() is None:
            if self.ready():
                return
            time.sleep(0.1)
        self.stop()
        sys.exit(f"{self.name} did not start. Its log ends with:\n{self.log_end()}")

    def ready(self) -> bool:
        """Whether it answers."""
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}{self.ready_path}", timeout=5),
        ):
            return True
        return False

    def log_end(self) -> str:
        """The last lines of what it said."""
        said = (self.folder / f"{self.name}.log").read_text(errors="replace")
        return "\n".join(said.splitlines()[-_LAST_LINES:])

    def stop(self) -> None:
        """Ask it to stop, and wait until it has."""
        assert self._process is not None
        if self._process.poll() is not None:
            return
        usage, before = self.cpu_s(), _waited_cpu_s()
        tree = self._tree()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(120)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for left in tree[1:]:
            with contextlib.suppress(psutil.Error):
                left.kill()
        self._at_end = max(usage, _waited_cpu_s() - before)

    def cpu_s(self) -> float:
        """CPU seconds of all its processes since the start."""
        if self._process is None or self._process.poll() is not None:
            return self._at_end
        total = 0.0
        for process in self._tree():
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        return total

    def memory_mb(self) -> float:
        """Resident memory of all its processes."""
        return sum(process.memory_info().rss for process in self._tree()) / 1e6

    def _tree(self) -> list[psutil.Process]:
        assert self._process is not None
        root = psutil.Process(self._process.pid)
        return [root, *root.children(recursive=True)]


def _waited_cpu_s() -> float:
    times = os.times()
    return times.children_user + times.children_system


class Noria(Process):
    """This one."""

    name = "noria"
    ready_path = "/readyz"

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        super().__init__(folder)
        self.headers = {"authorization": f"Bearer {KEY}"}
        self._settings = settings

    def command(self) -> list[str]:
        """Its command line."""
        start = "import sys; from noria.cli import main; sys.exit(main())"
        return [sys.executable, "-c", start, "up", "--port", str(self.port), "--data", str(self.folder / "data")]

    def environment(self) -> dict[str, str]:
        """Its variables."""
        path = os.environ.get("PYTHONPATH", "")
        return {"NORIA_API_KEY": KEY, "PYTHONPATH": path, **self._settings}

    def rows(self) -> int:
        """Counted in the store itself, which one process at a time has open: after the stop."""
        return asyncio.run(self._counted())

    async def _counted(self) -> int:
        async with open_workspace(Settings(data=str(self.folder / "data")), {}, holder="a measurement") as workspace:
            table = await workspace.traces.query(Question(measures=(Aggregate(measure="count"),)))
        [(count,)] = table.rows
        return int(count)


class _Sqlite(Process):
    database = ""

    def __init__(self, folder: Path, python: str) -> None:
        super().__init__(folder)
        self._python = python

    def rows(self) -> int:
        path = self.folder / self.database
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
            [count] = connection.execute("SELECT count(*) FROM spans").fetchone()
        return int(count)


class Phoenix(_Sqlite):
    """Arize Phoenix with SQLite, as ``phoenix serve`` starts it."""

    name = "phoenix"
    ready_path = "/healthz"
    database = "phoenix.db"

    def command(self) -> list[str]:
        """Its command line."""
        return [self._python, "-m", "phoenix.server.main", "serve"]

    def environment(self) -> dict[str, str]:
        """Its variables."""
        return {
            "PHOENIX_WORKING_DIR": str(self.folder),
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": str(self.port),
            "PHOENIX_GRPC_PORT": str(free_port()),
            "PHOENIX_TELEMETRY_ENABLED": "false",
        }


class MLflow(_Sqlite):
    """MLflow with SQLite, as ``mlflow server`` starts it."""

    name = "mlflow"
    ready_path = "/health"
    database = "mlflow.db"

    def __init__(self, folder: Path, python: str) -> None:
        super().__init__(folder, python)
        self.headers = {"x-mlflow-experiment-id": "0"}

    def command(self) -> list[str]:
        """Its command line."""
        store = f"sqlite:///{self.folder / self.database}"
        where = ["--host", "127.0.0.1", "--port", str(self.port)]
        artifacts = ["--artifacts-destination", str(self.folder / "artifacts")]
        return [self._python, "-m", "mlflow", "server", "--backend-store-uri", store, *artifacts, *where]

    def environment(self) -> dict[str, str]:
        """Its variables."""
        return {"PATH": f"{Path(self._python).parent}:{os.environ['PATH']}", "MLFLOW_DISABLE_TELEMETRY": "true"}


PEERS: Mapping[str, type[_Sqlite]] = {"phoenix": Phoenix, "mlflow": MLflow}
"""Those that can be measured beside Noria, by name."""
