"""The shipped scorers through a whole experiment with repeats and clusters, against sums done elsewhere."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import sacrebleu
import scipy.stats
import sklearn.metrics
from paper import PaperTraces
from test_laboratory import Shelf
from trials import Ticks, span

from noria.core.apps import Variant
from noria.core.datasets import Case, dataset_id
from noria.core.experiments import ExperimentSpec, ExperimentVariant
from noria.core.messages import Message
from noria.core.replies import Choice, Reply
from noria.core.requests import Request
from noria.core.results import Comparison, Measured, Results
from noria.core.scores import ScorerSpec
from noria.core.spans import Span
from noria.evaluate.laboratory import Laboratory
from noria.scorers.registry import make

LABELS = ("bird", "cat", "dog")
REPEATS = 3
CLUSTERS, OF_CLUSTER = 8, 3
CASES = [
    Case(
        id=f"c{number:02}",
        input={"q": f"question {number}"},
        reference=None if number == 5 else f"a {LABELS[number % 3]} sat on mat {number % 4} and slept well",
        cluster=f"k{number // OF_CLUSTER}",
    )
    for number in range(CLUSTERS * OF_CLUSTER)
]
SKILL = {"old": 45, "new": 75}
"""Of a hundred answers, so many are right."""


def chance(*what: object) -> int:
    """0 to 99, the same in every run."""
    return int.from_bytes(hashlib.sha256(repr(what).encode()).digest()[:4]) % 100


def said(variant: str, case: str, repeat: int) -> str:
    number = int(case[1:])
    animal = LABELS[number % 3]
    if chance(variant, case, repeat) >= SKILL[variant]:
        animal = (*LABELS, "cow")[chance("which", variant, case, repeat) % 4]
    return f"a {animal} sat on mat {number % 4} and slept well"


def took_ns(variant: str, case: str, repeat: int) -> int:
    return 1_000_000 * (100 + chance("time", variant, case, repeat) + (30 if variant == "new" else 0))


class Bench:
    def __init__(self, folder: Path) -> None:
        self.now = Ticks()
        self.store = PaperTraces(folder / "traces.jsonl")
        self.judge_calls = 0
        numbers = map(str, itertools.count(1))
        self.laboratory = Laboratory(
            experiments=Shelf(),
            store=self.store,
            load_cases=lambda _: CASES,
            make_scorer=lambda spec: make(spec, ask=self.judge),
            make_call=lambda entry, _: lambda request: self.call(entry.name, request),
            now=self.now,
            new_id=lambda: next(numbers),
            environment=dict,
        )

    async def call(self, variant: str, request: Request) -> Span:
        case, repeat = request.lineage.case_id or "", request.lineage.repeat or 0
        made = span(request, self.now(), said(variant, case, repeat), number=0)
        return msgspec.structs.replace(made, end_ns=made.start_ns + took_ns(variant, case, repeat))

    async def judge(self, request: Request) -> tuple[Span, Reply]:
        """Likes answers with a cat."""
        self.judge_calls += 1
        verdict = "a cat sat" in request.messages[-1].text
        text = msgspec.json.encode({"reason": "cats", "verdict": verdict}).decode()
        reply = Reply(choices=(Choice(message=Message(role="assistant", content=text), finish_reason="stop"),))
        return span(request, self.now(), text, number=0), reply


def spec(*scorers: tuple[str, dict[str, Any]]) -> ExperimentSpec:
    return ExperimentSpec(
        name="animals",
        dataset_id=dataset_id(CASES),
        variants=tuple(
            ExperimentVariant(name=name, variant=Variant(model=f"fake/{name}", prompt_id="p")) for name in SKILL
        ),
        scorers=tuple(ScorerSpec(kind=kind, name=kind, options=options) for kind, options in scorers),
        baseline="old",
        repeats=REPEATS,
    )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    aliases = {label: tuple(f"a {label} sat on mat {n} and slept well" for n in range(4)) for label in LABELS}
    asked = spec(
        ("exact", {}),
        ("classify", {"labels": LABELS, "aliases": aliases}),
        ("bleu", {}),
        ("latency", {}),
        ("judge", {"model": "fake/judge", "rubric": "It should be a cat."}),
    )

    async def run() -> Results:
        bench = Bench(tmp_path_factory.mktemp("bench"))
        started = await bench.laboratory.start(asked, by="ada")
        done = await bench.laboratory.wait(started.id)
        assert (done.status, bench.judge_calls) == ("finished", 2 * REPEATS * len(CASES))
        assert done.results is not None
        return done.results

    return asyncio.run(run())


def measured(results: Results, variant: str, metric: str) -> Measured:
    [run] = [run for run in results.runs if run.variant == variant]
    [found] = [measure for measure in run.measures if measure.metric == metric]
    return found


def compared(results: Results, metric: str) -> Comparison:
    [found] = [comparison for comparison in results.comparisons if comparison.metric == metric]
    return found


def by_case(value: Any, cases: list[Case]) -> np.ndarray[Any, Any]:
    """One value a case: the mean over its repeats."""
    return np.array([np.mean([value(case, repeat) for repeat in range(REPEATS)]) for case in cases])


JUDGED = [case for case in CASES if case.reference is not None]
TRIES = [(case, repeat) for case in JUDGED for repeat in range(REPEATS)]


def label(text: str) -> str:
    return next((label for label in LABELS if f" {label} " in text), "(other)")


@pytest.mark.parametrize("variant", SKILL)
def test_exact_is_the_mean_over_cases_and_the_unlabelled_case_abstains(results: Results, variant: str) -> None:
    right = by_case(lambda case, repeat: said(variant, case.id, repeat) == case.reference, JUDGED)
    found = measured(results, variant, "exact")
    assert found.estimate.value == pytest.approx(right.mean())
    assert (found.estimate.n, found.estimate.clusters) == (REPEATS * len(JUDGED), CLUSTERS)
    assert (found.abstained, found.failed) == (REPEATS, 0)
    assert found.estimate.lower < right.mean() < found.estimate.upper


@pytest.mark.parametrize("variant", SKILL)
def test_classification_is_scikit_learns(results: Results, variant: str) -> None:
    actual = [label(case.reference) for case, _ in TRIES]
    predicted = [label(said(variant, case.id, repeat)) for case, repeat in TRIES]
    macro = sklearn.metrics.f1_score(actual, predicted, labels=LABELS, average="macro", zero_division=0)
    accuracy = sklearn.metrics.accuracy_score(actual, predicted)
    assert measured(results, variant, "classify.macro_f1").estimate.value == pytest.approx(macro)
    assert measured(results, variant, "classify.accuracy").estimate.value == pytest.approx(accuracy)
    [table] = next(run for run in results.runs if run.variant == variant).classifications
    confusion = sklearn.metrics.confusion_matrix(actual, predicted, labels=table.labels)
    assert [list(row) for row in table.confusion] == confusion.tolist()


@pytest.mark.parametrize("variant", SKILL)
def test_bleu_is_sacrebleus(results: Results, variant: str) -> None:
    answers, references = zip(
        *((said(variant, case.id, repeat), case.reference) for case, repeat in TRIES), strict=True
    )
    corpus = sacrebleu.corpus_bleu(answers, [references]).score
    sentence = np.mean(
        [sacrebleu.sentence_bleu(answer, [right]).score for answer, right in zip(answers, references, strict=True)]
    )
    assert measured(results, variant, "bleu.corpus_bleu").estimate.value == pytest.approx(corpus)
    assert measured(results, variant, "bleu").estimate.value == pytest.approx(sentence)


@pytest.mark.parametrize("variant", SKILL)
def test_latency_has_the_t_interval_of_its_cluster_means(results: Results, variant: str) -> None:
    seconds = by_case(lambda case, repeat: took_ns(variant, case.id, repeat) / 1e9, CASES)
    means = seconds.reshape(CLUSTERS, OF_CLUSTER).mean(axis=1)
    lower, upper = scipy.stats.t.interval(0.95, CLUSTERS - 1, means.mean(), scipy.stats.sem(means))
    found = measured(results, variant, "latency").estimate
    assert (found.value, found.lower, found.upper) == pytest.approx((means.mean(), lower, upper))
    assert found.standard_error == pytest.approx(scipy.stats.sem(means))


def test_the_judge_judges_every_answer_also_those_without_a_reference(results: Results) -> None:
    likes = by_case(lambda case, repeat: " cat " in said("new", case.id, repeat), CASES)
    found = measured(results, "new", "judge")
    assert found.estimate.value == pytest.approx(likes.mean())
    assert (found.estimate.n, found.abstained) == (REPEATS * len(CASES), 0)


def test_the_difference_in_latency_is_a_paired_t_test_over_clusters(results: Results) -> None:
    old, new = (by_case(lambda c, r, v=v: took_ns(v, c.id, r) / 1e9, CASES) for v in SKILL)
    means = (new - old).reshape(CLUSTERS, OF_CLUSTER).mean(axis=1)
    lower, upper = scipy.stats.t.interval(0.95, CLUSTERS - 1, means.mean(), scipy.stats.sem(means))
    found = compared(results, "latency").difference
    assert (found.value, found.lower, found.upper) == pytest.approx((means.mean(), lower, upper))


@pytest.mark.parametrize("metric", ["latency", "exact"])
def test_p_values_are_those_of_every_way_to_flip_whole_clusters(results: Results, metric: str) -> None:
    def value(variant: str, case: Case, repeat: int) -> float:
        return (
            took_ns(variant, case.id, repeat) / 1e9
            if metric == "latency"
            else float(said(variant, case.id, repeat) == case.reference)
        )

    cases = CASES if metric == "latency" else JUDGED
    old, new = (by_case(lambda c, r, v=v: value(v, c, r), cases) for v in SKILL)
    totals = np.zeros(CLUSTERS)
    np.add.at(totals, [int((case.cluster or "")[1:]) for case in cases], new - old)
    flips = np.array(list(itertools.product((1, -1), repeat=CLUSTERS))) @ totals
    p_value = np.mean(np.abs(flips) >= abs(totals.sum()) - 1e-9)
    found = compared(results, metric)
    assert found.p_value == pytest.approx(p_value)
    assert found.difference.value == pytest.approx((new - old).mean())


def test_holm_is_over_all_comparisons(results: Results) -> None:
    raw = np.array([comparison.p_value for comparison in results.comparisons])
    order = np.argsort(raw, kind="stable")
    steps = np.minimum(1, np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1)))
    adjusted = np.empty_like(steps)
    adjusted[order] = steps
    assert [comparison.p_adjusted for comparison in results.comparisons] == pytest.approx(list(adjusted))
    assert {"exact", "classify.accuracy", "classify.macro_f1", "bleu", "bleu.corpus_bleu", "latency", "judge"} == {
        comparison.metric for comparison in results.comparisons
    }
