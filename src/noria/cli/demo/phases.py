"""The six phases of the loop, each done through the API as a person would do it."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import msgspec

from noria.assemble.files import EvalPlan, diff
from noria.cli.api import Api
from noria.cli.command import Show
from noria.cli.demo.example import NAME
from noria.cli.demo.report import Report
from noria.cli.evaluate import run_plan
from noria.cli.models import pull_model
from noria.cli.prompts import fetch
from noria.cli.results import draw_results
from noria.cli.tables import megabytes, seconds, short_id, table
from noria.cli.trace_tree import trace_tree
from noria.core.apps import App, Release
from noria.core.errors import NoriaError, Unavailable
from noria.core.experiments import Experiment
from noria.core.models import EngineOptions
from noria.core.monitors import Monitor
from noria.core.questions import Aggregate, Filter, Question, Table
from noria.core.results import Comparison, Results
from noria.core.scores import ScorerSpec
from noria.core.struct import Noun
from noria.serve.shapes import AttachMonitor, NewRelease, PullModel, Trace, WeightedVariant

WEIGHTS = "smollm2-135m"
"""The embedded model."""
LEAN = "smollm2-135m-lean"
"""The same weights, set up for less memory."""
OPTIONS = EngineOptions(context=2048, slots=4)
LEAN_OPTIONS = EngineOptions(context=2048, slots=4, kv_cache="q8_0")
QUALITY = "topic.accuracy"
"""The metric that decides."""
CALLS = 24
"""Live calls of the demo."""
LABELS = ("medicine", "trivia")
MONITOR = f"{NAME}-known-label"


class Phases:
    """The demo's state on its way round: what one phase found, the next one uses."""

    def __init__(self, api: Api, show: Show, report: Report, example: Path) -> None:
        self._api = api
        self._show = show
        self._report = report
        self.folder = example
        """The example's folder."""
        self.model = f"local/{WEIGHTS}"
        """The set-up that was chosen."""
        self._experiment: Experiment | None = None
        self.promoted = False
        """Whether another variant than the baseline is in force, so that there is something to roll back."""
        self._serving_since_ns = 0

    @property
    def experiment(self) -> Experiment:
        """The experiment that the release rests on."""
        if self._experiment is None:
            raise NoriaError("The demo has not come to its experiment yet.")
        return self._experiment

    async def choose(self) -> None:
        """Two set-ups of the same weights, by quality, latency and memory."""
        self._report.phase(1, "Choose", "two set-ups of one model: quality, latency, memory")
        self._report.command(
            f"noria models pull {WEIGHTS} --context {OPTIONS.context}",
            f"noria models pull {WEIGHTS} --name {LEAN} --context {LEAN_OPTIONS.context} --kv-cache {LEAN_OPTIONS.kv_cache}",
            f"noria eval {self.folder / 'choose.yaml'}",
        )
        for name, options in ((WEIGHTS, OPTIONS), (LEAN, LEAN_OPTIONS)):
            model = await pull_model(self._api, self._show, PullModel(reference=WEIGHTS, name=name, options=options))
        self._report.say(f"{WEIGHTS}: {megabytes(model.size)}, {model.licence}, SHA-256 {model.sha256[:12]} checked.")
        experiment = await self._evaluate(EvalPlan(self.folder / "choose.yaml"))
        chosen, why = choose_set_up(results_of(experiment))
        self.model = next(v.variant.model for v in experiment.spec.variants if v.name == chosen)
        self._report.decision(f"{self.model}: {why}")

    async def adapt(self) -> None:
        """Two versions of the app's prompt."""
        self._report.phase(2, "Adapt", "two versions of the prompt")
        files = [self.folder / "prompts" / f"{version}.md" for version in ("v1", "v2")]
        self._report.command(f"noria prompts push {files[0]} {files[1]}")
        plan = EvalPlan(self.folder / "eval.yaml")
        for written in plan.prompt_files.values():
            await push(self._api, written.name, written.prompt, written.note)
        old, new = await fetch(self._api, f"{NAME}@1"), await fetch(self._api, f"{NAME}@2")
        lines = diff(old, new).splitlines()
        changed = sum(line[:1] in "+-" and line[:3] not in {"+++", "---"} for line in lines)
        for version in (old, new):
            self._report.say(f"{version.name}@{version.version}  {short_id(version.prompt_id)}  {version.note}")
        self._report.say(f"{changed} lines differ; `noria prompts diff` shows them.")

    async def evaluate(self) -> None:
        """Both prompts on the same cases, with intervals and a decision."""
        self._report.phase(3, "Evaluate", "both prompts, the same cases, paired statistics")
        plan = EvalPlan(self.folder / "eval.yaml")
        other = (
            "" if plan.file.variants[0].model == self.model else f"    # with {self.model} in place of the file's model"
        )
        self._report.command(f"noria eval {self.folder / 'eval.yaml'}{other}")
        plan.use_model(self.model)
        self._experiment = await self._evaluate(plan)

    async def serve(self) -> None:
        """Promote the winner, or say why not; then call the app as any program would."""
        self._report.phase(4, "Serve", "promote, and call with the official client")
        winner, reason = choose_variant(results_of(self.experiment), self.experiment.spec.baseline)
        release = await self._promote(winner, reason)
        self._report.decision(f"{NAME} serves {winner} ({short_id(release.id)}): {reason}")
        scorer = ScorerSpec(kind="one_of", name="known_label", options={"labels": list(LABELS)})
        await self._api.post("/api/monitors", Monitor, AttachMonitor(name=MONITOR, app=NAME, scorer=scorer))
        questions = unseen_questions(self.folder, CALLS)
        self._serving_since_ns = time.time_ns()
        self._report.command(
            f"openai.OpenAI(base_url='{self._api.server_url}/v1', api_key=...).chat.completions.create(",
            f"    model='{NAME}', messages=[...], stream=True)    # {len(questions)} questions it has not seen",
        )
        answers = await asyncio.to_thread(call_as_a_program, self._api.server_url, self._api.key, questions)
        rows = [(answer, question) for question, answer in list(zip(questions, answers, strict=True))[:3]]
        self._report.console.print(table("answer", "question", rows=rows), "")
        speed = await self._speed(release.id)
        percentiles = [
            (name, *(seconds(speed[f"{measure}_{column}"]) for measure in ("p50", "p90", "p99")), what)
            for name, column, what in (
                ("TTFT", "ttft_s", "from the request to the first token"),
                ("TPOT", "tpot_s", "each token after it"),
            )
        ]
        headers = (f"{speed['count']} calls", "p50", "p90", "p99", "")
        self._report.console.print(table(*headers, rows=percentiles, right=headers[1:4]))

    async def monitor(self) -> None:
        """What the live scorer says about those calls."""
        self._report.phase(5, "Monitor", "the same kind of scorer, on live calls")
        self._report.command(
            f"noria monitors attach {NAME} one_of --options '{json.dumps({'labels': LABELS})}'", "noria monitors list"
        )
        judged = await self._judgements()
        count, share = judged["count"], judged["mean_value"]
        self._report.say(f"{count} calls judged outside of their own time: {share:.0%} answered with a known label.")

    async def track(self) -> None:
        """One answer, back to everything that shaped it."""
        self._report.phase(6, "Track", "from an answer back to everything that shaped it")
        newest = await self._api.get("/api/traces", list[msgspec.Raw], app=NAME, limit=1)
        trace_id = msgspec.json.decode(newest[0], type=_TraceId).trace_id
        self._report.command(
            f"noria traces show {trace_id[:12]}", f"noria experiments show {short_id(self.experiment.id)}"
        )
        self._report.console.print(trace_tree(await self._api.get(f"/api/traces/{trace_id}", Trace)))
        facts = {**self.experiment.environment, "data set": self.experiment.spec.dataset_id}
        self._report.say(
            "To repeat the experiment:", ", ".join(f"{name} {value}" for name, value in facts.items()) + "."
        )

    async def _evaluate(self, plan: EvalPlan) -> Experiment:
        experiment = await run_plan(self._api, self._show, plan)
        if experiment.status != "finished":
            raise Unavailable(experiment.error, hint="Run `noria demo` again: it goes on from here.")
        draw_results(self._report.console, results_of(experiment), alpha=experiment.spec.alpha)
        return experiment

    async def _promote(self, winner: str, reason: str) -> Release:
        baseline = self.experiment.spec.baseline
        self.promoted = winner != baseline
        app = await self._api.get(f"/api/apps/{NAME}", App)
        if app.release is None:
            first = NewRelease(shares=(WeightedVariant(variant=baseline),), reason="The first version.")
            app = msgspec.structs.replace(
                app, release=await self._api.post(f"/api/apps/{NAME}/releases", Release, first)
            )
        [chosen] = [named.variant_id for named in app.variants if named.name == winner]
        if app.release and [share.variant_id for share in app.release.shares] == [chosen]:
            return app.release
        shares = (WeightedVariant(variant=winner),)
        wanted = NewRelease(shares=shares, reason=reason, experiment_id=self.experiment.id)
        return await self._api.post(f"/api/apps/{NAME}/releases", Release, wanted)

    async def _speed(self, release_id: str) -> dict[str, float]:
        measures = tuple(
            Aggregate(measure=measure, column=column)
            for column in ("ttft_s", "tpot_s")
            for measure in ("p50", "p90", "p99")
        )
        where = (Filter(column="release_id", value=release_id), Filter(column="status", value="ok"))
        question = Question(
            where=where, since_ns=self._serving_since_ns, measures=(Aggregate(measure="count"), *measures)
        )
        [row] = (await self._api.post("/api/traces/query", Table, question)).records()
        return row

    async def _judgements(self) -> dict[str, float]:
        """The monitor's findings, once it has caught up with the calls."""
        question = Question(
            source="scores",
            where=(Filter(column="monitor", value=MONITOR),),
            since_ns=self._serving_since_ns,
            measures=(Aggregate(measure="count"), Aggregate(measure="mean", column="value")),
        )
        for _ in range(50):
            [row] = (await self._api.post("/api/traces/query", Table, question)).records()
            if row["count"] >= CALLS:
                break
            await asyncio.sleep(0.1)
        return row


