"""The parent of several processes, with small programs in their place."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from noria.serve.port import bind
from noria.serve.workers import Post, Workers

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows can't hand a socket on this way")

START = """
import os, signal, socket, sys, time
number, listening, lifeline, ready = map(int, sys.argv[1:5])
def note(text):
    with open(sys.argv[5], "a") as file:
        file.write(f"{number} {text}\\n")
def stop(*_):
    note("stopped")
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGHUP, lambda *_: note("hup"))
def say():
    note(f"ready {os.getpid()}")
    os.write(ready, b"I am %d" % number)
"""
WELL = START + "say()\nwhile True: time.sleep(60)"
ANSWERS = (
    START
    + """
door = socket.socket(fileno=listening)
say()
while True:
    caller, _ = door.accept()
    caller.sendall(b"%d" % os.getpid())
    caller.close()
"""
)


class Kept:
    """Workers that run in the background, and what was heard of them."""

    def __init__(self, program: str, folder: Path, *, count: int = 2, stop_s: float = 10) -> None:
        self.bound = bind("127.0.0.1", 0)
        self.notes = folder / "notes"
        self.notes.touch()
        self.ready: list[str] = []

        def command(post: Post) -> tuple[str, ...]:
            numbers = (post.number, post.listening, post.lifeline, post.ready)
            return (sys.executable, "-S", "-c", program, *map(str, numbers), str(self.notes))

        self.workers = Workers(
            command, count, self.bound, os.environ, on_ready=self.ready.append, shortest_wait_s=0.05, stop_s=stop_s
        )

    def said(self, what: str) -> list[list[str]]:
        """The notes of this kind, each with the worker's number first."""
        return [words for line in self.notes.read_text().splitlines() if (words := line.split())[1] == what]

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not true():  # noqa: ASYNC110  # files have no events
                await asyncio.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def is_empty(folder: Path) -> bool:
    return not list(folder.iterdir())


@contextlib.asynccontextmanager
async def running(kept: Kept) -> AsyncIterator[asyncio.Task[int]]:
    """The block may stop them itself."""
    task = asyncio.create_task(kept.workers.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})
        kept.bound.close()


async def test_one_line_when_all_are_ready_and_all_are_told_to_stop(tmp_path: Path) -> None:
    kept = Kept(WELL, tmp_path, count=3)
    async with running(kept) as task:
        await kept.until(lambda: kept.ready)
        assert kept.ready == ["I am 1"]
        assert sorted(words[0] for words in kept.said("ready")) == ["1", "2", "3"]
        kept.workers.tell(signal.SIGHUP)
        await kept.until(lambda: len(kept.said("hup")) == 3)
        task.cancel()
        assert await task == 0
    assert sorted(words[0] for words in kept.said("stopped")) == ["1", "2", "3"]


async def test_what_is_told_while_one_starts_reaches_it_when_it_does(tmp_path: Path) -> None:
    program = START + (
        "if number == 2:\n    note('starts')\n    while not os.path.exists(sys.argv[5] + '-go'): time.sleep(0.01)\n"
        "say()\nwhile True: time.sleep(60)"
    )
    kept = Kept(program, tmp_path)
    async with running(kept):
        await kept.until(lambda: kept.said("starts"))
        kept.workers.tell(signal.SIGHUP)
        kept.workers.tell(signal.SIGHUP)
        await kept.until(lambda: kept.said("hup"))
        assert {words[0] for words in kept.said("hup")} == {"1"}
        kept.notes.with_name("notes-go").touch()
        await kept.until(lambda: ["2", "hup"] in kept.said("hup"))


async def test_to_be_stopped_while_stopping_cuts_no_worker_off(tmp_path: Path) -> None:
    program = START + (
        "def slowly(*_):\n    note('stops')\n    time.sleep(0.3)\n    gone = select.select([lifeline], [], [], 0)[0]\n"
        "    note('orphan' if gone else 'stopped')\n    os._exit(0)\n"
        "import select\nsignal.signal(signal.SIGTERM, slowly)\nsay()\nwhile True: time.sleep(60)"
    )
    kept = Kept(program, tmp_path)
    async with running(kept) as task:
        await kept.until(lambda: kept.ready)
        task.cancel()
        await kept.until(lambda: kept.said("stops"))
        task.cancel()
        assert await task == 0
    assert sorted(words[0] for words in kept.said("stopped")) == ["1", "2"]


async def test_one_that_is_killed_while_it_starts_is_started_again_beside_one_that_answers(tmp_path: Path) -> None:
    program = START + (
        "if number == 2 and 'dies' not in open(sys.argv[5]).read():\n"
        "    note('dies')\n    os.kill(os.getpid(), signal.SIGKILL)\nsay()\nwhile True: time.sleep(60)"
    )
    kept = Kept(program, tmp_path)
    async with running(kept) as task:
        await kept.until(lambda: kept.ready)
        task.cancel()
        assert await task == 0
    assert kept.said("dies") == [["2", "dies"]]
    kept = Kept(START + "os.kill(os.getpid(), signal.SIGKILL)", tmp_path)
    async with running(kept) as task, asyncio.timeout(20):
        assert await task == 1


