from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from paper import PaperTraces
from trials import Exact, Model, Moody, Ticks, cases, experiment

from noria.core.errors import CallFailed, StorageFull
from noria.core.protocols import TraceStore
from noria.core.questions import Question
from noria.core.results import Progress
from noria.core.scores import Score
from noria.evaluate.findings.judged import Judged
from noria.evaluate.running.runner import run
from noria.stores.traces.duckdb import DuckDBTraces
from noria.stores.traces.memory import MemoryTraces


@pytest.fixture
def store(tmp_path: Path) -> PaperTraces:
    return PaperTraces(tmp_path / "traces.jsonl")


@pytest.fixture
def model() -> Model:
    return Model(Ticks())


async def go(store: TraceStore, model: Model, count: int = 5, *names: str, **given: Any) -> dict[str, list[Judged]]:
    repeats = given.pop("repeats", 1)
    trial = experiment(count, *(names or ("a",)), repeats=repeats)
    given.setdefault("scorers", [Exact()])
    calls = {part.id: model for part in trial.runs}
    return await run(trial, cases(count), calls=calls, store=store, now=model.now, **given)


async def test_every_case_repeat_and_variant_is_called_once_and_recorded(store: PaperTraces, model: Model) -> None:
    found = await go(store, model, 3, "a", "b", repeats=2)
    wanted = [(f"run-{name}", f"c{n}", r) for name in "ab" for n in range(3) for r in range(2)]
    assert sorted(model.called) == sorted(wanted)
    assert [(one.case_id, one.repeat) for one in found["run-b"]] == [(f"c{n}", r) for n in range(3) for r in range(2)]
    assert len(store.all("span")) == len(store.all("score")) == 12


async def test_requests_carry_input_and_lineage(store: PaperTraces, model: Model) -> None:
    await go(store, model, 1, "a", "b")
    request = model.requests[1]
    assert request.model == "fake/b"
    assert request.variables == {"q": "0"}
    assert request.lineage.app == "app"
    assert request.lineage.experiment_id == "experiment-1"
    assert request.lineage.variant_id == experiment(1, "a", "b").spec.variants[1].variant.id


async def test_scores_say_where_they_belong(store: PaperTraces, model: Model) -> None:
    [judged] = (await go(store, model, 1))["run-a"]
    score = judged.scores["exact"]
    assert isinstance(score, Score)
    assert (score.value, score.experiment_id, score.run_id, score.case_id, score.repeat) == (
        True,
        "experiment-1",
        "run-a",
        "c0",
        0,
    )
    assert (score.trace_id, score.span_id) == (judged.span.trace_id, judged.span.span_id)
    assert score.time_ns > judged.span.start_ns


async def test_variants_run_one_after_another_within_the_bound(store: PaperTraces, model: Model) -> None:
    await go(store, model, 20, "a", "b", concurrency=3)
    assert model.most_in_flight == 3
    runs = [run_id for run_id, _, _ in model.called]
    assert runs == ["run-a"] * 20 + ["run-b"] * 20


async def test_a_span_is_durable_before_it_is_judged(store: PaperTraces, model: Model) -> None:
    class Suspicious(Exact):
        async def score(self, subject: Any) -> Score | None:
            assert subject.span.span_id in {span["span_id"] for span in store.all("span")}
            return await super().score(subject)

    [judged] = (await go(store, model, 1, scorers=[Suspicious()]))["run-a"]
    assert isinstance(judged.scores["exact"], Score)


async def test_a_second_start_calls_and_judges_nothing_again(store: PaperTraces, model: Model) -> None:
    first = await go(store, model, 4, repeats=2)
    again, judge, told = Model(Ticks()), Exact(), []
    second = await go(store, again, 4, repeats=2, scorers=[judge], progress=told.append)
    assert again.requests == []
    assert judge.seen == []
    assert second == first
    assert told[-1] == Progress(run="a", done=8, total=8, resumed=8)


