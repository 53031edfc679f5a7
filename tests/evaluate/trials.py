"""What the tests of runner and laboratory try out: a small experiment, a scripted model and simple judges."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

from noria.core.apps import Variant
from noria.core.datasets import Case, dataset_id
from noria.core.experiments import Experiment, ExperimentSpec, ExperimentVariant, Run
from noria.core.messages import Message
from noria.core.requests import Request
from noria.core.scores import Score, ScorerSpec, Subject
from noria.core.spans import Span


def cases(count: int) -> list[Case]:
    return [Case(id=f"c{number}", input={"q": str(number)}, reference=str(number)) for number in range(count)]


def spec(count: int, *names: str, repeats: int = 1, **changes: Any) -> ExperimentSpec:
    return ExperimentSpec(
        name="trial",
        dataset_id=dataset_id(cases(count)),
        variants=tuple(ExperimentVariant(name=name, variant=Variant(model=f"fake/{name}")) for name in names),
        scorers=(ScorerSpec(kind="exact", name="exact"),),
        baseline=names[0],
        repeats=repeats,
        **changes,
    )


def experiment(count: int, *names: str, repeats: int = 1) -> Experiment:
    made = spec(count, *names, repeats=repeats)
    runs = tuple(
        Run(id=f"run-{entry.name}", variant_name=entry.name, variant_id=entry.variant.id) for entry in made.variants
    )
    return Experiment(id="experiment-1", spec=made, runs=runs, status="running", created_ns=0, app="app")


class Ticks:
    """A clock that moves a millisecond whenever it is read."""

    def __init__(self) -> None:
        self._ticks = itertools.count(1_000_000, 1_000_000)

    def __call__(self) -> int:
        return next(self._ticks)


class Model:
    """A model that repeats the question, and keeps every request."""

    def __init__(self, now: Callable[[], int], answer: Callable[[Request], str] = lambda r: r.variables["q"]) -> None:
        self.now = now
        self.answer = answer
        self.requests: list[Request] = []
        self.in_flight = self.most_in_flight = 0
        self._watched: list[tuple[int, asyncio.Event]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.broken: set[str] = set()
        self.cached = False
        self.memory: dict[str, int] = {}
        """Peak memory of the engine behind a model, by the model's name."""

    @property
    def called(self) -> list[tuple[str | None, str | None, int | None]]:
        return [(r.lineage.run_id, r.lineage.case_id, r.lineage.repeat) for r in self.requests]

    async def reached(self, in_flight: int) -> None:
        """Wait until so many calls are in flight."""
        event = asyncio.Event()
        self._watched.append((in_flight, event))
        await event.wait()

    async def __call__(self, request: Request) -> Span:
        self.requests.append(request)
        self.in_flight += 1
        for wanted, event in self._watched:
            if self.in_flight >= wanted:
                event.set()
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(0)
            await self.gate.wait()
        finally:
            self.in_flight -= 1
        return span(request, self.now(), self.answer(request), number=len(self.requests), model=self)


def span(request: Request, now: int, text: str, *, number: int, model: Model | None = None) -> Span:
    failed = model is not None and request.lineage.case_id in model.broken
    return Span(
        trace_id=f"{now:032x}",
        span_id=f"{now:016x}",
        name="chat",
        start_ns=now,
        end_ns=now + 5_000_000,
        status="error" if failed else "ok",
        error_type="call_timeout" if failed else None,
        error_message="The model did not answer in 3 s." if failed else None,
        input=(Message(role="user", content=str(request.variables)),),
        output=() if failed else (Message(role="assistant", content=text),),
        input_tokens=3,
        output_tokens=1,
        cost_usd=0.0,
        cached=model is not None and model.cached,
        lineage=request.lineage,
        attributes=(
            {"noria.engine.peak_rss_bytes": model.memory[request.model] + number}
            if model is not None and request.model in model.memory
            else {}
        ),
    )


class Exact:
    """Right when output and reference are equal; counts what it is shown."""

    better = "higher"
    needs = frozenset({"output", "reference"})

    def __init__(self, name: str = "exact", version: str = "1") -> None:
        self.name = name
        self.version = version
        self.seen: list[str] = []

    async def score(self, subject: Subject) -> Score | None:
        assert subject.case is not None
        self.seen.append(subject.case.id)
        return Score(
            scorer=self.name, version=self.version, value=subject.output == subject.reference, reason="compared"
        )


class Moody(Exact):
    """Fails on c1 and abstains on c2."""

    async def score(self, subject: Subject) -> Score | None:
        assert subject.case is not None
        if subject.case.id == "c1":
            raise ZeroDivisionError("no mood")
        return None if subject.case.id == "c2" else await super().score(subject)