async def test_who_waits_for_a_killed_worker_is_answered_by_the_next_one(tmp_path: Path) -> None:
    kept = Kept(ANSWERS, tmp_path, count=1)
    address = kept.bound.getsockname()
    async with running(kept):
        await kept.until(lambda: kept.ready)
        pids = []
        for _ in range(3):
            reader, writer = await asyncio.open_connection(*address)
            pids.append(int(await reader.read()))
            writer.close()
            os.kill(pids[-1], signal.SIGKILL)
            await kept.until(lambda: gone(pids[-1]))  # until then it may still accept
        assert len(set(pids)) == 3
    assert kept.ready == ["I am 1"]


async def test_waits_grow_while_a_worker_ends_again_and_again(tmp_path: Path) -> None:
    kept = Kept(
        START + "if number == 2: note(f'at {time.monotonic()}')\nsay()\nif number == 1: time.sleep(60)", tmp_path
    )
    async with running(kept):
        await kept.until(lambda: len(kept.said("at")) == 5)
    times = [float(words[2]) for words in kept.said("at")]
    assert times[4] - times[3] > 0.4  # 0.05, 0.1, 0.2, 0.4
    assert not [words for words in kept.said("ready")[1:] if words[0] == "1"]


async def test_one_that_can_not_start_ends_all_with_its_status(tmp_path: Path) -> None:
    kept = Kept(START + "sys.exit(2)", tmp_path)
    async with running(kept) as task, asyncio.timeout(20):
        assert await task == 2
    kept = Kept(START + "if number == 2: sys.exit(3)\nsay()\ntime.sleep(60)", tmp_path)
    async with running(kept) as task, asyncio.timeout(20):
        assert await task == 3
    assert [words[0] for words in kept.said("stopped")] == ["1"]
    assert kept.ready == []


async def test_one_that_does_not_stop_is_killed_and_told(tmp_path: Path) -> None:
    program = START + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsay()\nwhile True: time.sleep(60)"
    kept = Kept(program, tmp_path, count=2, stop_s=0.3)
    async with running(kept) as task:
        await kept.until(lambda: kept.ready)
        task.cancel()
        async with asyncio.timeout(20):
            assert await task == 1
    assert all(gone(int(pid)) for _, _, pid in kept.said("ready"))


async def test_one_that_is_stopped_while_it_starts_again_has_nothing_to_finish(tmp_path: Path) -> None:
    program = START + (
        "again = 'ready' in open(sys.argv[5]).read()\n"
        "if again: signal.signal(signal.SIGTERM, signal.SIG_DFL); note('again'); time.sleep(60)\nsay()\ntime.sleep(60)"
    )
    kept = Kept(program, tmp_path, count=1)
    async with running(kept) as task:
        await kept.until(lambda: kept.ready)
        os.kill(int(kept.said("ready")[0][2]), signal.SIGKILL)
        await kept.until(lambda: kept.said("again"))
        task.cancel()
        assert await task == 0


async def test_each_has_a_folder_that_is_emptied_when_it_starts_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    program = START + (
        "folder = os.environ['TMPDIR']\nnote(f'folder {folder} {len(os.listdir(folder))}')\n"
        "open(folder + '/left', 'w').close()\nsay()\ntime.sleep(60)"
    )
    kept = Kept(program, tmp_path)
    async with running(kept):
        await kept.until(lambda: kept.ready)
        os.kill(int(kept.said("ready")[0][2]), signal.SIGKILL)
        await kept.until(lambda: len(kept.said("ready")) == 3)
    folders = [(words[0], words[2], words[3]) for words in kept.said("folder")]
    assert [found for _, _, found in folders] == ["0", "0", "0"]
    assert folders[2][:2] == folders[0][:2]
    assert folders[1][1] != folders[0][1]
    assert is_empty(tmp_path / "tmp")


def test_they_notice_that_the_parent_was_killed(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    program = START + "say()\nos.read(lifeline, 1)\nnote('orphan')"
    parent = f"""
import asyncio, os, sys
from noria.serve.port import bind
from noria.serve.workers import Workers
def command(post):
    numbers = (post.number, post.listening, post.lifeline, post.ready)
    return (sys.executable, "-S", "-c", {program!r}, *map(str, numbers), {str(notes)!r})
ready = lambda line: print(line, file=sys.stderr, flush=True)
asyncio.run(Workers(command, 2, bind("127.0.0.1", 0), os.environ, on_ready=ready).run())
"""
    environ = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environ
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"I am 1\n"
        process.kill()
    deadline = time.monotonic() + 20
    while sorted(notes.read_text().splitlines())[::2] != ["1 orphan", "2 orphan"]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
