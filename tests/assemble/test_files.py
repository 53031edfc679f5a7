import json
from pathlib import Path

import pytest

from noria.assemble.files import EvalPlan, published_schema
from noria.core.errors import InvalidInput
from noria.core.prompts import Prompt

FILE = """name: t
dataset: {path: data.jsonl}
variants:
- {name: a, model: fake/m, prompt: p.md}
- {name: b, variant: app/other}
scorers: [exact]
"""


def plan(
    folder: Path, text: str = FILE, prompt: str = "---\nvariables: {text: string}\n---\n# user\n{{ text }}\n"
) -> EvalPlan:
    (folder / "eval.yaml").write_text(text)
    (folder / "p.md").write_text(prompt)
    (folder / "data.jsonl").write_text(json.dumps({"id": "1", "input": {"text": "x"}, "reference": "y"}) + "\n")
    return EvalPlan(folder / "eval.yaml")


def test_a_plan_holds_what_the_file_names(tmp_path: Path) -> None:
    found = plan(tmp_path)
    assert found.dataset_name == "data"
    assert [case.id for case in found.cases] == ["1"]
    assert list(found.prompt_files) == ["a"]
    found.check({"a": found.prompt_files["a"].prompt})


def test_another_model_takes_the_place_of_those_that_are_named(tmp_path: Path) -> None:
    found = plan(tmp_path)
    found.use_model("local/tiny")
    assert [entry.model for entry in found.file.variants] == ["local/tiny", None]


def test_a_mistake_in_a_prompt_file_is_placed_in_the_evaluation_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"eval\.yaml:4:\d+: .*p\.md: The user block uses 'ghost'"):
        plan(tmp_path, prompt="# user\n{{ ghost }}")


def test_a_case_without_what_the_prompt_needs_is_found_before_any_call(tmp_path: Path) -> None:
    found = plan(tmp_path)
    needing: Prompt = found.prompt_files["a"].prompt
    (tmp_path / "data.jsonl").write_text('{"id": "1", "input": {"txt": "x"}, "reference": "y"}\n')
    found = EvalPlan(tmp_path / "eval.yaml")
    with pytest.raises(InvalidInput, match='needs the variable "text"'):
        found.check({"a": needing})


def test_an_error_of_a_variant_is_placed(tmp_path: Path) -> None:
    error = plan(tmp_path).error_in(1, InvalidInput("No such app."))
    assert ":5:" in str(error)
    assert "No such app." in str(error)


def test_the_published_schema_knows_the_installed_scorers() -> None:
    text = json.dumps(published_schema())
    assert "rubric" in text
    assert "ignore_case" in text
