"""What the evaluation runner adds to the ideal: 1,000 cases against a model that takes 100 ms, 50 at a time.

    python benchmarks/eval_runner.py [--cases 1000] [--latency-ms 100] [--concurrency 50] [--rounds 3]

``function`` calls an awaited function and records in memory: the runner alone. ``http`` calls a fake provider in
another process through Noria's HTTP target (streamed, OpenAI wire) and records in DuckDB: everything that an evaluation
of a remote model does. Ideal is cases / concurrency x latency. CPU is user and system time of this process, all
threads, from the first call to the last durable score. Targets: ratio <= 1.15, CPU <= 3 ms a case.

``bare`` makes the same calls through the same target with nothing recorded or judged: what HTTP and a busy machine cost.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import multiprocessing
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import uvicorn

from noria.core.apps import Variant
from noria.core.datasets import Case
from noria.core.experiments import Experiment, ExperimentSpec, ExperimentVariant, Run
from noria.core.messages import Message
from noria.core.protocols import TraceStore
from noria.core.requests import Request
from noria.core.scores import Score, ScorerSpec, Subject
from noria.core.spans import Span
from noria.evaluate.runner import Ask, run
from noria.stores.traces.duckdb import DuckDBTraces
from noria.stores.traces.memory import MemoryTraces
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


class Exact:
    """The cheapest of judges, so that the runner is seen."""

    name = "exact"
    version = "1"
    needs = frozenset({"output", "reference"})
    better = "higher"

    async def score(self, subject: Subject) -> Score | None:
        """Right or wrong."""
        return Score(scorer=self.name, version=self.version, value=subject.output == subject.reference)


def provider(latency_s: float, port: int) -> None:
    """A model that thinks for ``latency_s`` and then says "positive" in one stream."""
    head = b'data: {"id":"x","object":"chat.completion.chunk","created":0,"model":"fake","choices":['
    chunks = [
        head + b'{"index":0,"delta":{"role":"assistant","content":"positive"},"finish_reason":null}]}\n\n',
        head + b'{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
        head + b'],"usage":{"prompt_tokens":90,"completion_tokens":1,"total_tokens":91}}\n\ndata: [DONE]\n\n',
    ]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        while (await receive()).get("more_body"):
            pass
        await asyncio.sleep(latency_s)
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="error", access_log=False, lifespan="off", backlog=4096)


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


def over_http(session: aiohttp.ClientSession, port: int) -> Ask:
    target = Remote(session, OpenAIChat(), base_url=f"http://127.0.0.1:{port}/v1", provider="fake")

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
    wall, cpu = time.perf_counter(), time.process_time()
    judged = await run(
        experiment,
        cases,
        calls={experiment.runs[0].id: call},
        scorers=[Exact()],
        store=store,
        now=time.time_ns,
        concurrency=setting.concurrency,
    )
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    assert all(one.answered and one.scores["exact"] for one in judged[experiment.runs[0].id])
    return wall, 1000 * cpu / setting.cases


async def measure_bare(setting: Setting, call: Ask, _: TraceStore) -> tuple[float, float]:
    """The same for the calls alone."""
    requests = iter([Request(model="fake/model", variables={"text": f"{n} {TEXT}"}) for n in range(setting.cases)])

    async def work() -> None:
        for request in requests:
            await call(request)

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(setting.concurrency)))
    return time.perf_counter() - wall, 1000 * (time.process_time() - cpu) / setting.cases


@asynccontextmanager
async def function_in_memory(setting: Setting) -> AsyncIterator[tuple[Ask, TraceStore]]:
    yield function(setting.latency_s), MemoryTraces()


@asynccontextmanager
async def http_in_duckdb(setting: Setting) -> AsyncIterator[tuple[Ask, TraceStore]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(target=provider, args=(setting.latency_s, port), daemon=True)
    process.start()
    connector = aiohttp.TCPConnector(limit=0)
    with tempfile.TemporaryDirectory() as folder:
        store = await DuckDBTraces.open(Path(folder) / "traces.duckdb", Path(folder) / "spool")
        try:
            async with aiohttp.ClientSession(connector=connector) as session:
                call = over_http(session, port)
                await until_listening(port)
                yield call, store
        finally:
            await store.close()
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


PATHS: dict[str, tuple[Callable[[Setting], Any], Callable[..., Any]]] = {
    "function": (function_in_memory, measure),
    "bare": (http_in_duckdb, measure_bare),
    "http": (http_in_duckdb, measure),
}


async def main(setting: Setting, rounds: int) -> None:
    print(f"{setting.cases} cases, {1000 * setting.latency_s:.0f} ms, {setting.concurrency} at a time")
    print(f"{'path':<10}{'round':>6}{'ideal s':>10}{'measured s':>12}{'ratio':>8}{'CPU ms/case':>13}")
    for name, (path, measured) in PATHS.items():
        async with path(setting) as (call, store):
            for number in range(1, rounds + 1):
                wall, cpu = await measured(setting, call, store)
                ideal = setting.ideal_s
                print(f"{name:<10}{number:>6}{ideal:>10.2f}{wall:>12.2f}{wall / ideal:>8.2f}{cpu:>13.2f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--latency-ms", type=float, default=100.0)
    parser.add_argument("--concurrency", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    asyncio.run(main(Setting(given.cases, given.latency_ms / 1000, given.concurrency), given.rounds))
