"""Whether evaluating through Noria keeps a local engine as busy as calling it directly.

    python benchmarks/engine_busy.py [--pairs 8] [--cases 24] [--tokens 32] [--concurrency 4] [--json]

``direct`` sends the requests with a bare aiohttp client and reads the streams to their end: nothing is recorded or
judged. ``asking`` is the same questions as an experiment of a whole workspace (catalogue, target stack, DuckDB trace
store, two scorers), from the first call's start to the last one's end; ``whole`` adds what surrounds them: reading the
cases, the last durable score, the statistics and the saved results. Target: ``asking`` at least 95 % of ``direct``.

What makes the sides equal: two engines of the same weights and flags, of which one sleeps while the other works; the
very bytes that Noria's wire would send; connections that are not kept, as Noria does with llama.cpp; greedy answers of
exactly ``--tokens`` tokens (``ignore_eos``). llama.cpp's prompt cache is on for both, as users have it, but no prompt
comes twice: each engine sees each question once, in the same order, and each begins with a different word, so that both
can keep the same thing, the chat template's head. The order changes with each pair (direct first, Noria first, ...).

``CPU ms`` is what a case costs this process, the engine not counted: the part of a ratio that a busy machine can't blur.

The weights (98 MB) are fetched once, into a folder that is kept: ``--weights``, by default one among the temporary
files. ``--wait-policy active`` measures llama.cpp's threads spinning at barriers instead of sleeping.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple

import aiohttp
import msgspec
import structlog
from report import Report, arguments, spread

from noria.assemble import Workspace, open_workspace
from noria.core.datasets import Case
from noria.core.experiments import ExperimentSpec, ExperimentVariant
from noria.core.messages import Message
from noria.core.models import EngineOptions
from noria.core.protocols import Endpoint
from noria.core.questions import Filter, Question
from noria.core.requests import Parameters, Request
from noria.core.scores import ScorerSpec
from noria.engines.llamacpp import LlamaCpp
from noria.engines.weights import pull
from noria.settings import Settings
from noria.stores.blobs import Blobs
from noria.wires.openai_chat import OpenAIChat

MODEL = "smollm2-135m"
WORDS = [
    "amber",
    "basil",
    "cedar",
    "daisy",
    "ember",
    "fennel",
    "grove",
    "hazel",
    "iris",
    "juniper",
    "kelp",
    "lotus",
    "maple",
    "nettle",
    "olive",
    "poplar",
]
TOPICS = ["a river that turns a wheel", "how bread is made", "why leaves fall", "a letter to a friend", "old maps"]


class Side(NamedTuple):
    """One side's work on the same questions."""

    tokens: int
    asking_s: float
    whole_s: float
    cpu_ms: float
    """Of this process, a case; the engine has its own."""


class Ask(NamedTuple):
    """What every call has in common."""

    tokens: int
    concurrency: int

    @property
    def params(self) -> Parameters:
        """Greedy, and as long as asked for whatever the model would say."""
        return Parameters(temperature=0.0, max_tokens=self.tokens, extra={"ignore_eos": True})


def questions(count: int) -> list[str]:
    """Questions that were never asked before, each different from its first word on."""
    made = []
    for number in range(count):
        head = f"{WORDS[number % len(WORDS)].capitalize()} {secrets.token_hex(3)} {number}."
        made.append(
            f"{head} Write some sentences about {TOPICS[number % len(TOPICS)]}, plain and friendly ones, please."
        )
    return made


class Direct:
    """An engine, asked without Noria.

    Arguments:
        session: one that keeps no connections, as Noria's to llama.cpp.
        endpoint: where the engine listens.
        ask: what every call has in common.
    """

    def __init__(self, session: aiohttp.ClientSession, endpoint: Endpoint, ask: Ask) -> None:
        self._session = session
        self._endpoint = endpoint
        self._ask = ask

    async def evaluate(self, asked: Sequence[str]) -> Side:
        """Ask the questions."""
        wire, model = OpenAIChat(), self._endpoint.model
        requests = [
            Request(model=model, messages=(Message(role="user", content=text),), params=self._ask.params)
            for text in asked
        ]
        bodies = iter([wire.encode_request(request, stream=True, model=model) for request in requests])
        url, headers = self._endpoint.base_url + wire.path, wire.headers(self._endpoint.api_key)

        async def work() -> int:
            tokens = 0
            for body in bodies:
                async with self._session.post(url, data=body, headers=headers) as response:
                    assert response.status == 200, await response.text()
                    tokens += generated(await response.read())
            return tokens

        start, cpu = time.perf_counter(), time.process_time()
        tokens = sum(await asyncio.gather(*(work() for _ in range(self._ask.concurrency))))
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
        return Side(tokens, wall, wall, 1000 * cpu / len(asked))


def generated(stream: bytes) -> int:
    """Tokens that a stream says were generated: ``usage`` of its last chunk."""
    for line in reversed(stream.splitlines()):
        if line.startswith(b"data: {"):
            usage = msgspec.json.decode(line.removeprefix(b"data: ")).get("usage")
            if usage:
                return int(usage["completion_tokens"])
    raise ValueError("The engine told no usage.")


