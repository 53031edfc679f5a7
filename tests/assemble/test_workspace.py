import asyncio
import contextlib
import os
import sys
from pathlib import Path

import msgspec
import pytest

from engines.gguf_files import gguf
from noria.assemble import Workspace, open_workspace
from noria.core.apps import Share
from noria.core.datasets import Case
from noria.core.errors import CallFailed, Conflict, InvalidInput, UnknownName
from noria.core.experiments import Experiment, ExperimentSpec, ExperimentVariant
from noria.core.folding import collect
from noria.core.messages import Message
from noria.core.models import EngineOptions, LocalModel
from noria.core.monitors import Monitor
from noria.core.prompts import Block, Prompt, Variable
from noria.core.questions import Question
from noria.core.requests import Parameters, Request
from noria.core.scores import ScorerSpec
from noria.settings import Settings

from .conftest import TRIAGE, triage_app

OTHER = Prompt(blocks=(Block(role="user", template="Judge: {{ text }}"),), variables={"text": Variable()})


def ask(model: str, text: str = "hello") -> Request:
    return Request(model=model, messages=(Message(role="user", content=text),))


def promote(workspace: Workspace, name: str) -> None:
    [id] = [v.variant_id for v in workspace.catalogue.apps.get("triage").variants if v.name == name]
    workspace.catalogue.apps.release("triage", (Share(variant_id=id),), by="ann")


@pytest.mark.skipif(sys.platform == "win32", reason="no modes")
async def test_a_folder_that_others_may_look_into_shows_them_nothing(
    settings: tuple[Settings, dict[str, str]],
) -> None:
    configured, environ = settings
    configured.folder.mkdir(mode=0o755)
    before = os.umask(0o022)
    try:
        async with open_workspace(configured, environ, holder="a test") as workspace:
            triage_app(workspace, plain=TRIAGE)
            promote(workspace, "plain")
            await collect(workspace.calling.target.call(ask("triage")))
            workspace.datasets.put("some", [Case(id="1", input={"text": "a"})])
            await workspace.traces.spans(Question())
            shown = {
                str(path.relative_to(configured.folder))
                for path in configured.folder.rglob("*")
                if path.stat().st_mode & 0o077
            }
            assert shown <= {"FORMAT", "holder.json"}
        assert os.umask(0o022) == 0o022, "what the process makes afterwards is its own affair"
    finally:
        os.umask(before)


async def test_a_call_of_an_app_is_one_span_that_names_everything_that_shaped_it(workspace: Workspace) -> None:
    triage_app(workspace, plain=TRIAGE)
    promote(workspace, "plain")
    reply = await collect(workspace.calling.target.call(ask("triage")))
    assert reply.text == "Sort: hello"
    [span] = await workspace.traces.spans(Question())
    app = workspace.catalogue.apps.get("triage")
    assert app.release is not None
    assert span.lineage.app == "triage"
    assert span.lineage.release_id == app.release.id
    assert span.lineage.variant_id == app.variants[0].variant_id
    assert span.lineage.prompt_id == TRIAGE.id
    assert span.input == (Message(role="user", content="Sort: hello"),)
    assert span.variables == {"text": "hello"}
    assert span.params["temperature"] == 0
    assert span.ttft_s is not None
    assert span.cost_usd is None  # nobody knows this provider's price


async def test_promoting_changes_the_next_answer_and_rolling_back_changes_it_back(workspace: Workspace) -> None:
    triage_app(workspace, plain=TRIAGE, other=OTHER)
    answers = []
    for step in (lambda: promote(workspace, "plain"), lambda: promote(workspace, "other")):
        step()
        answers.append((await collect(workspace.calling.target.call(ask("triage")))).text)
    workspace.catalogue.apps.roll_back("triage", by="ann")
    answers.append((await collect(workspace.calling.target.call(ask("triage")))).text)
    assert answers == ["Sort: hello", "Judge: hello", "Sort: hello"]


async def test_one_variant_can_be_called_without_a_release(workspace: Workspace) -> None:
    triage_app(workspace, plain=TRIAGE)
    assert (await collect(workspace.calling.target.call(ask("triage@plain")))).text == "Sort: hello"


