from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from paper import PaperTraces
from trials import Exact, Model, Moody, Ticks, cases, spec

from noria.core.errors import InvalidInput, StorageFull, UnknownName
from noria.core.experiments import Experiment, ExperimentSpec, ExperimentVariant
from noria.core.results import Progress
from noria.core.scores import Scorer, ScorerSpec
from noria.evaluate.laboratory import Laboratory


class Shelf:
    """Experiments in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, Experiment] = {}
        self.history: list[str] = []

    def save(self, experiment: Experiment) -> None:
        self.kept[experiment.id] = experiment
        self.history.append(experiment.status)

    def get(self, ref: str) -> Experiment:
        if ref not in self.kept:
            raise UnknownName(f"There is no experiment {ref}.")
        return self.kept[ref]

    def list(self, limit: int) -> list[Experiment]:
        return list(reversed(self.kept.values()))[:limit]

    def unfinished(self, spec_id: str) -> Experiment | None:
        return next((one for one in self.list(99) if one.spec_id == spec_id and one.status != "finished"), None)


class Bench:
    """A laboratory with everything handed in, as one process after another would have it."""

    def __init__(self, folder: Path) -> None:
        self.shelf = Shelf()
        self.store = PaperTraces(folder / "traces.jsonl")
        self.now = Ticks()
        self.model = Model(self.now)
        self.ids = map(str, itertools.count(1))
        self.caching: list[bool] = []
        self.judge: Callable[[ScorerSpec], Scorer] = lambda named: Exact(named.name)
        self.laboratory = self.open()

    def open(self) -> Laboratory:
        return Laboratory(
            experiments=self.shelf,
            store=self.store,
            load_cases=self._cases,
            make_scorer=self._judge,
            make_call=self._call,
            now=self.now,
            new_id=lambda: next(self.ids),
            environment=lambda: {"python": "3"},
            grace_s=0.01,
        )

    def _cases(self, dataset_id: str) -> list[Any]:
        for count in (0, 3, 5, 20):
            if spec(count, "a").dataset_id == dataset_id:
                return cases(count)
        raise UnknownName(f"There is no data set {dataset_id}.")

    def _judge(self, named: ScorerSpec) -> Scorer:
        return self.judge(named)

    def _call(self, variant: ExperimentVariant, cache: bool) -> Model:
        self.caching.append(cache)
        return self.model

    async def finish(self, asked: ExperimentSpec, **given: Any) -> Experiment:
        started = await self.laboratory.start(asked, by="ada", **given)
        return await self.laboratory.wait(started.id)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_an_experiment_is_run_concluded_and_kept(bench: Bench) -> None:
    bench.model.answer = lambda r: r.variables["q"] if r.model == "fake/b" or r.variables["q"] == "0" else "?"
    bench.model.memory = {"fake/a": 1000}
    asked = spec(5, "a", "b", gates=("exact.mean > 0.9",))
    done = await bench.finish(asked, app="triage")
    assert (done.status, done.error, done.created_by, done.app) == ("finished", "", "ada", "triage")
    assert done.environment == {"python": "3"}
    assert done.finished_ns is not None
    assert done.results is not None
    assert [run.measures[0].estimate.value for run in done.results.runs] == [0.2, 1.0]
    assert [run.peak_memory_bytes for run in done.results.runs] == [1005, None]
    [comparison] = done.results.comparisons
    assert (comparison.baseline, comparison.candidate, round(comparison.difference.value, 9)) == ("a", "b", 0.8)
    assert [(gate.gate, gate.passed) for gate in done.results.gates] == [("exact.mean > 0.9", True)]
    assert done.results.wall_s > 0
    assert bench.shelf.get(done.id) == done
    assert bench.shelf.history == ["running", "finished"]
    assert bench.caching == [True, True]


async def test_a_finished_experiment_is_run_anew(bench: Bench) -> None:
    first = await bench.finish(spec(3, "a"))
    second = await bench.finish(spec(3, "a"))
    assert second.id != first.id
    assert len(bench.model.requests) == 6


async def test_the_limit_tries_the_first_cases_only(bench: Bench) -> None:
    await bench.finish(spec(5, "a", limit=2, cache=False))
    assert [request.lineage.case_id for request in bench.model.requests] == ["c0", "c1"]
    assert bench.caching == [False]


async def test_answers_from_the_cache_are_counted(bench: Bench) -> None:
    bench.model.cached = True
    done = await bench.finish(spec(3, "a", "b"))
    assert done.results is not None
    assert [run.cached for run in done.results.runs] == [3, 3]
    assert bench.laboratory.progress(done.id).cached == 6


async def test_stopped_it_goes_on_where_it_was(bench: Bench) -> None:
    bench.model.gate.clear()
    asked = spec(20, "a")
    started = await bench.laboratory.start(asked, by="ada", concurrency=4)
    await bench.model.reached(4)
    stopping = asyncio.create_task(bench.laboratory.stop(started.id))
    await asyncio.sleep(0)
    bench.model.gate.set()
    stopped = await stopping
    assert stopped.status == "interrupted"
    assert stopped.error == "Stopped after 4 of 20 calls. Start it again: those are kept and not repeated."
    assert bench.laboratory.progress(started.id).done == 4
    bench.laboratory = bench.open()
    done = await bench.finish(asked)
    assert done.id == started.id
    assert done.status == "finished"
    assert len(bench.model.requests) == 20
    assert bench.laboratory.progress(done.id).resumed == 4


async def test_fresh_ignores_what_is_unfinished_and_another_app_is_another_experiment(bench: Bench) -> None:
    bench.model.broken = {"c1"}
    first = await bench.finish(spec(3, "a"))
    bench.model.broken = set()
    other = await bench.finish(spec(3, "a"), app="other")
    fresh = await bench.finish(spec(3, "a"), fresh=True)
    assert len({first.id, other.id, fresh.id}) == 3
    assert len(bench.model.requests) == 9


async def test_calls_that_fail_for_good_leave_it_interrupted_with_results(bench: Bench) -> None:
    bench.model.broken = {"c1", "c2"}
    ended = await bench.finish(spec(5, "a"))
    assert ended.status == "interrupted"
    assert ended.error == (
        "2 of 5 calls failed, the first with: The model did not answer in 3 s. Start it again: only those are called."
    )
    assert ended.results is not None
    assert (ended.results.runs[0].calls, ended.results.errors) == (3, 2)
    bench.model.broken = set()
    bench.model.requests.clear()
    done = await bench.finish(spec(5, "a"))
    assert done.status == "finished"
    assert sorted(r.lineage.case_id or "" for r in bench.model.requests) == ["c1", "c2"]


async def test_a_failing_scorer_is_counted_and_the_experiment_finishes(bench: Bench) -> None:
    bench.judge = lambda named: Moody(named.name)
    done = await bench.finish(spec(5, "a"))
    assert done.status == "finished"
    assert done.results is not None
    [measure] = done.results.runs[0].measures
    assert (measure.failed, measure.abstained, measure.estimate.n) == (1, 1, 3)


async def test_one_under_way_is_joined(bench: Bench) -> None:
    bench.model.gate.clear()
    first = await bench.laboratory.start(spec(3, "a"), by="ada")
    await bench.model.reached(3)
    second = await bench.laboratory.start(spec(3, "a"), by="bob")
    bench.model.gate.set()
    assert second == first
    assert (await bench.laboratory.wait(first.id)).status == "finished"
    assert len(bench.model.requests) == 3


async def test_one_that_is_stopping_is_waited_for_and_resumed(bench: Bench) -> None:
    bench.model.gate.clear()
    first = await bench.laboratory.start(spec(5, "a"), by="ada", concurrency=2)
    await bench.model.reached(2)
    stopping = asyncio.create_task(bench.laboratory.stop(first.id))
    await asyncio.sleep(0)
    starting = asyncio.create_task(bench.laboratory.start(spec(5, "a"), by="ada"))
    assert (await stopping).status == "interrupted"
    bench.model.gate.set()
    again = await starting
    assert again.id == first.id
    assert (await bench.laboratory.wait(again.id)).status == "finished"


async def test_close_stops_everything_and_loses_nothing(bench: Bench) -> None:
    bench.model.gate.clear()
    one = await bench.laboratory.start(spec(3, "a"), by="ada", concurrency=1)
    two = await bench.laboratory.start(spec(5, "a"), by="ada", concurrency=1)
    await bench.model.reached(2)
    await bench.laboratory.close()
    assert [bench.shelf.get(id).status for id in (one.id, two.id)] == ["interrupted", "interrupted"]
    bench.model.gate.set()
    bench.laboratory = bench.open()
    assert (await bench.finish(spec(5, "a"))).id == two.id


async def test_what_a_killed_process_left_running_is_recovered(bench: Bench) -> None:
    bench.model.gate.clear()
    left = await bench.laboratory.start(spec(3, "a"), by="ada")
    await bench.model.reached(3)
    [task] = [task for task in asyncio.all_tasks() if task.get_name() == f"experiment {left.id}"]
    assert await bench.laboratory.recover() == []  # it does run, here
    killed = bench.shelf.get(left.id)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.shelf.get(left.id).status == "interrupted"
    bench.shelf.save(killed)
    bench.laboratory = bench.open()
    [recovered] = await bench.laboratory.recover()
    assert (recovered.id, recovered.status) == (left.id, "interrupted")
    assert bench.shelf.get(left.id) == recovered
    bench.model.gate.set()
    assert (await bench.finish(spec(3, "a"))).id == left.id


async def test_a_full_disk_fails_the_experiment_with_its_sentence(bench: Bench) -> None:
    bench.store.broken = StorageFull("The disk is full.", kept="Finished cases are kept.")
    ended = await bench.finish(spec(3, "a"))
    assert (ended.status, ended.error) == ("failed", "The disk is full. Finished cases are kept.")
    bench.store.broken = None
    assert (await bench.finish(spec(3, "a"))).id == ended.id


async def test_an_end_that_cannot_be_recorded_is_told_to_whoever_watches(bench: Bench) -> None:
    bench.model.gate.clear()
    started = await bench.laboratory.start(spec(3, "a"), by="ada")
    await bench.model.reached(3)
    save = bench.shelf.save

    def full(_: Experiment) -> None:
        raise StorageFull("The disk is full.")

    bench.shelf.save = full  # type: ignore[method-assign]
    bench.model.gate.set()
    with pytest.raises(StorageFull):
        await bench.laboratory.wait(started.id)
    assert bench.shelf.get(started.id).status == "running"
    for _ in range(2):
        with pytest.raises(StorageFull, match=r"The disk is full\."):
            bench.laboratory.progress(started.id)
        with pytest.raises(StorageFull):
            await bench.laboratory.wait(started.id)
    bench.shelf.save = save  # type: ignore[method-assign]
    assert (await bench.finish(spec(3, "a"))).status == "finished"
    assert bench.laboratory.progress(started.id).resumed == 3


async def test_a_fault_in_a_call_fails_the_experiment(bench: Bench) -> None:
    def broken(_: Any) -> str:
        raise KeyError("q")

    bench.model.answer = broken
    ended = await bench.finish(spec(3, "a"))
    assert (ended.status, ended.error) == ("failed", "KeyError: 'q'")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"gates": ("exact > 1",)}, "The gate"),
        ({"gates": ("exactly.mean > 1",)}, 'no metric "exactly"'),
        ({"gates": ("z: exact.mean > 1",)}, 'no variant "z"'),
        ({"baseline": "z"}, 'The baseline "z" is no variant; there are a, b.'),
        ({"scorers": ()}, "has no scorer"),
        ({"scorers": (ScorerSpec(kind="x", name="x"),) * 2}, 'Two scorers of the experiment "trial" are called "x"'),
        ({"repeats": 0}, "at least once, not 0 times"),
        ({"alpha": 0.0}, "The significance level alpha is 0.0"),
        ({"alpha": 1.0}, "it must be above 0 and below 1"),
        ({"limit": -1}, "The limit of cases is -1"),
        ({"dataset_id": "gone"}, "There is no data set gone."),
        ({"dataset_id": spec(0, "a").dataset_id}, "has no cases to try"),
    ],
)
async def test_a_spec_that_cannot_work_is_refused_and_nothing_saved(
    bench: Bench, changes: dict[str, Any], sentence: str
) -> None:
    asked = msgspec.structs.replace(spec(3, "a", "b"), **changes)
    with pytest.raises(InvalidInput) as caught:
        await bench.laboratory.start(asked, by="ada")
    assert sentence in str(caught.value)
    assert bench.shelf.history == []


async def test_progress_of_what_another_process_ran(bench: Bench) -> None:
    done = await bench.finish(spec(3, "a", repeats=2))
    bench.laboratory = bench.open()
    assert bench.laboratory.progress(done.id) == Progress(run="", done=6, total=6)
    assert (await bench.laboratory.stop(done.id)) == done
    with pytest.raises(UnknownName):
        bench.laboratory.progress("gone")
    with pytest.raises(UnknownName):
        await bench.laboratory.wait("gone")
