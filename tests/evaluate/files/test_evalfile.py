from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trials import Exact

from noria.core.apps import Variant
from noria.core.datasets import Case
from noria.core.errors import InvalidInput, UnknownName
from noria.core.experiments import ExperimentVariant
from noria.core.prompts import Prompt, Variable
from noria.core.scores import Scorer, ScorerSpec
from noria.evaluate.files.evalfile import LoadedEval, check_cases, load, make_scorers, parse

FILE = """\
name: triage
dataset:
  path: data/reviews.jsonl
  input: {text: review}
  reference: label
  limit: 20
variants:
  - name: plain
    model: local/smollm2-135m
    prompt: prompts/v1.md
    params: {temperature: 0, max_tokens: 8}
  - {name: few-shot, model: local/smollm2-135m, prompt: triage@2}
  - {name: shipped, variant: triage/production}
scorers:
  - exact
  - {kind: one_of, name: label, labels: [yes, no]}
baseline: plain
pass_if: exact.lower > 0.6
"""


def loaded(text: str = FILE) -> LoadedEval:
    return parse(text.encode(), name="e.yaml", folder=Path("/tmp"))


def refusal(old: str, new: str) -> str:
    assert old in FILE
    with pytest.raises(InvalidInput) as caught:
        loaded(FILE.replace(old, new, 1))
    return str(caught.value)


def test_a_file_becomes_a_spec() -> None:
    file = loaded().file
    assert file.dataset.input == {"text": "review"}
    assert [entry.prompt_file for entry in file.variants] == [True, False, False]
    assert file.variants[0].params.max_tokens == 8
    variants = [ExperimentVariant(name=e.name, variant=Variant(model=e.model or "m/m")) for e in file.variants]
    spec = file.spec("dataset_1", variants)
    assert spec.scorers == (
        ScorerSpec(kind="exact", name="exact"),
        ScorerSpec(kind="one_of", name="label", options={"labels": ["yes", "no"]}),
    )
    assert (spec.baseline, spec.limit, spec.gates) == ("plain", 20, ("exact.lower > 0.6",))


def test_the_first_variant_is_the_baseline_where_none_is_named() -> None:
    file = loaded(FILE.replace("baseline: plain\n", "")).file
    assert file.spec("d", []).baseline == "plain"


def test_load_reads_a_file_and_knows_its_folder(tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text(FILE)
    assert load(tmp_path / "e.yaml").folder == tmp_path
    with pytest.raises(InvalidInput, match=r"gone\.yaml cannot be read: No such file"):
        load(tmp_path / "gone.yaml")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "max_tokens",
            "max_tokns",
            'e.yaml:11:30: unknown key "variants[0].params.max_tokns". Did you mean max_tokens?',
        ),
        ("scorers:", "scorer:", 'e.yaml:14:1: unknown key "scorer". Did you mean scorers?'),
        ("reference:", "xyzzy:", "Known here: path, format, input, reference"),
        ("temperature: 0", "temperature: hot", "e.yaml:11:14: variants[0].params.temperature: Expected `float | null`"),
        ("limit: 20", "limit: 0", "e.yaml:6:3: dataset.limit: Expected `int` >= 1"),
        ("limit: 20", "on_error: halt", "e.yaml:6:3: dataset.on_error: Invalid enum value 'halt'"),
        ("input: {text: review}", "input: {text: 3}", "e.yaml:4:3: dataset.input: Expected `str`, got `int`"),
        ("  path: data/reviews.jsonl\n", "", "e.yaml:2:1: dataset: Object missing required field `path`"),
        ("name: triage\n", "", "e.yaml:1:1: Object missing required field `name`"),
        ("baseline: plain", "baseline: plane", 'e.yaml:17:1: the baseline "plane" is no variant'),
        ("baseline: plain", "baseline: plane", "Did you mean plain?"),
        ("name: few-shot", "name: plain", 'e.yaml:12:5: two variants are called "plain"'),
        ("name: label", "name: exact", 'e.yaml:16:5: two scorers are called "exact"'),
        (
            "variant: triage/production",
            "prompt: x@1",
            'the variant "shipped" needs either a model or a variant of an app',
        ),
        ("{name: shipped, ", "{name: shipped, model: a/b, ", "needs either a model or a variant of an app"),
        ("{name: shipped, ", "{name: shipped, prompt: a@1, ", "whose prompt and params cannot be changed here"),
        (
            "local/smollm2-135m",
            "smollm2-135m",
            'e.yaml:9:5: the model "smollm2-135m" is not of the form provider/model',
        ),
        ("kind: one_of, ", "", "e.yaml:16:5: a scorer needs a kind"),
        ("name: label", "name: 3", "e.yaml:16:20: the name of a scorer must be text"),
        ("name: triage", "name: triage\nname: again", 'e.yaml:2:1: the key "name" is there twice'),
        ("name: triage", "name: [", "this is not YAML"),
    ],
)
def test_a_mistake_is_named_with_its_place(old: str, new: str, sentence: str) -> None:
    assert sentence in refusal(old, new)