class Noria:
    """Evaluation through a whole workspace.

    Arguments:
        workspace: an open one that has the model.
        ask: what every call has in common.
    """

    def __init__(self, workspace: Workspace, ask: Ask) -> None:
        self._workspace = workspace
        self._ask = ask

    async def evaluate(self, asked: Sequence[str]) -> Side:
        """Ask the questions as an experiment, from reading its cases to its saved results."""
        workspace, ask = self._workspace, self._ask
        cases = [Case(id=f"c{number}", input={"text": text}, reference="yes") for number, text in enumerate(asked)]
        start, cpu = time.perf_counter(), time.process_time()
        dataset = workspace.datasets.put("questions", cases)
        variant = workspace.variants.make(model=f"local/{MODEL}", prompt=None, params=ask.params)
        spec = ExperimentSpec(
            name="busy",
            dataset_id=dataset.id,
            variants=(ExperimentVariant(name="plain", variant=variant),),
            scorers=(ScorerSpec(kind="exact", name="exact"), ScorerSpec(kind="latency", name="latency")),
            baseline="plain",
        )
        begun = await workspace.laboratory.start(spec, by="benchmark", concurrency=ask.concurrency)
        ended = await workspace.laboratory.wait(begun.id)
        whole_s, cpu = time.perf_counter() - start, time.process_time() - cpu
        assert ended.status == "finished", ended.error
        mine = (Filter(column="run_id", value=ended.runs[0].id),)
        spans = await workspace.traces.spans(Question(where=mine, limit=None))
        assert len(spans) == len(asked)
        asking_s = (max(span.end_ns for span in spans) - min(span.start_ns for span in spans)) / 1e9
        return Side(sum(span.output_tokens or 0 for span in spans), asking_s, whole_s, 1000 * cpu / len(asked))


@contextlib.asynccontextmanager
async def sides(weights: Path, ask: Ask) -> AsyncIterator[tuple[Direct, Noria]]:
    """Both sides, each with an engine of its own that is loaded and has answered once."""
    options = EngineOptions(context=1024, slots=ask.concurrency)
    blobs = Blobs(weights)
    model = await pull(MODEL, blobs=blobs, now=time.time_ns, progress=lambda *_: None, options=options)
    async with contextlib.AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="noria-bench-"))
        engine = LlamaCpp(
            Path(blobs.path(model.sha256)), model=MODEL, options=options, log_folder=Path(folder) / "direct"
        )
        stack.push_async_callback(engine.stop)
        session = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True))
        )
        settings = Settings(data=f"{folder}/data", blobs=str(weights))
        workspace = await stack.enter_async_context(open_workspace(settings, {}, holder="benchmark"))
        workspace.catalogue.models.put(model)
        direct, noria = Direct(session, await engine.start(), ask), Noria(workspace, ask)
        await direct.evaluate(questions(ask.concurrency))
        await noria.evaluate(questions(ask.concurrency))
        yield direct, noria


async def measure(weights: Path, ask: Ask, *, pairs: int, cases: int, report: Report, within_s: float) -> None:
    """Alternate the sides, and compare them pair by pair."""
    asking: list[float] = []
    whole: list[float] = []
    async with sides(weights, ask) as (direct, noria):
        end = time.monotonic() + within_s
        for pair in range(pairs):
            if pair and time.monotonic() > end:
                report.note(
                    f"Stopped after {pair} of {pairs} pairs: the machine is slow, and {within_s:.0f} s are over."
                )
                break
            asked = questions(cases)
            if pair % 2:
                through = await noria.evaluate(asked)
                bare = await direct.evaluate(asked)
            else:
                bare = await direct.evaluate(asked)
                through = await noria.evaluate(asked)
            assert bare.tokens == through.tokens, "The sides did not do the same work."
            speed = bare.tokens / bare.whole_s
            asking.append(through.tokens / through.asking_s / speed)
            whole.append(through.tokens / through.whole_s / speed)
            report.add(f"pair {pair + 1}", speed, asking[-1], whole[-1], bare.cpu_ms, through.cpu_ms)
    for name, ratios in (("asking / direct", asking), ("whole / direct", whole)):
        low, middle, high = spread(ratios)
        report.note(f"{name}: min {low:.3f}, median {middle:.3f}, max {high:.3f}.")


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=8, help="an even number gives each side the same turns")
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--concurrency", type=int, default=4, help="calls at a time, and slots of the engine")
    parser.add_argument("--within", type=float, default=90.0, help="seconds after which no pair is begun")
    parser.add_argument("--wait-policy", choices=["passive", "active"], default="passive")
    parser.add_argument("--weights", type=Path, default=Path(tempfile.gettempdir()) / "noria-bench-weights")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    os.environ["OMP_WAIT_POLICY"] = given.wait_policy  # the engines' processes inherit it
    columns = ["what", "direct tok/s", "asking / direct", "whole / direct", "direct CPU ms", "Noria CPU ms"]
    title = f"Engine busy: {given.cases} cases of {given.tokens} tokens, {given.concurrency} at a time, OpenMP waits {given.wait_policy}"
    report = Report(title, columns, as_json=given.json)
    ask = Ask(given.tokens, given.concurrency)
    asyncio.run(measure(given.weights, ask, pairs=given.pairs, cases=given.cases, report=report, within_s=given.within))
    report.end()


if __name__ == "__main__":
    main()
