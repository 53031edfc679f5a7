"""Models, data sets, experiments and monitors."""

import msgspec
import pytest

from noria.core.apps import Variant
from noria.core.datasets import Dataset
from noria.core.errors import InvalidInput, UnknownName
from noria.core.experiments import Experiment, ExperimentSpec, ExperimentStatus, ExperimentVariant, Run
from noria.core.models import EngineOptions, LocalModel
from noria.core.monitors import Monitor
from noria.core.results import Estimate, Measured, Results, RunSummary
from noria.core.scores import ScorerSpec
from noria.stores.catalogue import Catalogue

EXACT = ScorerSpec(kind="exact", name="exact")


def model(name: str = "tiny", sha256: str = "a" * 64, context: int = 4096) -> LocalModel:
    return LocalModel(
        name=name, sha256=sha256, size=7, source="file:tiny", options=EngineOptions(context=context), created_ns=5
    )


def experiment(
    id: str, *, name: str = "boolq", app: str | None = None, status: ExperimentStatus = "finished", created_ns: int = 1
) -> Experiment:
    variant = Variant(model="local/tiny")
    spec = ExperimentSpec(
        name=name, dataset_id="dataset_1", variants=(ExperimentVariant(name="a", variant=variant),), scorers=(EXACT,),
        baseline="a",
    )  # fmt: skip
    runs = (Run(id="run_1", variant_name="a", variant_id=variant.id),)
    return Experiment(id=id, spec=spec, runs=runs, status=status, created_ns=created_ns, app=app)


def test_models_are_replaced_by_name(catalogue: Catalogue) -> None:
    assert catalogue.models.put(model()) == model()
    catalogue.models.put(model(context=512))
    assert catalogue.models.get("tiny") == model(context=512)
    catalogue.models.put(model("other"))
    assert [item.name for item in catalogue.models.list()] == ["other", "tiny"]


def test_a_model_without_a_time_gets_one(catalogue: Catalogue) -> None:
    timeless = msgspec.structs.replace(model(), created_ns=0)
    assert catalogue.models.put(timeless).created_ns > 0
    assert catalogue.models.get("tiny").created_ns > 0


def test_weights_know_who_uses_them(catalogue: Catalogue) -> None:
    for name, sha256 in [("b", "a" * 64), ("a", "a" * 64), ("c", "c" * 64)]:
        catalogue.models.put(model(name, sha256))
    assert catalogue.models.using("a" * 64) == [model("a"), model("b")]
    assert catalogue.models.remove("a") == model("a")
    assert catalogue.models.using("a" * 64) == [model("b")]
    assert catalogue.models.using("b" * 64) == []


def test_unknown_models(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownName, match="There is none yet"):
        catalogue.models.remove("tiny")
    catalogue.models.put(model())
    with pytest.raises(UnknownName, match="Did you mean tiny"):
        catalogue.models.get("tinny")
    with pytest.raises(InvalidInput, match="model name"):
        catalogue.models.put(model("local/tiny"))


def dataset(id: str, name: str = "BoolQ, dev", blob: str = "f" * 64) -> Dataset:
    return Dataset(id=id, name=name, size=3, blob=blob, columns=("question",))


def test_data_sets_by_id_name_and_beginning(catalogue: Catalogue) -> None:
    one, two = dataset("dataset_aaaaaa11"), dataset("dataset_aaaaaa22")
    catalogue.datasets.put(one)
    catalogue.datasets.put(two)
    assert catalogue.datasets.get(one.id) == one
    assert catalogue.datasets.get("BoolQ, dev") == two, "a name is its newest version"
    assert catalogue.datasets.get("aaaaaa1") == one
    assert catalogue.datasets.get("dataset_aaaaaa2") == two
    with pytest.raises(InvalidInput, match="could be several: dataset_aaaaaa11, dataset_aaaaaa22"):
        catalogue.datasets.get("aaaaaa")
    assert catalogue.datasets.list() == [two, one]


def test_a_data_set_put_again_is_the_newest_of_its_name(catalogue: Catalogue) -> None:
    one, two = dataset("dataset_aaaaaa11"), dataset("dataset_aaaaaa22")
    for item in (one, two, one):
        catalogue.datasets.put(item)
    assert catalogue.datasets.get("BoolQ, dev") == one
    assert catalogue.datasets.list() == [one, two]


def test_one_data_set_may_have_two_names(catalogue: Catalogue) -> None:
    one, two = dataset("dataset_aaaaaa11", "a"), dataset("dataset_aaaaaa11", "b")
    catalogue.datasets.put(one)
    catalogue.datasets.put(two)
    assert (catalogue.datasets.get("a"), catalogue.datasets.get("b")) == (one, two)
    assert catalogue.datasets.get("aaaaaa") == two


def test_unknown_data_sets(catalogue: Catalogue) -> None:
    catalogue.datasets.put(dataset("dataset_aaaaaa11", "boolq"))
    for ref in ("bolq", "dataset_", "a\0b", "ffffffff", "%" * 8):
        with pytest.raises(UnknownName, match="no data set"):
            catalogue.datasets.get(ref)
    with pytest.raises(InvalidInput, match="no text"):
        catalogue.datasets.put(dataset("dataset_b", "a\0"))


