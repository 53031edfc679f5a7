"""Whatever a noun holds, it comes back as it went in."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from noria.core.apps import Share, Variant
from noria.core.datasets import Dataset
from noria.core.experiments import Experiment, ExperimentSpec, ExperimentVariant, Run
from noria.core.models import EngineOptions, LocalModel
from noria.core.monitors import Monitor
from noria.core.prompts import Block, Prompt, Variable
from noria.core.requests import Parameters
from noria.core.results import Comparison, Estimate, Results
from noria.core.scores import ScorerSpec
from noria.stores.catalogue import Catalogue

# One catalogue serves all examples of a test: each is written over or beside the others.
in_one_catalogue = settings(
    max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
plain_text = any_text.filter(lambda text: "\0" not in text)
names = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,63}", fullmatch=True)
finite = st.floats(allow_nan=False, allow_infinity=False)
whole = st.integers(-(2**53), 2**53)
times = st.integers(1, 2**62)
json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | whole | finite | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=5,
)
objects = st.dictionaries(any_text, json, max_size=3)


def tuples(items: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, max_size=3).map(tuple)


variables = st.builds(
    Variable, type=st.sampled_from(["string", "list"]), description=any_text, required=st.booleans(), default=json
)
blocks = st.builds(
    Block, role=st.sampled_from(["system", "user", "conversation"]), template=any_text, each_example=st.booleans()
)
prompts = st.builds(
    Prompt, blocks=tuples(blocks), variables=st.dictionaries(any_text, variables, max_size=2), examples=tuples(objects)
)
parameters = st.builds(
    Parameters, temperature=st.none() | finite, max_tokens=st.none() | whole, stop=tuples(any_text),
    response_schema=st.none() | objects, extra=objects,
)  # fmt: skip
variants = st.builds(Variant, model=any_text, model_id=st.none() | any_text, params=parameters)
scorers = st.builds(ScorerSpec, kind=any_text, name=any_text, options=objects)
models = st.builds(
    LocalModel, name=names, sha256=st.from_regex(r"[0-9a-f]{64}", fullmatch=True), size=whole, source=any_text,
    options=st.builds(EngineOptions, context=whole, flash_attention=st.none() | st.booleans()), licence=any_text,
    created_ns=times,
)  # fmt: skip
datasets = st.builds(
    Dataset, id=st.from_regex(r"dataset_[0-9a-f]{32}", fullmatch=True), name=plain_text, size=whole, blob=any_text,
    columns=tuples(any_text),
)  # fmt: skip
monitors = st.builds(
    Monitor, name=names, app=st.just("boolq"), scorer=scorers, rate=finite,
    created_ns=times, created_by=any_text,
)  # fmt: skip
estimates = st.builds(
    Estimate, value=finite, lower=finite, upper=finite, standard_error=finite, n=whole, clusters=whole, method=any_text
)
comparisons = st.builds(
    Comparison, metric=any_text, baseline=any_text, candidate=any_text, difference=estimates, p_value=finite,
    p_adjusted=finite, detectable=finite, more_cases=st.none() | whole,
    verdict=st.sampled_from(["better", "undecided"]), sentence=any_text,
)  # fmt: skip
specs = st.builds(
    ExperimentSpec, name=plain_text, dataset_id=any_text,
    variants=tuples(st.builds(ExperimentVariant, name=any_text, variant=variants, label=any_text)),
    scorers=tuples(scorers), baseline=any_text, gates=tuples(any_text), limit=st.none() | whole,
)  # fmt: skip
experiments = st.builds(
    Experiment, id=st.uuids().map(str), spec=specs,
    runs=tuples(st.builds(Run, id=any_text, variant_name=any_text, variant_id=any_text)),
    status=st.sampled_from(["running", "interrupted", "failed", "finished"]), created_ns=times,
    app=st.none() | plain_text, error=any_text, environment=objects,
    results=st.none() | st.builds(Results, runs=st.just(()), comparisons=tuples(comparisons), wall_s=finite),
)  # fmt: skip


@in_one_catalogue
@given(prompts, plain_text, plain_text)
def test_prompts(catalogue: Catalogue, prompt: Prompt, by: str, note: str) -> None:
    pushed, _ = catalogue.prompts.push("any", prompt, by=by, note=note)
    back = catalogue.prompts.get("any", prompt.id)
    assert back == pushed
    assert back.prompt == prompt
    assert back.prompt.id == back.prompt_id == prompt.id
    assert catalogue.prompts.by_id(prompt.id) == prompt


@in_one_catalogue
@given(variants, st.floats(0.001, 1e9), plain_text, plain_text)
def test_variants_and_releases(catalogue: Catalogue, variant: Variant, weight: float, by: str, reason: str) -> None:
    catalogue.apps.put("boolq", reason)
    named = catalogue.apps.add_variant("boolq", "a", variant, by=by)
    assert catalogue.apps.variant(variant.id) == variant
    share = Share(variant_id=named.variant_id, weight=weight)
    made = catalogue.apps.release("boolq", [share], by=by, reason=reason)
    app = catalogue.apps.get("boolq")
    assert (app.variants, app.release) == ((named,), made)
    assert made.shares == (share,)


@in_one_catalogue
@given(models)
def test_models(catalogue: Catalogue, model: LocalModel) -> None:
    catalogue.models.put(model)
    assert catalogue.models.get(model.name) == model
    assert catalogue.models.get(model.name).id == model.id


@in_one_catalogue
@given(datasets)
def test_data_sets(catalogue: Catalogue, dataset: Dataset) -> None:
    catalogue.datasets.put(dataset)
    assert catalogue.datasets.get(dataset.id) == dataset
    assert catalogue.datasets.list()[0] == dataset


@in_one_catalogue
@given(monitors)
def test_monitors(catalogue: Catalogue, monitor: Monitor) -> None:
    catalogue.apps.put("boolq")
    catalogue.monitors.put(monitor)
    assert catalogue.monitors.get(monitor.name) == monitor


@in_one_catalogue
@given(experiments)
def test_experiments(catalogue: Catalogue, experiment: Experiment) -> None:
    catalogue.experiments.save(experiment)
    back = catalogue.experiments.get(experiment.id)
    assert back == experiment
    assert back.spec_id == experiment.spec_id