def test_scorers_are_made_in_order_and_refused_with_their_place() -> None:
    def make(spec: ScorerSpec) -> Scorer:
        if spec.kind == "one_of":
            raise UnknownName('There is no scorer "one_of".', hint="Did you mean exact?")
        return Exact(spec.name)

    with pytest.raises(InvalidInput) as caught:
        make_scorers(loaded(), make)
    assert str(caught.value) == 'e.yaml:16:5: There is no scorer "one_of". Did you mean exact?'
    assert [scorer.name for scorer in make_scorers(loaded(), lambda spec: Exact(spec.name))] == ["exact", "label"]


def test_prompt_variables_must_be_in_every_case() -> None:
    prompt = Prompt(blocks=(), variables={"text": Variable(), "tone": Variable(required=False)})
    cases = [Case(id="1", input={"text": "a"}, reference="p"), Case(id="2", input={"texts": "b"})]
    check_cases(loaded(), cases[:1], prompts={"plain": prompt}, scorers=[])
    with pytest.raises(InvalidInput) as caught:
        check_cases(loaded(), cases, prompts={"plain": prompt}, scorers=[])
    assert str(caught.value) == (
        'e.yaml:10:5: the prompt needs the variable "text", but the input of case 2 has texts. Did you mean texts?'
    )
    with pytest.raises(InvalidInput, match=r"e\.yaml:13:21: .*Add it: dataset\.input: \{text: COLUMN\}"):
        check_cases(loaded(), [Case(id="3", input={})], prompts={"shipped": prompt}, scorers=[])


def test_a_scorer_that_needs_a_reference_is_refused_where_no_case_has_one() -> None:
    with pytest.raises(InvalidInput, match=r'e\.yaml:15:5: the scorer "exact" needs a reference.*dataset\.reference'):
        check_cases(loaded(), [Case(id="1", input={})], prompts={}, scorers=[Exact()])
    check_cases(
        loaded(), [Case(id="1", input={}, reference="x"), Case(id="2", input={})], prompts={}, scorers=[Exact()]
    )


def test_a_case_that_a_scorer_cannot_judge_is_refused_before_a_call_is_paid_for() -> None:
    class Picky(Exact):
        def check_case(self, case: Case) -> None:
            if case.reference == "odd":
                raise InvalidInput("The reference odd is none of the labels.", hint="Add it to labels.")

    cases = [Case(id="1", input={}, reference="even"), Case(id="2", input={}, reference="odd")]
    with pytest.raises(InvalidInput, match=r"e\.yaml:15:5: case 2: The reference odd .*Add it to labels"):
        check_cases(loaded(), cases, prompts={}, scorers=[Picky()])
    check_cases(loaded(), cases[:1], prompts={}, scorers=[Picky()])


@given(st.text(max_size=200) | st.sampled_from(FILE.split("\n")).map(lambda line: FILE.replace(line, "")))
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        assert loaded(text).file.variants
    except InvalidInput as error:
        assert str(error).startswith("e.yaml")


@given(st.data())
def test_no_wrong_value_breaks_the_parser(data: st.DataObject) -> None:
    lines = FILE.splitlines()
    line = data.draw(st.sampled_from([line for line in lines if ": " in line]))
    value = data.draw(st.sampled_from(["[]", "{}", "null", "1", "-1", "x", "[[1]]", "{a: {b: 1}}", "true", "''", "*a"]))
    try:
        loaded(FILE.replace(line, line.partition(": ")[0] + ": " + value))
    except InvalidInput as error:
        assert str(error).startswith("e.yaml:")