def test_saving_an_experiment_again_replaces_it(catalogue: Catalogue) -> None:
    catalogue.experiments.save(experiment("exp-123456", status="running"))
    catalogue.experiments.save(experiment("exp-123456"))
    assert catalogue.experiments.list() == [experiment("exp-123456")]
    assert catalogue.experiments.get("exp-123456") == experiment("exp-123456")
    assert catalogue.experiments.get("exp-12") == experiment("exp-123456")


def test_experiments_are_newest_first(catalogue: Catalogue) -> None:
    for number, created_ns in [(1, 10), (2, 30), (3, 20), (4, 30)]:
        catalogue.experiments.save(experiment(f"e{number}", created_ns=created_ns))
    assert [item.id for item in catalogue.experiments.list()] == ["e4", "e2", "e3", "e1"]
    assert [item.id for item in catalogue.experiments.list(limit=2)] == ["e4", "e2"]
    for limit in (0, -1, 10**9):
        with pytest.raises(InvalidInput, match="limit"):
            catalogue.experiments.list(limit=limit)


def test_experiments_by_name_and_app(catalogue: Catalogue) -> None:
    catalogue.experiments.save(experiment("e1", name="x", app="one"))
    catalogue.experiments.save(experiment("e2", name="y", app="one"))
    catalogue.experiments.save(experiment("e3", name="x"))
    assert [item.id for item in catalogue.experiments.list(name="x")] == ["e3", "e1"]
    assert [item.id for item in catalogue.experiments.list(app="one")] == ["e2", "e1"]
    assert [item.id for item in catalogue.experiments.list(name="x", app="one")] == ["e1"]
    assert catalogue.experiments.list(app="two") == []


def test_the_newest_unfinished_experiment_is_resumed(catalogue: Catalogue) -> None:
    spec_id = experiment("x").spec_id
    assert catalogue.experiments.unfinished(spec_id) is None
    catalogue.experiments.save(experiment("e1", status="interrupted", created_ns=1))
    catalogue.experiments.save(experiment("e2", status="running", created_ns=2))
    catalogue.experiments.save(experiment("e3", status="finished", created_ns=3))
    catalogue.experiments.save(experiment("e4", name="another spec", status="running", created_ns=4))
    found = catalogue.experiments.unfinished(spec_id)
    assert found is not None
    assert found.id == "e2"
    catalogue.experiments.save(experiment("e2", status="finished", created_ns=2))
    catalogue.experiments.save(experiment("e1", status="failed", created_ns=1))
    assert catalogue.experiments.unfinished(spec_id) == experiment("e1", status="failed", created_ns=1)


def test_an_experiments_variants_can_be_looked_up(catalogue: Catalogue) -> None:
    catalogue.experiments.save(experiment("e1"))
    tried = Variant(model="local/tiny")
    assert catalogue.apps.variant(tried.id) == tried


def test_what_json_cannot_carry_is_refused_before_it_is_written(catalogue: Catalogue) -> None:
    nan = Estimate(value=float("nan"), lower=0, upper=0, standard_error=0, n=1, clusters=1, method="t")
    run = RunSummary(
        variant="a", run_id="r", cases=1, calls=1, errors=0, cached=0,
        measures=(Measured(metric="exact", estimate=nan),),
    )  # fmt: skip
    broken = msgspec.structs.replace(experiment("e1"), results=Results(runs=(run,)))
    with pytest.raises(InvalidInput, match="Experiment holds a value that JSON can't carry"):
        catalogue.experiments.save(broken)
    assert catalogue.experiments.list() == []


def test_unknown_experiments(catalogue: Catalogue) -> None:
    catalogue.experiments.save(experiment("abcdef1"))
    catalogue.experiments.save(experiment("abcdef2"))
    with pytest.raises(InvalidInput, match="could be several: abcdef1, abcdef2"):
        catalogue.experiments.get("abcdef")
    for ref in ("abc", "zzzzzz", "a\0bcdefg"):
        with pytest.raises(UnknownName, match="no experiment"):
            catalogue.experiments.get(ref)


def monitor(name: str, app: str = "boolq") -> Monitor:
    return Monitor(name=name, app=app, scorer=EXACT, rate=0.5, created_ns=3)


def test_monitors_by_name_and_app(catalogue: Catalogue) -> None:
    for app in ("boolq", "other"):
        catalogue.apps.put(app)
    for item in (monitor("b"), monitor("a"), monitor("c", "other")):
        assert catalogue.monitors.put(item) == item
    assert [item.name for item in catalogue.monitors.list()] == ["a", "b", "c"]
    assert catalogue.monitors.list("other") == [monitor("c", "other")]
    moved = monitor("a", "other")
    catalogue.monitors.put(moved)
    assert catalogue.monitors.get("a") == moved
    assert catalogue.monitors.remove("a") == moved
    assert [item.name for item in catalogue.monitors.list()] == ["b", "c"]


def test_a_monitor_needs_an_app_and_gets_a_time(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownName, match="no app 'boolq'"):
        catalogue.monitors.put(monitor("a"))
    catalogue.apps.put("boolq")
    assert catalogue.monitors.put(msgspec.structs.replace(monitor("a"), created_ns=0)).created_ns > 0


def test_unknown_monitors(catalogue: Catalogue) -> None:
    with pytest.raises(UnknownName, match="no monitor 'a'. There is none yet"):
        catalogue.monitors.get("a")
    with pytest.raises(UnknownName):
        catalogue.monitors.remove("a")
    with pytest.raises(InvalidInput):
        catalogue.monitors.list("no/app")
