"""How soon Noria is there, and what it takes while it waits.

    python benchmarks/start_up.py [--rounds 5] [--json]

``help`` is ``noria --help``, ``list`` is ``noria prompts list`` without a running server, ``up`` is ``noria up`` from
exec to its ready line, ``readyz`` from exec to the first 200 of ``/readyz``; ``idle`` is the resident memory of the
whole process tree five seconds later. All start warm: one run before them writes the bytecode, as an install does, and
makes the data folder. Targets: help <= 0.2 s, up <= 3 s, idle <= 250 MB.

Then the 15 modules that the start of the server waits for longest, with and without what they import themselves, from
``python -X importtime``. Those numbers are only good beside each other: measuring them costs time, too.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from typing import NamedTuple

import psutil
from report import Report, arguments, spread

NORIA = [sys.executable, "-c", "import sys; from noria.cli import main; sys.exit(main())"]
SERVER_IMPORTS = "import noria.cli.up, noria.serve.run, noria.serve.access, noria.assemble"
IDLE_AFTER_S = 5.0
GIVE_UP_S = 60.0


class Started(NamedTuple):
    """One start of the server."""

    up_s: float
    readyz_s: float
    idle_mb: float


class Imported(NamedTuple):
    """One module, as ``-X importtime`` tells it."""

    name: str
    alone_ms: float
    with_all_ms: float


def environment() -> dict[str, str]:
    """The caller's, with bytecode allowed: an installed Noria has it."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def command_s(*words: str) -> float:
    """Seconds that a command takes, from exec to exit."""
    start = time.perf_counter()
    subprocess.run([*NORIA, *words], env=environment(), check=True, stdout=subprocess.DEVNULL, timeout=GIVE_UP_S)
    return time.perf_counter() - start


@contextlib.contextmanager
def server(data: str) -> Iterator[tuple[subprocess.Popen[str], float]]:
    """``noria up`` on a free port, and when it was started; stopped in good order."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [*NORIA, "up", "--port", "0", "--data", data], env=environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        yield process, start
    finally:
        process.terminate()
        process.wait(GIVE_UP_S)


def started(data: str, *, idle: bool) -> Started:
    """Start the server once, and stop it."""
    with server(data) as (process, start):
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], GIVE_UP_S)
        line = process.stdout.readline() if readable else ""
        up_s = time.perf_counter() - start
        found = re.search(r"http://[\w.:]+", line)
        if not found:
            sys.exit(f"noria up said {line!r} instead of being ready.")
        with urllib.request.urlopen(f"{found.group()}/readyz", timeout=GIVE_UP_S) as answer:
            assert answer.status == 200
        readyz_s = time.perf_counter() - start
        if idle:
            time.sleep(IDLE_AFTER_S)
        return Started(up_s, readyz_s, tree_bytes(process.pid) / 1e6)


def tree_bytes(pid: int) -> int:
    """Resident memory of a process and all that came of it."""
    root = psutil.Process(pid)
    return sum(process.memory_info().rss for process in [root, *root.children(recursive=True)])


def imports() -> list[Imported]:
    """What the server imports, and how long each takes."""
    said = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", SERVER_IMPORTS],
        env=environment(),
        check=True,
        stderr=subprocess.PIPE,
        text=True,
        timeout=GIVE_UP_S,
    ).stderr
    return parsed_imports(said)


def parsed_imports(said: str) -> list[Imported]:
    """Lines such as ``import time:       533 |      91515 |       duckdb``: microseconds alone, with all, and the name."""
    found = []
    for line in said.splitlines():
        match = re.fullmatch(r"import time: +(\d+) \| +(\d+) \| +(\S+)", line)
        if match:
            found.append(Imported(match[3], int(match[1]) / 1000, int(match[2]) / 1000))
    return found


def by_package(modules: list[Imported]) -> dict[str, float]:
    """Milliseconds of each top package's own modules, most first. Sums to the whole, unlike times with all below."""
    total: dict[str, float] = {}
    for module in modules:
        package = module.name.partition(".")[0]
        total[package] = total.get(package, 0.0) + module.alone_ms
    return dict(sorted(total.items(), key=lambda item: -item[1]))


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    report = Report("Start-up, warm", ["what", "target", "min", "median", "max"], as_json=given.json)
    with tempfile.TemporaryDirectory(prefix="noria-bench-") as data:
        started(data, idle=False)
        command_s("prompts", "list", "--data", data)
        report.add("help s", 0.2, *spread(command_s("--help") for _ in range(given.rounds)))
        report.add("list s", None, *spread(command_s("prompts", "list", "--data", data) for _ in range(given.rounds)))
        starts = [started(data, idle=number == given.rounds - 1) for number in range(given.rounds)]
        report.add("up s", 3.0, *spread(start.up_s for start in starts))
        report.add("readyz s", 3.0, *spread(start.readyz_s for start in starts))
        report.add("idle MB", 250.0, *[starts[-1].idle_mb] * 3)
    report.end()
    imports()
    modules = imports()
    table = Report("Imports of the server, by package", ["package", "ms"], as_json=given.json)
    for package, alone_ms in list(by_package(modules).items())[:15]:
        table.add(package, alone_ms)
    table.end()
    table = Report("Imports of the server, by module", ["module", "alone ms", "with all ms"], as_json=given.json)
    for module in sorted(modules, key=lambda one: -one.alone_ms)[:15]:
        table.add(*module)
    table.end()


if __name__ == "__main__":
    main()
