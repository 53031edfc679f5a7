import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest

from noria.core.errors import Conflict, InvalidInput, UnknownName
from noria.core.scores import Aggregating, Classifying, ScorerSpec, Subject
from noria.scorers.kind import Kind
from noria.scorers.registry import find, kinds, make, options_schema

from .subjects import scorer

PLUGIN = Path(__file__).parent / "plugin"


def install(folder, name, entry_points, monkeypatch):
    """What an installer leaves behind, on ``sys.path``."""
    info = folder / f"{name.replace('-', '_')}-1.2.3.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2.3\n")
    lines = "".join(f"{kind} = {value}\n" for kind, value in entry_points.items())
    (info / "entry_points.txt").write_text(f"[noria.scorers]\n{lines}")
    monkeypatch.syspath_prepend(str(folder))


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """The plug-in package of this folder, installed."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
    shutil.copytree(PLUGIN / "noria_shout", tmp_path / "noria_shout")
    install(tmp_path, project["name"], project["entry-points"]["noria.scorers"], monkeypatch)
    yield
    sys.modules.pop("noria_shout", None)


async def test_a_strangers_scorer_works_like_a_built_in(plugin):
    made = make(ScorerSpec(kind="shout", name="calm", options={"share": 0.4}))
    score = await made.score(Subject(output="HELLo"))
    assert (score.scorer, score.value, score.reason) == ("calm", True, "80% of the letters are capitals.")
    assert score.version.startswith("shout@1+")
    assert await made.score(Subject(output="42")) is None
    assert isinstance(made, Aggregating)
    assert not isinstance(made, Classifying)
    assert made.aggregates() == ()
    card = kinds()["shout"]
    assert (card.package, card.description, card.better) == ("noria-shout", "Whether the answer shouts.", "lower")
    with pytest.raises(InvalidInput, match=r"'shout' has a wrong option.*share"):
        make(ScorerSpec(kind="shout", name="calm", options={"share": 2}))


def test_an_unknown_kind_names_near_ones():
    with pytest.raises(UnknownName, match="no scorer of kind 'exat'.*Did you mean exact"):
        scorer("exat")
    with pytest.raises(UnknownName, match="There are bleu, chrf"):
        scorer("zzzzzz")


def test_an_unknown_option_names_scorer_option_and_allowed_ones():
    with pytest.raises(InvalidInput) as caught:
        scorer("exact", ignorecase=True)
    assert str(caught.value) == (
        "The scorer 'my_exact' of kind 'exact' has no option 'ignorecase'. Did you mean ignore_case? "
        "Its options are ignore_case, strip, ignore_punctuation, ignore_articles."
    )
    with pytest.raises(InvalidInput, match="It has no options"):
        scorer("cost", zzz=1)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("exact", {"strip": "yes"}, r"Expected `bool`, got `str` - at `strip`"),
        ("numeric", {"take": "middle"}, r"Invalid enum value 'middle' - at `take`"),
        ("one_of", {}, r"Missing option `labels`"),
        ("classify", {"labels": ["a", 1]}, r"Expected `str`, got `int` - at `labels"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_wrong(kind, options, message):
    with pytest.raises(InvalidInput, match=f"The scorer 'my_{kind}' of kind '{kind}' has a wrong option: {message}"):
        scorer(kind, **options)


def test_a_version_names_code_and_options_and_ignores_defaults_and_names():
    plain = scorer("exact").version
    assert plain.startswith("exact@1+")
    assert scorer("exact", strip=True).version == plain
    assert make(ScorerSpec(kind="exact", name="other")).version == plain
    assert scorer("exact", strip=False).version != plain


def test_two_packages_with_one_kind_are_a_conflict(tmp_path, monkeypatch):
    install(tmp_path, "noria-rival", {"exact": "rival:KIND"}, monkeypatch)
    with pytest.raises(Conflict, match="'exact' is registered by noria and noria-rival"):
        find("exact")
    assert isinstance(find("contains"), Kind)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("no_such_module_here:KIND", "No module named 'no_such_module_here'"),
        ("noria.scorers.exact:NOTHING", "has no attribute 'NOTHING'"),
        ("noria.scorers.exact:judge", "is no noria.scorers.kind.Kind"),
    ],
)
def test_a_broken_plugin_is_named(tmp_path, monkeypatch, value, message):
    install(tmp_path, "noria-broken", {"broken": value}, monkeypatch)
    with pytest.raises(InvalidInput) as caught:
        find("broken")
    assert "'broken'" in str(caught.value)
    assert "'noria-broken'" in str(caught.value)
    assert message in str(caught.value)


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_the_schema_of_the_options_is_whole_and_closed(kind):
    schema = options_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert "$ref" not in str(schema)
    assert all(field["description"] for field in schema["properties"].values())


def test_the_schema_agrees_with_what_is_accepted():
    schema = options_schema("judge")
    jsonschema.validate({"model": "a/b", "rubric": "r", "scale": {"max": 5}}, schema)
    for wrong in ({"model": "a/b"}, {"model": "a/b", "rubric": "r", "scale": 5}, {"model": "ab", "rubric": "r"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_making_one_scorer_imports_no_other_and_nothing_heavy():
    code = (
        "import sys; from noria.core.scores import ScorerSpec; from noria.scorers.registry import make;"
        "make(ScorerSpec(kind='exact', name='x'));"
        "heavy = {'numpy', 'regex', 'jsonschema', 'noria.scorers.judge', 'noria.scorers.rouge'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
