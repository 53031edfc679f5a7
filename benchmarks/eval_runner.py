"""What the evaluation runner adds to the ideal: 1,000 cases against a model that takes 100 ms, 50 at a time.

    python benchmarks/eval_runner.py [--cases 1000] [--latency-ms 100] [--concurrency 50] [--rounds 3] [--json]

Ideal is cases / concurrency x latency. Four ways, each round in the same order:

* ``function``: the runner calls an awaited function and records in memory: the runner alone;
* ``aiohttp``: a bare aiohttp client sends the same bytes to a fake provider in another process and reads the streams
  to their end: what HTTP and this machine cost whatever is done with the answers;
* ``target``: Noria's HTTP target makes the calls (OpenAI wire, streamed); nothing is recorded or judged;
* ``noria``: everything an evaluation of a remote model does, to the last durable score: target, span, scorer, DuckDB.

CPU is user and system time of this process, all threads. Targets for ``noria``: ratio <= 1.15, CPU <= 3 ms a case.
"""

from __future__ import annotations

import asyncio
import math
import multiprocessing
import re
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
from report import Report, arguments, spread

from noria.core.apps import Variant
from noria.core.datasets import Case
from noria.core.experiments import Experiment, ExperimentSpec, ExperimentVariant, Run
from noria.core.messages import Message
from noria.core.protocols import TraceStore
from noria.core.questions import Aggregate, Question
from noria.core.requests import Request
from noria.core.scores import ScorerSpec
from noria.core.spans import Span
from noria.evaluate.running.runner import Ask, run
from noria.scorers.registry import make
from noria.stores.traces.duckdb import DuckDBTraces
from noria.stores.traces.memory import MemoryTraces
from noria.targets.egress import Egress
from noria.targets.recording import random_ids, recorded_call
from noria.targets.remote import Remote
from noria.wires.openai_chat import OpenAIChat

TEXT = "The film was long, and every minute of it was worth the seat. " * 8


class Setting(NamedTuple):
    """What is measured."""

    cases: int
    latency_s: float
    concurrency: int

    @property
    def ideal_s(self) -> float:
        """Wall time if nothing but the model took time, seconds."""
        return math.ceil(self.cases / self.concurrency) * self.latency_s


def provider(latency_s: float, port: int) -> None:
    """A model that thinks for ``latency_s`` and then says "positive" in one stream. HTTP/1.1, as little as will do."""
    start = b'data: {"id":"x","object":"chat.completion.chunk","created":0,"model":"fake","choices":['
    pieces = [
        start + b'{"index":0,"delta":{"role":"assistant","content":"positive"},"finish_reason":null}]}\n\n',
        start + b'{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
        start + b'],"usage":{"prompt_tokens":90,"completion_tokens":1,"total_tokens":91}}\n\ndata: [DONE]\n\n',
        b"",
    ]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    first, *rest = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]

    class Answering(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport, self.got = transport, b""

        def data_received(self, data: bytes) -> None:
            self.got += data
            fields, _, body = self.got.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", fields, re.IGNORECASE)
            if length is not None and len(body) >= int(length[1]):
                self.got = b""
                asyncio.get_running_loop().call_later(latency_s, self.answer)

        def answer(self) -> None:
            self.transport.write(head + first)
            asyncio.get_running_loop().call_soon(self.transport.writelines, rest)

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", port, backlog=4096)
        await server.serve_forever()

    asyncio.run(serve())


def function(latency_s: float) -> Ask:
    async def call(request: Request) -> Span:
        start = time.time_ns()
        await asyncio.sleep(latency_s)
        trace_id, span_id = random_ids()
        return Span(
            trace_id=trace_id,
            span_id=span_id,
            name="chat fake",
            start_ns=start,
            end_ns=time.time_ns(),
            input=(Message(role="user", content=request.variables["text"]),),
            output=(Message(role="assistant", content="positive"),),
            variables=request.variables,
            lineage=request.lineage,
        )

    return call


def remote(egress: Egress, port: int) -> Remote:
    return Remote(egress, OpenAIChat(), base_url=f"http://127.0.0.1:{port}/v1", provider="fake")


def over_http(egress: Egress, port: int) -> Ask:
    target = remote(egress, port)

    async def call(request: Request) -> Span:
        asked = Request(
            model=request.model,
            messages=(Message(role="user", content=request.variables["text"]),),
            params=request.params,
            variables=request.variables,
            lineage=request.lineage,
        )
        span, _ = await recorded_call(target, asked, now=time.time_ns, new_ids=random_ids, price=lambda _: None)
        assert span.status == "ok", span.error_message
        return span

    return call


async def measure(setting: Setting, call: Ask, store: TraceStore) -> tuple[float, float]:
    """Wall seconds of a whole run, and CPU milliseconds a case."""
    variant = ExperimentVariant(name="a", variant=Variant(model="fake/model"))
    experiment = Experiment(
        id=random_ids()[0],
        spec=ExperimentSpec(
            name="overhead",
            dataset_id="dataset",
            variants=(variant,),
            scorers=(ScorerSpec(kind="exact", name="exact"),),
            baseline="a",
        ),
        runs=(Run(id=random_ids()[0], variant_name="a", variant_id=variant.variant.id),),
        status="running",
        created_ns=time.time_ns(),
    )
    cases = [Case(id=f"c{n}", input={"text": f"{n} {TEXT}"}, reference="positive") for n in range(setting.cases)]
    await store.query(Question(measures=(Aggregate(measure="count"),)))  # takes in what an earlier round left
    wall, cpu = time.perf_counter(), time.process_time()
    judged = await run(
        experiment,
        cases,
        calls={experiment.runs[0].id: call},
        scorers=[make(ScorerSpec(kind="exact", name="exact"), ask=None)],
        store=store,
        now=time.time_ns,
        concurrency=setting.concurrency,
    )
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert all(one.answered and one.scores["exact"] for one in judged[experiment.runs[0].id])
    return wall, 1000 * cpu / setting.cases


Calls = Callable[[str], Awaitable[None]]
"""One call without a runner around it: a text, and its answer is read."""


async def measure_calls(setting: Setting, call: Calls) -> tuple[float, float]:
    """The same for calls alone."""
    texts = iter([f"{number} {TEXT}" for number in range(setting.cases)])

    async def work() -> None:
        for text in texts:
            await call(text)

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(setting.concurrency)))
    return time.perf_counter() - wall, 1000 * (time.process_time() - cpu) / setting.cases


