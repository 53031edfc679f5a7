"""Kills the server again and again while clients send, and counts what it had acknowledged.

    python benchmarks/kill_harness.py [--mode kill|term|power|full|error|all] [--cycles 50] [--seed N] [--workers N]
                                    [--keep DIR] [--json]

Four clients send spans by OTLP (batches of 20, or of one), one calls a model through the gateway, whole and streamed,
one gives scores. Each writes down what it was told is kept. A client whose request got no answer sends the same again
half of the time, as exporters do. The server is stopped at a random moment: while it starts, under load, or while it
closes. In the end the ledger is compared with the store, opened by its own door: every acknowledged record must be there
exactly once, every other one at most once.

    kill    SIGKILL
    term    SIGTERM; it has to end by itself within its bound, with status 0
    power   SIGKILL, and then the data folder becomes what its fsyncs had made durable (see durable/power.py)
    full    the disk fills up and gets room again under load, with SIGKILL: a small tmpfs where this user may mount one,
            else a limit on the size of every file. In every other cycle nothing is kept free, so that the disk is
            really full under the spool and the store
    error   one fsync in twenty fails with EIO, with SIGKILL
    all     all of them, one after another

With ``--workers`` the server is several processes on the one folder: a worker is killed alone now and then, and all of them
in any order.

``weaker`` is no mode of the proof but of the harness: ``power`` against ``durability = "os"``. It must find losses.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from durable.batches import Batches
from durable.ledger import Ledger, Verdict, on_record
from durable.power import PowerCut
from durable.server import Server
from durable.watched import Answer, Synced, supported
from report import Report, arguments

MODES = ("kill", "term", "power", "full", "error")
LONGEST_LOAD_S = 2.5
"""Longest time under load before a stop."""
STOP_S = 30.0
"""A server that was asked to stop has to have ended by then."""
FULL_S = 1.0
"""How long the disk is full before it gets room again."""
SMALL_DISK_MB = 160
"""Size of the disk that gets full."""
Client = Callable[[], Awaitable[None]]


class Load:
    """The clients.

    Arguments:
        server: whom they talk to; it comes and goes.
        ledger: takes what they send and what they are told.
        pause_s: how long each rests between two requests.
        chance: decides.
    """

    def __init__(self, server: Server, ledger: Ledger, pause_s: float, chance: random.Random) -> None:
        self._server = server
        self._ledger = ledger
        self._pause_s = pause_s
        self._chance = chance
        self.refused = 0
        """Answers that said no, in good order: 429 or 503."""
        self.strange: list[str] = []
        """Answers that no client should get."""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send until the block ends."""
        timeout = aiohttp.ClientTimeout(total=20)
        async with aiohttp.ClientSession(headers=self._server.headers, timeout=timeout) as session:
            clients = [*(self._spans(session, size) for size in (20, 20, 20, 1)), self._calls(session)]
            tasks = [asyncio.create_task(client) for client in [*clients, self._scores(session)]]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                ends = await asyncio.gather(*tasks, return_exceptions=True)
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _spans(self, session: aiohttp.ClientSession, size: int) -> None:
        batches = Batches(size, kinds=5)
        headers = {"content-type": "application/x-protobuf"}
        while True:
            batch = batches.new()
            ids = [f"{trace}/{span}" for trace, span in batch.keys]
            await self._send(session, "span", ids, "/v1/traces", data=batch.body, headers=headers)

    async def _calls(self, session: aiohttp.ClientSession) -> None:
        while True:
            trace, stream = self._hex(32), self._chance.random() < 0.5
            call = {"model": "up/m", "messages": [{"role": "user", "content": "hi"}], "stream": stream}
            headers = {"traceparent": f"00-{trace}-{self._hex(16)}-01"}
            end = b"data: [DONE]" if stream else b"}"
            await self._send(session, "call", [trace], "/v1/chat/completions", end=end, json=call, headers=headers)

    async def _scores(self, session: aiohttp.ClientSession) -> None:
        while True:
            given = [{"name": self._hex(8), "value": 0.5, "trace_id": self._hex(32), "id": "1"} for _ in range(3)]
            ids = [f"{one['trace_id']}/{one['name']}/{one['value']}" for one in given]
            await self._send(session, "score", ids, "/api/scores", json=given)

    async def _send(
        self, session: aiohttp.ClientSession, kind: str, ids: list[str], path: str, end: bytes = b"", **request: Any
    ) -> None:
        self._ledger.sent(kind, ids)
        while True:
            await asyncio.sleep(self._pause_s * self._chance.random() * 2)
            try:
                async with session.post(self._server.url + path, **request) as response:
                    body = await response.read()
                    status = response.status
            except (aiohttp.ClientError, TimeoutError):
                # A call of the gateway is not sent again: a second call is a second record.
                if kind == "call" or self._chance.random() < 0.5:
                    return
                await asyncio.sleep(0.1)
                continue
            if status in {200, 201}:
                if body.rstrip().endswith(end):  # a stream without its end was cut: nobody was told that it is kept
                    self._ledger.kept(kind, ids)
                return
            if status not in {429, 503}:
                self.strange.append(f"{path}: {status} {body[:200]!r}")
                return
            if "retry-after" not in response.headers:
                self.strange.append(f"{path}: {status} without Retry-After")
            self.refused += 1
            await asyncio.sleep(0.2)
            if kind == "call":
                return

    def _hex(self, digits: int) -> str:
        return f"{self._chance.getrandbits(4 * digits):0{digits}x}"


