"""Experiments under way: started, watched, stopped, resumed, and concluded.

One laboratory per process that owns the records. It knows what an experiment's life looks like; how cases, scorers and
calls come about is handed in.
"""

from __future__ import annotations

import asyncio
import builtins
import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec
import structlog

from noria.core.datasets import Case
from noria.core.errors import Conflict, InvalidInput, NoriaError
from noria.core.experiments import Experiment, ExperimentSpec, ExperimentStatus, ExperimentVariant, Run
from noria.core.protocols import Clock, TraceStore
from noria.core.results import Progress, Results
from noria.core.scores import Scorer, ScorerSpec
from noria.evaluate.findings.conclude import check_spec, conclude, failed_calls
from noria.evaluate.running.asking import check_asks
from noria.evaluate.running.runner import GRACE_S, Ask, run

log = structlog.get_logger(__name__)

_RECENT = 1_000


class Held(Protocol):
    """Something that this process alone does."""

    def release(self) -> None:
        """Let others have it."""
        ...


class _Alone:
    """What a process holds that shares its records with no other."""

    def release(self) -> None:
        """Nobody waits for it."""


class Experiments(Protocol):
    """Where experiments are kept; the catalogue's ``experiments``. Called from worker threads."""

    def save(self, experiment: Experiment) -> None:
        """Insert, or replace what has its id."""
        ...

    def get(self, ref: str, /) -> Experiment:
        """By id. Raises ``UnknownName``."""
        ...

    def list(self, limit: int, /) -> builtins.list[Experiment]:
        """The newest, newest first."""
        ...

    def unfinished(self, spec_id: str, /) -> Experiment | None:
        """The newest one of this spec that is not finished."""
        ...


@dataclass(kw_only=True)
class _Work:
    """An experiment under way."""

    experiment: Experiment
    cases: Sequence[Case]
    scorers: Sequence[Scorer]
    calls: dict[str, Ask]
    concurrency: int
    held: Held
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[Experiment]