class _TraceId(Noun):
    """The one field of a span that is wanted."""

    trace_id: str
    """Its trace."""


def results_of(experiment: Experiment) -> Results:
    """Results of a finished experiment."""
    if experiment.results is None:
        raise NoriaError(f"Experiment {experiment.id} has no results.")
    return experiment.results


def quality_comparison(results: Results) -> Comparison:
    """The comparison that decides."""
    return next(c for c in results.comparisons if c.metric == QUALITY)


def choose_set_up(results: Results) -> tuple[str, str]:
    """Which set-up to take, and why: the leaner one, unless it is measurably worse or no leaner at all."""
    comparison = quality_comparison(results)
    memory = {run.variant: run.peak_memory_bytes or 0 for run in results.runs}
    saved = memory[comparison.baseline] - memory[comparison.candidate]
    if comparison.verdict == "worse":
        return comparison.baseline, f"the lean one saves {megabytes(saved)} and answers measurably worse."
    latency = next((c for c in results.comparisons if c.metric == "latency"), None)
    if latency is not None and latency.verdict == "worse":
        return comparison.baseline, f"the lean one saves {megabytes(saved)} and is measurably slower."
    if saved <= 0:
        return comparison.baseline, "the other one saves no memory here."
    return comparison.candidate, f"it saves {megabytes(saved)}, and no loss of quality or speed is measurable."


def choose_variant(results: Results, baseline: str) -> tuple[str, str]:
    """Which variant to release, and why: the candidate only when it is better beyond chance."""
    comparison = quality_comparison(results)
    if comparison.verdict == "better":
        return comparison.candidate, comparison.sentence
    return baseline, f"it stays, because {comparison.candidate} is not shown to be better. {comparison.sentence}"


async def push(api: Api, name: str, prompt: object, note: str) -> None:
    """Push one prompt."""
    await api.post("/api/prompts", msgspec.Raw, {"name": name, "prompt": prompt, "note": note})


def unseen_questions(example: Path, count: int) -> list[str]:
    """Questions that no experiment and no few-shot example has used: the last ones of the training split."""
    lines = (example / "data" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return [row["input"]["text"] for row in rows if row["metadata"].get("role") != "few-shot"][-count:]


def call_as_a_program(url: str, key: str, questions: list[str]) -> list[str]:
    """Call the app as any program would, with OpenAI's own client."""
    import openai  # noqa: PLC0415  # only the demo needs it

    client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
    answers = []
    for question in questions:
        stream = client.chat.completions.create(
            model=NAME, messages=[{"role": "user", "content": question}], stream=True
        )
        answers.append("".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))
    return answers