@pytest.mark.parametrize(
    ("model", "kind", "sentence"),
    [
        ("triage", InvalidInput, "'triage' has no release"),
        ("triage@fancy", UnknownName, "no variant 'fancy' .it has: plain"),
        ("nobody", UnknownName, "nobody"),
        ("acme/gpt", UnknownName, "no provider 'acme' .known: local, fake, keyless"),
        ("keyless/gpt", InvalidInput, "needs its key in NOT_SET"),
        ("local/ghost", UnknownName, "ghost"),
    ],
)
async def test_a_name_that_nobody_answers_to_is_refused_and_recorded(
    workspace: Workspace, model: str, kind: type[Exception], sentence: str
) -> None:
    triage_app(workspace, plain=TRIAGE)
    with pytest.raises(kind, match=sentence):
        await collect(workspace.calling.target.call(ask(model)))
    [span] = await workspace.traces.spans(Question())
    assert (span.status, span.request_model) == ("error", model)


async def test_a_failing_provider_is_a_recorded_failure(workspace: Workspace) -> None:
    with pytest.raises(CallFailed):
        await collect(workspace.calling.target.call(ask("fake/echo", "[[refuse 500]]")))
    [span] = await workspace.traces.spans(Question())
    assert (span.status, span.error_type) == ("error", "call_failed")


async def test_released_apps_and_local_models_are_what_can_be_called(workspace: Workspace) -> None:
    triage_app(workspace, plain=TRIAGE)
    workspace.catalogue.models.put(LocalModel(name="tiny", sha256="0" * 64, size=1, source="file:x"))
    assert [name for name in await workspace.callable_models() if not name.startswith("fake/")] == ["local/tiny"]
    promote(workspace, "plain")
    names = [name for name in await workspace.callable_models() if not name.startswith("fake/")]
    assert names == ["triage", "local/tiny"], "beside those that the provider lists"


async def test_a_variant_of_a_local_model_is_bound_to_its_set_up(workspace: Workspace) -> None:
    lost = LocalModel(name="lost", sha256="0" * 64, size=1, source="smollm2-135m")
    workspace.catalogue.models.put(lost)
    with pytest.raises(UnknownName, match="noria models pull smollm2-135m --name lost"):
        workspace.variants.make(model="local/lost", prompt=None, params=Parameters())
    model = LocalModel(name="tiny", sha256=workspace._blobs.put(b"weights"), size=7, source="file:x")
    workspace.catalogue.models.put(model)
    made = workspace.variants.make(model="local/tiny", prompt=None, params=Parameters())
    assert made.model_id == model.id
    with pytest.raises(UnknownName):
        workspace.variants.make(model="local/other", prompt=None, params=Parameters())
    with pytest.raises(UnknownName, match="names no model"):
        workspace.variants.make(model="tiny", prompt=None, params=Parameters())


async def test_a_variant_is_answered_by_the_set_up_it_was_made_with_or_by_nobody(workspace: Workspace) -> None:
    old = LocalModel(name="tiny", sha256=workspace._blobs.put(b"weights"), size=7, source="file:x")
    workspace.catalogue.models.put(old)
    variant = workspace.variants.make(model="local/tiny", prompt=None, params=Parameters())
    workspace.catalogue.models.put(msgspec.structs.replace(old, options=EngineOptions(context=64)))
    with pytest.raises(UnknownName, match="no longer the set-up that this variant was made with"):
        workspace.calling.answers.variant(variant)
    workspace.catalogue.models.put(msgspec.structs.replace(old, name="kept"))
    assert workspace.calling.answers.variant(variant) is not None


async def test_a_part_that_fails_to_close_keeps_no_other_open(settings: tuple[Settings, dict[str, str]]) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    closed: list[str] = []

    async def engines() -> None:
        closed.append("engines")

    stack = contextlib.AsyncExitStack()
    workspace = await stack.enter_async_context(open_workspace(*settings, holder="first"))
    workspace.laboratory.close = fail  # type: ignore[method-assign]
    workspace.calling.engines.close = engines  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        await stack.aclose()
    assert closed == ["engines"]
    async with open_workspace(*settings, holder="second"):
        pass  # the folder and the trace file were given back