@contextlib.asynccontextmanager
async def model_server() -> AsyncIterator[str]:
    """A model that answers ``yes``, whole or streamed; its base URL."""

    async def answer(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
        head = {"id": "x", "created": 1, "model": "m"}
        message = {"role": "assistant", "content": "yes"}
        if not asked.get("stream"):
            choice = {"index": 0, "finish_reason": "stop", "message": message}
            return web.json_response(head | {"object": "chat.completion", "choices": [choice], "usage": usage})
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for delta, reason in ((message, None), ({}, "stop")):
            choice = {"index": 0, "delta": delta, "finish_reason": reason}
            chunk = head | {"object": "chat.completion.chunk", "choices": [choice]}
            await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response

    application = web.Application()
    application.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


class Trial:
    """One mode, from an empty data folder to the verdict.

    Arguments:
        mode: how the server is stopped.
        folder: where everything is kept.
        cycles: how many times.
        seed: of every choice, but not of the machine's own timing.
        pause_s: how long clients rest.
    """

    def __init__(self, mode: str, folder: Path, cycles: int, seed: int, pause_s: float, *, workers: int = 1) -> None:
        self._mode = mode
        self._workers = workers
        self._cycles = cycles
        self._pause_s = pause_s
        self._chance = random.Random(f"{mode} {seed}")
        self._clients_chance = random.Random(seed)  # of its own: how often clients ask it is up to the machine
        self._data = folder / "disk" / "data"
        self._ballast = folder / "disk" / "ballast"
        self._log = folder / "server.log"
        self._cut = PowerCut(self._data, folder / "durable", random.Random(seed))
        self.ledger = Ledger()
        self.stops: dict[str, int] = {}
        """Stops by the moment at which they came."""
        self.starts_s: list[float] = []
        """How long each start took that was let end."""
        self.cut_bytes = 0.0
        """Bytes of unfinished appends that starts have cut off."""
        self.damaged_bytes = 0.0
        """Bytes that starts found unreadable between whole appends."""
        self.failed_starts = 0
        """Starts that said no, because of a disk that was full or failed."""
        self.failed_syncs = 0
        """Syncs that were made to fail."""
        self.load: Load | None = None

    @property
    def dropped(self) -> str:
        """What was done to the disk, in words."""
        if self.failed_syncs or self.failed_starts:
            return f" {self.failed_syncs} syncs and {self.failed_starts} starts failed."
        if self._cut.syncs:
            return (
                f" {self._cut.syncs:,} syncs watched, {self._cut.dropped_bytes:,} unsynced bytes of the spool dropped."
            )
        return ""

    async def run(self) -> list[Verdict]:
        """All cycles, then the last start and the comparison."""
        self._data.parent.mkdir(parents=True)
        async with model_server() as model:
            with self._small_disk():
                providers = json.dumps({"up": {"base_url": model, "attempts": 1}})
                settings = {"NORIA_PROVIDERS": providers, "NORIA_LOG_LEVEL": "info", "NORIA_KEEP_FREE_MB": "20"}
                if self._mode == "weaker":
                    settings["NORIA_DURABILITY"] = "os"
                server = Server(self._data, self._log, settings, workers=self._workers)
                self._cut.begin()
                self.load = Load(server, self.ledger, self._pause_s, self._clients_chance)
                try:
                    async with self.load.running():
                        for number in range(self._cycles):
                            await self._cycle(server, number)
                    await self._end(server)
                finally:
                    if server.alive():
                        server.kill()
                return self.ledger.against(await on_record(self._data, {}))

    async def _cycle(self, server: Server, number: int) -> None:
        """One start and one stop."""
        really = self._mode == "full" and number % 2 == 1
        largest = (1 << 20) + self._chance.randrange(8 << 20) if really and not self._mounted else None
        server.start(
            settings={"NORIA_KEEP_FREE_MB": "0"} if really else {}, answer=self._answer(), largest_file=largest
        )
        if self._mode != "term" and self._chance.random() < 0.15:
            moment = "start"
            await asyncio.sleep(self._chance.random() * (statistics.median(self.starts_s) if self.starts_s else 1.0))
        else:
            moment = await self._under_load(server, really)
            if not moment:
                return
        if self._mode == "term":
            status = await asyncio.to_thread(server.ended, STOP_S)
            if status:
                sys.exit(f"After SIGTERM the server ended with status {status}; its log is {self._log}.")
        else:
            await asyncio.to_thread(server.kill, self._chance)
        if really or self._chance.random() < 0.5:
            self._make_room()  # else the next start has a disk without room for records
        if self._mode in {"power", "weaker"}:
            await asyncio.to_thread(self._cut.cut)
            await asyncio.to_thread(self._cut.begin)
        self.stops[moment] = self.stops.get(moment, 0) + 1

    async def _under_load(self, server: Server, really: bool) -> str:
        """Until just before the kill; the moment at which it comes, empty when the server did not start."""
        if not await self._is_up(server):
            self._make_room()
            return ""
        numbers = await asyncio.to_thread(server.metrics)
        self.cut_bytes += numbers["noria_spool_cut_bytes_total"]
        self.damaged_bytes += numbers["noria_spool_damaged_bytes_total"]
        await asyncio.sleep(self._chance.random() * LONGEST_LOAD_S)
        if self._workers > 1 and self._chance.random() < 0.5:
            server.kill_worker(self._chance)
            await asyncio.sleep(self._chance.random() * LONGEST_LOAD_S)
        if self._mounted:
            await self._fill(really)
        if self._mode != "term" and self._chance.random() < 0.75:
            return "load"
        server.signal(signal.SIGTERM)
        if self._mode != "term":
            await asyncio.sleep(self._chance.random())
        return "close"

    async def _fill(self, really: bool) -> None:
        """Take all room of the disk but a little; half of the time it gets room again under load."""
        disk = self._data.parent
        left = (0 if really else 20 << 20) + self._chance.randrange(3 << 20)
        with contextlib.suppress(OSError), self._ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, shutil.disk_usage(disk).free - left))
        await asyncio.sleep(FULL_S)
        if self._chance.random() < 0.5:
            self._make_room()
            await asyncio.sleep(self._chance.random() * LONGEST_LOAD_S)

    def _make_room(self) -> None:
        self._ballast.unlink(missing_ok=True)

    async def _is_up(self, server: Server) -> bool:
        took = await asyncio.to_thread(server.wait_ready)
        if took is not None:
            self.starts_s.append(took)
            return True
        if self._mode not in {"full", "error"}:
            sys.exit(f"The server ended instead of being ready; its log is {self._log}.")
        self.failed_starts += 1
        return False

    async def _end(self, server: Server) -> None:
        """Once more in good order, so that everything in the spool is taken in."""
        self._make_room()
        server.start()
        if not await self._is_up(server):
            sys.exit(f"The last start failed, and nothing was wrong with the disk; the log is {self._log}.")
        self.cut_bytes += (await asyncio.to_thread(server.metrics))["noria_spool_cut_bytes_total"]
        server.signal(signal.SIGTERM)
        await asyncio.to_thread(server.ended, STOP_S)

    def _answer(self) -> Answer | None:
        if self._mode in {"power", "weaker"}:
            return self._cut.synced
        if self._mode == "error":
            return self._fail_some
        return None

    def _fail_some(self, call: Synced) -> int:
        if call.path.startswith(str(self._data)) and self._chance.random() < 0.05:
            self.failed_syncs += 1
            return errno.EIO
        return 0

    _mounted = False

    @contextlib.contextmanager
    def _small_disk(self) -> Iterator[None]:
        if self._mode != "full":
            yield
            return
        disk = str(self._data.parent)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_MB}m", "noria-harness", disk]
        with contextlib.suppress(OSError):
            self._mounted = subprocess.run(mount, check=False, capture_output=True).returncode == 0
        try:
            yield
        finally:
            if self._mounted:
                subprocess.run(["umount", "--lazy", disk], check=True)  # the store's maps of files go a little later


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--mode", choices=[*MODES, "weaker", "all"], default="kill")
    parser.add_argument("--cycles", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--pause", type=float, default=0.01, help="mean seconds that a client rests between requests")
    parser.add_argument("--workers", type=int, default=1, help="processes that answer calls")
    parser.add_argument("--keep", type=Path, help="a new folder that keeps data and log; by default none is kept")
    given = parser.parse_args()
    columns = ["records", "acknowledged", "found", "lost", "doubled", "unanswered", "foreign"]
    report = Report(f"{given.cycles} stops a mode, seed {given.seed}", columns, as_json=given.json)
    bad = False
    for mode in MODES if given.mode == "all" else (given.mode,):
        if mode in {"power", "error", "weaker"} and not supported():
            sys.exit(f"{mode} needs Linux 5.5 with seccomp's user notifications.")
        with tempfile.TemporaryDirectory(prefix="noria-kill-") as place:
            folder = (given.keep or Path(place)) / mode
            folder.mkdir(parents=True)
            trial = Trial(mode, folder, given.cycles, given.seed, given.pause, workers=given.workers)
            began = time.perf_counter()
            verdicts = asyncio.run(trial.run())
            took = time.perf_counter() - began
        for one in verdicts:
            report.add(f"{mode}: {one.kind}s", *one[1:])
        assert trial.load is not None
        stops = ", ".join(f"{count} at {moment}" for moment, count in sorted(trial.stops.items()))
        report.note(
            f"{mode}: {sum(trial.stops.values())} stops ({stops}) in {took:.0f} s; {trial.load.refused} requests refused;"
            f" {trial.cut_bytes:,.0f} torn bytes cut, {trial.damaged_bytes:,.0f} unreadable; start"
            f" {statistics.median(trial.starts_s):.2f} s median, {max(trial.starts_s):.2f} s longest." + trial.dropped
        )
        for sentence in trial.load.strange[:5]:
            report.note(f"Strange: {sentence}")
        silent = [one.kind for one in verdicts if not one.acknowledged]
        for kind in silent:
            report.note(f"{mode}: no {kind} was ever acknowledged, so nothing is proved of them.")
        wrong = any(one.lost or one.doubled or one.foreign for one in verdicts) or bool(trial.load.strange or silent)
        bad = bad or (wrong if mode != "weaker" else not any(one.lost for one in verdicts))
    report.end()
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