def by_aiohttp(session: aiohttp.ClientSession, port: int) -> Calls:
    wire = OpenAIChat()
    url, headers = f"http://127.0.0.1:{port}/v1{wire.path}", wire.headers("")

    async def call(text: str) -> None:
        request = Request(model="model", messages=(Message(role="user", content=text),))
        body = wire.encode_request(request, stream=True, model="model")
        async with session.post(url, data=body, headers=headers) as response:
            assert b"positive" in await response.read()

    return call


def by_target(egress: Egress, port: int) -> Calls:
    target = remote(egress, port)

    async def call(text: str) -> None:
        async for _ in target.call(Request(model="fake/model", messages=(Message(role="user", content=text),))):
            pass

    return call


@asynccontextmanager
async def provider_process(setting: Setting) -> AsyncIterator[int]:
    """The fake provider's port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(target=provider, args=(setting.latency_s, port), daemon=True)
    process.start()
    try:
        await until_listening(port)
        yield port
    finally:
        process.terminate()
        process.join()


async def until_listening(port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def compare(setting: Setting, rounds: int, report: Report) -> None:
    """Every way, round by round."""
    ratios: dict[str, list[float]] = {}
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(provider_process(setting))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        egress = await stack.enter_async_context(aclosing(Egress()))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="noria-bench-")))
        store = await DuckDBTraces.open(folder / "traces.duckdb", folder / "spool")
        stack.push_async_callback(store.close)
        ways: dict[str, Callable[[], Awaitable[tuple[float, float]]]] = {
            "function": lambda: measure(setting, function(setting.latency_s), MemoryTraces()),
            "aiohttp": lambda: measure_calls(setting, by_aiohttp(session, port)),
            "target": lambda: measure_calls(setting, by_target(egress, port)),
            "noria": lambda: measure(setting, over_http(egress, port), store),
        }
        await measure_calls(setting, by_aiohttp(session, port))  # opens the connections
        for number in range(1, rounds + 1):
            for name, measured in ways.items():
                wall, cpu = await measured()
                ratios.setdefault(name, []).append(wall / setting.ideal_s)
                report.add(name, number, setting.ideal_s, wall, wall / setting.ideal_s, cpu)
    for name, found in ratios.items():
        report.note(f"{name}: ratio min {min(found):.2f}, median {spread(found)[1]:.2f}, max {max(found):.2f}.")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--latency-ms", type=float, default=100.0)
    parser.add_argument("--concurrency", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    setting = Setting(given.cases, given.latency_ms / 1000, given.concurrency)
    title = f"Evaluation runner: {given.cases} cases, {given.latency_ms:.0f} ms, {given.concurrency} at a time"
    report = Report(title, ["way", "round", "ideal s", "wall s", "ratio", "CPU ms/case"], as_json=given.json)
    asyncio.run(compare(setting, given.rounds, report))
    report.end()


if __name__ == "__main__":
    main()