async def test_a_monitor_whose_scorer_is_gone_does_not_silence_the_others(workspace: Workspace) -> None:
    triage_app(workspace, plain=TRIAGE)
    promote(workspace, "plain")
    polite = ScorerSpec(kind="contains", name="polite", options={"texts": ["please"]})
    workspace.monitors.attach("politeness", app="triage", scorer=polite, rate=1.0, by="ann")
    gone = Monitor(name="gone", app="triage", scorer=ScorerSpec(kind="uninstalled", name="x"), rate=1.0)
    workspace.catalogue.monitors.put(gone)
    await collect(workspace.calling.target.call(ask("triage", "please")))
    await workspace.monitors.live.drain()
    [score] = await workspace.traces.scores(Question(source="scores"))
    assert score.monitor == "politeness"


async def experiment(workspace: Workspace, *, cache: bool = True, cases: int = 6) -> Experiment:
    triage_app(workspace, plain=TRIAGE, other=OTHER)
    dataset = workspace.datasets.put(
        "letters", [Case(id=str(i), input={"text": f"t{i}"}, reference=f"Sort: t{i}") for i in range(cases)]
    )
    variants = tuple(
        ExperimentVariant(name=named.name, variant=named.variant)
        for named in workspace.catalogue.apps.get("triage").variants
    )
    spec = ExperimentSpec(
        name="letters",
        dataset_id=dataset.id,
        variants=variants,
        scorers=(ScorerSpec(kind="exact", name="exact"),),
        baseline="plain",
        cache=cache,
    )
    started = await workspace.laboratory.start(spec, by="ann", app="triage")
    return await workspace.laboratory.wait(started.id)


async def test_an_experiment_on_the_whole_stack(workspace: Workspace) -> None:
    found = await experiment(workspace)
    assert found.status == "finished"
    assert found.results is not None
    means = {run.variant: run.measures[0].estimate.value for run in found.results.runs}
    assert means == {"plain": 1.0, "other": 0.0}
    assert found.results.comparisons[0].verdict == "worse"
    assert found.environment["noria"] == workspace.version


async def test_the_second_experiment_takes_its_replies_from_the_record(workspace: Workspace) -> None:
    await experiment(workspace)
    again = await experiment(workspace)
    assert again.results is not None
    assert [run.cached for run in again.results.runs] == [6, 6]
    fresh = await experiment(workspace, cache=False)
    assert fresh.results is not None
    assert [run.cached for run in fresh.results.runs] == [0, 0]


async def test_live_calls_are_judged_by_their_monitors(workspace: Workspace) -> None:
    triage_app(workspace, plain=TRIAGE)
    promote(workspace, "plain")
    scorer = ScorerSpec(kind="contains", name="polite", options={"texts": ["please"]})
    workspace.monitors.attach("politeness", app="triage", scorer=scorer, rate=1.0, by="ann")
    await collect(workspace.calling.target.call(ask("triage", "now")))
    await collect(workspace.calling.target.call(ask("triage", "please")))
    await workspace.monitors.live.drain()
    scores = await workspace.traces.scores(Question(source="scores"))
    assert sorted(score.value for score in scores) == [False, True]
    workspace.monitors.detach("politeness")
    await collect(workspace.calling.target.call(ask("triage", "again")))
    await workspace.monitors.live.drain()
    assert len(await workspace.traces.scores(Question(source="scores"))) == 2


@pytest.mark.parametrize(
    ("app", "kind", "rate", "sentence"),
    [
        ("triage", "exact", 1.0, "needs a reference, which live calls don't have"),
        ("triage", "one_off", 1.0, "one_of"),
        ("nobody", "latency", 1.0, "nobody"),
        ("triage", "latency", 1.5, "must be from 0 to 1"),
    ],
)
async def test_a_monitor_that_cannot_work_is_refused_when_it_is_attached(
    workspace: Workspace, app: str, kind: str, rate: float, sentence: str
) -> None:
    triage_app(workspace, plain=TRIAGE)
    with pytest.raises(InvalidInput, match=sentence):
        workspace.monitors.attach("m", app=app, scorer=ScorerSpec(kind=kind, name=kind), rate=rate, by="ann")
    assert workspace.catalogue.monitors.list() == []