async def test_answers_without_scores_are_judged_from_the_record(store: PaperTraces, model: Model) -> None:
    await go(store, model, 3, scorers=[])
    again = Model(Ticks())
    found = await go(store, again, 3, scorers=[Exact()])
    assert again.requests == []
    assert [one.scores["exact"].value for one in found["run-a"]] == [True] * 3
    assert len(store.all("score")) == 3


async def test_scores_of_another_version_are_given_again(store: PaperTraces, model: Model) -> None:
    await go(store, model, 2, scorers=[Exact(version="1")])
    newer, again = Exact(version="2"), Model(Ticks())
    found = await go(store, again, 2, scorers=[newer])
    assert sorted(newer.seen) == ["c0", "c1"]
    assert {one.scores["exact"].version for one in found["run-a"]} == {"2"}
    assert again.requests == []


async def test_resuming_reads_page_by_page(store: PaperTraces, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    await go(store, model, 7)
    monkeypatch.setattr("noria.evaluate.running.resume.PAGE", 3)
    again, judge = Model(Ticks()), Exact()
    found = await go(store, again, 7, scorers=[judge])
    assert len(found["run-a"]) == 7
    assert again.requests == []
    assert judge.seen == []


async def test_the_embedded_store_gives_back_what_it_was_given(
    tmp_path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("noria.evaluate.running.resume.PAGE", 4)
    traces = await DuckDBTraces.open(tmp_path / "traces.duckdb", tmp_path / "spool")
    first = await go(traces, model, 5, "a", "b", repeats=2)
    await traces.close()
    traces = await DuckDBTraces.open(tmp_path / "traces.duckdb", tmp_path / "spool")
    again, judge = Model(Ticks()), Exact()
    second = await go(traces, again, 5, "a", "b", repeats=2, scorers=[judge])
    await traces.close()
    assert (again.requests, judge.seen) == ([], [])
    assert second == first


async def test_failed_calls_are_recorded_without_scores_and_called_again(store: PaperTraces, model: Model) -> None:
    model.broken = {"c1"}
    told: list[Progress] = []
    found = await go(store, model, 3, progress=told.append)
    assert [one.answered for one in found["run-a"]] == [True, False, True]
    assert found["run-a"][1].scores == {}
    assert told[-1].errors == 1
    again = Model(Ticks())
    again.now()  # a later moment than the first start's last
    found = await go(store, again, 3)
    assert [case for _, case, _ in again.called] == ["c1"]
    assert all(one.answered for one in found["run-a"])


async def test_a_model_that_never_answers_is_given_up(store: PaperTraces, model: Model) -> None:
    model.broken = {f"c{number}" for number in range(100)}
    with pytest.raises(
        CallFailed, match=r'The first 20 calls of the variant "a" all failed, the last with: The model did'
    ):
        await go(store, model, 100, concurrency=1)
    assert len(model.requests) == len(store.all("span")) == 20


async def test_one_answer_is_enough_to_go_on(store: PaperTraces, model: Model) -> None:
    model.broken = {f"c{number}" for number in range(1, 100)}
    assert len((await go(store, model, 100, concurrency=1))["run-a"]) == 100
    assert len((await go(store, model, 100, concurrency=1))["run-a"]) == 100
    assert len(model.requests) == 199


async def test_a_scorers_fault_is_a_finding_and_the_run_goes_on(store: PaperTraces, model: Model) -> None:
    found = await go(store, model, 4, scorers=[Moody("moody"), Exact()])
    assert found["run-a"][1].scores["moody"] == "ZeroDivisionError: no mood"
    assert found["run-a"][2].scores["moody"] is None
    assert isinstance(found["run-a"][1].scores["exact"], Score)
    assert [(score["scorer"], score["case_id"]) for score in store.all("score") if score["scorer"] == "moody"] == [
        ("moody", "c0"),
        ("moody", "c3"),
    ]


async def test_a_score_that_cannot_be_kept_is_the_scorers_fault_alone(model: Model) -> None:
    class Undefined(Exact):
        async def score(self, subject: Any) -> Score | None:
            value = float("nan") if subject.case.id == "c1" else 1.0
            return Score(scorer=self.name, version="1", value=value)

    memory = MemoryTraces()
    scorers = [Exact(), Undefined("odd"), Exact("last")]
    found = (await go(memory, model, 3, scorers=scorers))["run-a"]
    assert "only finite numbers can be kept" in str(found[1].scores["odd"])
    kept = [(score.case_id, score.scorer) for score in await memory.scores(Question(source="scores"))]
    wanted = [(case, scorer) for case in ("c0", "c1", "c2") for scorer in ("exact", "odd", "last")]
    assert sorted(kept) == sorted(set(wanted) - {("c1", "odd")})


async def test_a_reply_that_cannot_be_kept_is_a_failed_call_alone(model: Model) -> None:
    model.answer = lambda request: "\ud800" if request.variables["q"] == "1" else "fine"
    memory = MemoryTraces()
    found = (await go(memory, model, 4))["run-a"]
    assert [one.answered for one in found] == [True, False, True, True]
    assert "half a surrogate pair" in str(found[1].span.error_message)
    assert len(await memory.spans(Question())) == 4


async def test_stop_begins_no_call_and_waits_for_those_in_flight(store: PaperTraces, model: Model) -> None:
    model.gate.clear()
    stop = asyncio.Event()
    task = asyncio.create_task(go(store, model, 10, concurrency=3, stop=stop))
    await model.reached(3)
    stop.set()
    model.gate.set()
    found = await task
    assert len(model.requests) == len(found["run-a"]) == len(store.all("span")) == 3
    again = Model(Ticks())
    found = await go(store, again, 10)
    assert len(again.requests) == 7
    assert len(found["run-a"]) == 10


async def test_calls_that_outlast_the_grace_are_cancelled(store: PaperTraces, model: Model) -> None:
    model.gate.clear()
    stop = asyncio.Event()
    task = asyncio.create_task(go(store, model, 10, concurrency=3, stop=stop, grace_s=0.01))
    await model.reached(3)
    stop.set()
    assert await task == {"run-a": []}
    assert model.in_flight == 0
    assert store.all("span") == []


async def test_nothing_is_called_after_a_stop_in_an_earlier_variant(store: PaperTraces, model: Model) -> None:
    stop = asyncio.Event()
    stop.set()
    assert await go(store, model, 3, "a", "b", stop=stop) == {"run-a": [], "run-b": []}
    assert model.requests == []


async def test_a_cancelled_run_leaves_nothing_running_and_loses_nothing_finished(tmp_path: Path, model: Model) -> None:
    store = PaperTraces(tmp_path / "slow.jsonl", slow_s=0.02)
    task = asyncio.create_task(go(store, model, 10, concurrency=2))
    await store.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(store.all("span")) == 2
    assert {t for t in asyncio.all_tasks() if not t.done()} == {asyncio.current_task()}


async def test_a_full_disk_ends_the_run_with_its_own_error(store: PaperTraces, model: Model) -> None:
    store.broken = StorageFull("The disk is full.")
    with pytest.raises(StorageFull, match="The disk is full"):
        await go(store, model, 10, concurrency=2)
    assert len(model.requests) == 2


async def test_commits_are_shared_between_workers(tmp_path: Path, model: Model) -> None:
    store = PaperTraces(tmp_path / "slow.jsonl", slow_s=0.005)
    await go(store, model, 60, concurrency=20)
    assert len(store.all("span")) == len(store.all("score")) == 60
    assert len(store.appends) < 20


async def test_progress_counts_cached_answers_and_rate(store: PaperTraces, model: Model) -> None:
    model.cached = True
    told: list[Progress] = []
    await go(store, model, 3, "a", "b", progress=told.append, concurrency=1)
    assert [one.done for one in told if one.run == "b"] == [3, 4, 5, 6]
    assert told[-1].cached == told[-1].done == told[-1].total == 6
    assert told[0].rate is None
    assert told[-1].rate is not None
    assert told[-1].rate > 0