@dataclass(kw_only=True)
class Laboratory:
    """Runs experiments as asyncio tasks of this process.

    Arguments:
        experiments: where they are kept.
        store: where spans and scores go, and where a resumed experiment finds them.
        load_cases: the cases of a data set, by its id; called in a thread. Raises ``UnknownName``.
        make_scorer: a scorer from what names it. Raises ``InvalidInput``.
        make_call: how to call a variant; the flag says whether replies may come from the cache. See
            :data:`noria.evaluate.running.runner.Ask` for what it must do.
        now: the time.
        new_id: a fresh opaque id.
        environment: what repeating an experiment needs, kept with it; called in a thread when one starts.
        hold: takes an experiment for this process; None while another has it. Called in a thread; by default there is no
            other.
        grace_s: how long calls in flight may take after a stop, seconds.
    """

    experiments: Experiments
    store: TraceStore
    load_cases: Callable[[str], Sequence[Case]]
    make_scorer: Callable[[ScorerSpec], Scorer]
    make_call: Callable[[ExperimentVariant, bool], Ask]
    now: Clock
    new_id: Callable[[], str]
    environment: Callable[[], dict[str, Any]]
    hold: Callable[[str], Held | None] = lambda _: _Alone()
    grace_s: float = GRACE_S
    _works: dict[str, _Work] = field(default_factory=dict, init=False)
    _progress: dict[str, Progress] = field(default_factory=dict, init=False)
    _unsaved: dict[str, NoriaError] = field(default_factory=dict, init=False)
    """Experiments whose end could not be recorded, with why: their record says that they run, and they don't."""
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def start(
        self, spec: ExperimentSpec, *, by: str, app: str | None = None, concurrency: int = 4, fresh: bool = False
    ) -> Experiment:
        """Start an experiment, or go on with the unfinished one of the same spec and app.

        Finished calls of an unfinished experiment are never called again; failed ones are. One that is under way in
        this process is joined.

        Arguments:
            by: who starts it.
            app: the app it is run for.
            concurrency: most calls at the same time.
            fresh: start anew, whatever is unfinished.

        Raises:
            UnknownName, InvalidInput: data set, model, scorer or options are wrong; nothing was saved.
            Conflict: another process runs it.
        """
        async with self._starting:
            found = None if fresh else await self._unfinished(spec, app)
            if found is not None and found.id in self._works:
                work = self._works[found.id]
                if not work.stop.is_set():
                    return work.experiment
                found = await asyncio.shield(work.task)  # it is stopping; go on from where it stopped
            cases = (await asyncio.to_thread(self.load_cases, spec.dataset_id))[: spec.limit]
            if not cases:
                raise InvalidInput(f"The data set {spec.dataset_id} has no cases to try.")
            scorers = [self.make_scorer(scorer) for scorer in spec.scorers]
            check_spec(spec, scorers)
            await asyncio.to_thread(check_asks, cases, [entry.variant for entry in spec.variants])
            asks = [self.make_call(variant, spec.cache) for variant in spec.variants]
            if found is None:
                experiment = self._new(spec, by=by, app=app)
            else:
                experiment = msgspec.structs.replace(found, status="running", error="", finished_ns=None)
            environment = await asyncio.to_thread(self.environment)
            experiment = msgspec.structs.replace(experiment, environment=environment)
            held = await asyncio.to_thread(self.hold, experiment.id)
            if held is None:
                raise Conflict(
                    f"The experiment {experiment.id} is run by another process.",
                    kept="Nothing was changed.",
                    hint="Wait for it, or start it anew.",
                )
            try:
                await asyncio.to_thread(self.experiments.save, experiment)
            except BaseException:
                held.release()
                raise
            calls = {part.id: ask for part, ask in zip(experiment.runs, asks, strict=True)}
            self._begin(experiment, cases, scorers, calls, held, concurrency=concurrency)
            return experiment

    def progress(self, id: str) -> Progress:
        """How far an experiment is; of one that this process did not run, as far as its results tell.

        Raises:
            UnknownName: there is no such experiment.
            StorageFull, Unavailable: its end could not be recorded.
        """
        self._raise_unsaved(id)
        if id in self._progress:
            return self._progress[id]
        results = self.experiments.get(id).results or Results(runs=())
        calls = sum(one.calls for one in results.runs)
        cached = sum(one.cached for one in results.runs)
        total = calls + results.errors
        return Progress(run="", done=total, total=total, errors=results.errors, cached=cached)

    async def stop(self, id: str) -> Experiment:
        """Begin no more calls, wait for those in flight, and leave the experiment to be resumed.

        Raises:
            UnknownName: there is no such experiment.
        """
        if id in self._works:
            self._works[id].stop.set()
        return await self.wait(id)

    async def wait(self, id: str) -> Experiment:
        """The experiment, once it is no longer under way.

        Raises:
            UnknownName: there is no such experiment.
            StorageFull, Unavailable: its end could not be recorded.
        """
        if id in self._works:
            return await asyncio.shield(self._works[id].task)
        self._raise_unsaved(id)
        return await asyncio.to_thread(self.experiments.get, id)

    def _raise_unsaved(self, id: str) -> None:
        if id in self._unsaved:
            raise copy.copy(self._unsaved[id])  # a shared exception would collect all tracebacks

    async def close(self) -> None:
        """Stop everything that is under way; all of it can be resumed."""
        async with self._starting:
            works = list(self._works.values())
            for work in works:
                work.stop.set()
            await asyncio.gather(*(work.task for work in works), return_exceptions=True)

    async def recover(self) -> list[Experiment]:
        """At the start of a process: what a killed one left running, now interrupted. Looks at the newest thousand."""
        found = []
        for experiment in await asyncio.to_thread(self.experiments.list, _RECENT):
            if experiment.status != "running" or experiment.id in self._works:
                continue
            held = await asyncio.to_thread(self.hold, experiment.id)
            if held is None:
                continue  # another process runs it
            try:
                sentence = "The process that ran it ended. Start it again: finished calls are kept and not repeated."
                found.append(msgspec.structs.replace(experiment, status="interrupted", error=sentence))
                await asyncio.to_thread(self.experiments.save, found[-1])
            finally:
                held.release()
        return found

    async def _unfinished(self, spec: ExperimentSpec, app: str | None) -> Experiment | None:
        found = await asyncio.to_thread(self.experiments.unfinished, spec.id)
        return found if found is not None and found.app == app else None

    def _new(self, spec: ExperimentSpec, *, by: str, app: str | None) -> Experiment:
        return Experiment(
            id=self.new_id(),
            spec=spec,
            runs=tuple(
                Run(id=self.new_id(), variant_name=entry.name, variant_id=entry.variant.id) for entry in spec.variants
            ),
            status="running",
            created_ns=self.now(),
            created_by=by,
            app=app,
        )

    def _begin(
        self,
        experiment: Experiment,
        cases: Sequence[Case],
        scorers: Sequence[Scorer],
        calls: dict[str, Ask],
        held: Held,
        *,
        concurrency: int,
    ) -> None:
        async def conduct() -> Experiment:
            try:
                return await self._conduct(work)
            except NoriaError as error:
                self._unsaved[experiment.id] = error
                log.error("experiment_end_unsaved", experiment_id=experiment.id, error=str(error))  # noqa: TRY400 - the sentence says it
                raise
            finally:
                del self._works[experiment.id]
                held.release()

        work = _Work(
            experiment=experiment,
            cases=cases,
            scorers=scorers,
            calls=calls,
            concurrency=concurrency,
            held=held,
            task=asyncio.create_task(conduct(), name=f"experiment {experiment.id}"),
        )
        self._works[experiment.id] = work
        self._unsaved.pop(experiment.id, None)
        self._progress[experiment.id] = Progress(run=experiment.runs[0].variant_name, done=0, total=0)

    async def _conduct(self, work: _Work) -> Experiment:
        """From the first call to the saved end."""
        experiment, started = work.experiment, self.now()

        def progress(progress: Progress) -> None:
            self._progress[experiment.id] = progress

        try:
            judged = await run(
                experiment,
                work.cases,
                calls=work.calls,
                scorers=work.scorers,
                store=self.store,
                now=self.now,
                concurrency=work.concurrency,
                progress=progress,
                stop=work.stop,
                grace_s=self.grace_s,
            )
            wanted = len(work.cases) * experiment.spec.repeats * len(experiment.runs)
            there = sum(map(len, judged.values()))
            if there < wanted:
                sentence = f"Stopped after {there} of {wanted} calls. Start it again: those are kept and not repeated."
                return await self._end(experiment, "interrupted", sentence)
            wall_s = (self.now() - started) / 1e9
            results = await asyncio.to_thread(conclude, experiment, judged, work.scorers, wall_s=wall_s)
            failures = failed_calls(judged)
            return await self._end(experiment, "interrupted" if failures else "finished", failures, results)
        except asyncio.CancelledError:
            await self._end(experiment, "interrupted", "Cancelled. Start it again: finished calls are kept.")
            raise
        except NoriaError as error:
            return await self._end(experiment, "failed", str(error))
        except Exception as error:  # the one broad catch of a job: it is logged, and the experiment says so
            log.exception("experiment_failed", experiment_id=experiment.id)
            return await self._end(experiment, "failed", f"{type(error).__name__}: {error}")

    async def _end(
        self, experiment: Experiment, status: ExperimentStatus, error: str, results: Results | None = None
    ) -> Experiment:
        ended = msgspec.structs.replace(experiment, status=status, error=error, results=results, finished_ns=self.now())
        await asyncio.to_thread(self.experiments.save, ended)
        log.info("experiment_ended", experiment_id=ended.id, status=status)
        return ended