async def test_weights_stay_as_long_as_a_model_uses_them(workspace: Workspace) -> None:
    sha256 = workspace._blobs.put(b"weights")
    for name in ("a", "b"):
        workspace.catalogue.models.put(LocalModel(name=name, sha256=sha256, size=7, source="file:x"))
    await workspace.models.remove("a")
    assert workspace._blobs.has(sha256)
    await workspace.models.remove("b")
    assert not workspace._blobs.has(sha256)
    with pytest.raises(UnknownName):
        await workspace.models.remove("b")


async def pulled(workspace: Workspace, file: Path, **options: int) -> LocalModel:
    state = workspace.models.start_pull(f"file:{file}", name="tiny", options=EngineOptions(**options))
    while state.model is None:
        assert not state.error
        await asyncio.to_thread(lambda: None)
        state = workspace.models.pull_progress(state.id)
    return state.model


async def test_a_pull_under_a_known_name_lets_go_of_what_it_replaces(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "tiny.gguf"
    file.write_bytes(gguf())
    first = await pulled(workspace, file)
    old_engine = workspace.calling.engines.engine(first)
    assert await pulled(workspace, file) == msgspec.structs.replace(
        first, created_ns=(await only(workspace)).created_ns
    )
    assert workspace.calling.engines.engine(first) is old_engine, "the same set-up goes on"
    second = await pulled(workspace, file, context=512)
    assert second.sha256 == first.sha256
    assert workspace.calling.engines.engine(first) is not old_engine, "nobody is left who would stop it"
    assert workspace._blobs.has(first.sha256)
    file.write_bytes(gguf(data=b"\1" * 32))
    third = await pulled(workspace, file)
    assert workspace._blobs.has(third.sha256)
    assert not workspace._blobs.has(first.sha256)


async def only(workspace: Workspace) -> LocalModel:
    [report] = await workspace.models.reports()
    return report.model


async def test_a_pull_that_fails_says_why_and_leaves_nothing(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"not a model")
    state = workspace.models.start_pull(f"file:{tmp_path / 'x.gguf'}", name=None, options=EngineOptions())
    while not state.error and state.model is None:
        await asyncio.to_thread(lambda: None)
        state = workspace.models.pull_progress(state.id)
    assert "GGUF" in state.error
    assert await workspace.models.reports() == []
    with pytest.raises(UnknownName):
        workspace.models.pull_progress("nope")


async def test_a_second_opener_is_told_who_holds_the_folder(
    workspace: Workspace, settings: tuple[Settings, dict[str, str]]
) -> None:
    with pytest.raises(Conflict, match="a test"):
        async with open_workspace(*settings, holder="another"):
            pass


async def test_everything_is_there_after_reopening(settings: tuple[Settings, dict[str, str]]) -> None:
    async with open_workspace(*settings, holder="first") as workspace:
        triage_app(workspace, plain=TRIAGE)
        promote(workspace, "plain")
        await collect(workspace.calling.target.call(ask("triage")))
        key = workspace.key.reveal()
    async with open_workspace(*settings, holder="second") as workspace:
        assert workspace.key.reveal() == key
        [span] = await workspace.traces.spans(Question())
        assert span.output_text == "Sort: hello"
        assert (await collect(workspace.calling.target.call(ask("triage")))).text == "Sort: hello"


async def test_an_experiment_left_running_by_a_killed_process_can_be_resumed(
    settings: tuple[Settings, dict[str, str]],
) -> None:
    async with open_workspace(*settings, holder="first") as workspace:
        done = await experiment(workspace)
        workspace.catalogue.experiments.save(msgspec.structs.replace(done, status="running", results=None))
    async with open_workspace(*settings, holder="second") as workspace:
        left = workspace.catalogue.experiments.get(done.id)
        assert left.status == "interrupted"
        before = len(await workspace.traces.spans(Question(limit=None)))
        resumed = await workspace.laboratory.start(left.spec, by="ann", app="triage")
        assert resumed.id == done.id
        assert (await workspace.laboratory.wait(done.id)).status == "finished"
        assert len(await workspace.traces.spans(Question(limit=None))) == before


async def test_numbers_for_prometheus(workspace: Workspace) -> None:
    triage_app(workspace, plain=TRIAGE)
    await collect(workspace.calling.target.call(ask("triage@plain")))
    numbers = workspace.numbers()
    assert numbers["noria_records_appended_total"] == 1
    assert all(name.startswith("noria_") for name in numbers)


async def test_an_empty_data_set_and_an_empty_prompt_are_refused(workspace: Workspace) -> None:
    with pytest.raises(InvalidInput, match="no cases"):
        workspace.datasets.put("empty", [])
    with pytest.raises(InvalidInput, match="no message"):
        workspace.check_prompt(Prompt(blocks=()))


async def test_scorers_are_described(workspace: Workspace) -> None:
    assert {"exact", "judge", "latency"} <= set(workspace.scorer_kinds())


async def test_an_evaluation_call_that_is_cancelled_is_still_recorded(
    settings: tuple[Settings, dict[str, str]],
) -> None:
    async with open_workspace(*settings, holder="first") as workspace:
        workspace.laboratory.grace_s = 0.05
        triage_app(workspace, plain=TRIAGE)
        dataset = workspace.datasets.put("slow", [Case(id="1", input={"text": "[[slow 5]] a b c"}, reference="x")])
        [named] = workspace.catalogue.apps.get("triage").variants
        spec = ExperimentSpec(
            name="slow",
            dataset_id=dataset.id,
            variants=(ExperimentVariant(name="plain", variant=named.variant),),
            scorers=(ScorerSpec(kind="exact", name="exact"),),
            baseline="plain",
        )
        started = await workspace.laboratory.start(spec, by="ann")
        await asyncio.sleep(0.3)
        stopped = await workspace.laboratory.stop(started.id)
        assert stopped.status == "interrupted"
    async with open_workspace(*settings, holder="second") as workspace:
        [span] = await workspace.traces.spans(Question())
        assert (span.status, span.lineage.case_id) == ("cancelled", "1")


async def test_what_answers_an_apps_callers_is_not_pulled_away(workspace: Workspace, tmp_path: Path) -> None:
    sha256 = workspace._blobs.put(b"weights")
    workspace.catalogue.models.put(LocalModel(name="tiny", sha256=sha256, size=7, source="file:x"))
    variant = workspace.variants.make(model="local/tiny", prompt=None, params=Parameters())
    workspace.catalogue.apps.put("triage")
    named = workspace.catalogue.apps.add_variant("triage", "tiny", variant, by="ann")
    workspace.catalogue.apps.release("triage", (Share(variant_id=named.variant_id),), by="ann")
    with pytest.raises(Conflict, match="local/tiny answers the callers of app 'triage'"):
        await workspace.models.remove("tiny")
    assert [report.model.name for report in await workspace.models.reports()] == ["tiny"]
    assert workspace._blobs.has(sha256)


async def test_a_pull_does_not_move_a_name_that_a_release_stands_on(workspace: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "tiny.gguf"
    file.write_bytes(gguf())
    first = await pulled(workspace, file)
    variant = workspace.variants.make(model="local/tiny", prompt=None, params=Parameters())
    workspace.catalogue.apps.put("triage")
    named = workspace.catalogue.apps.add_variant("triage", "tiny", variant, by="ann")
    workspace.catalogue.apps.release("triage", (Share(variant_id=named.variant_id),), by="ann")
    before = dict(workspace._blobs.sizes())
    other = tmp_path / "other.gguf"
    other.write_bytes(gguf(data=bytes(range(32))))
    state = workspace.models.start_pull(f"file:{other}", name="tiny", options=EngineOptions(context=512))
    async with asyncio.timeout(20):
        while not state.error and state.model is None:
            await asyncio.sleep(0)
            state = workspace.models.pull_progress(state.id)
    assert state.error_code == "conflict"
    assert "under another name with --name" in state.error
    assert workspace.catalogue.models.get("tiny").id == first.id
    assert dict(workspace._blobs.sizes()) == before  # the other weights are not left lying about
    assert (await pulled(workspace, file)).id == first.id  # the same set-up again moves nothing
