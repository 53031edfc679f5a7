from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from noria.core.errors import InvalidInput
from noria.core.requests import Parameters
from noria.core.scores import Scorer, ScorerSpec
from noria.evaluate.files.datasets import Source
from noria.evaluate.files.evalfile import EvalFile, VariantEntry, make_scorers, parse
from noria.evaluate.files.schema import eval_schema, field_docs
from noria.scorers.registry import kinds, make, options_schema

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "eval-file.md").read_text()
EXAMPLE = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]
STRUCTS = (EvalFile, Source, VariantEntry, Parameters)


@functools.cache
def published() -> str:
    schema = eval_schema({kind: options_schema(kind) for kind in kinds()})
    return json.dumps(schema, indent=2) + "\n"


async def never(_: Any) -> Any:
    raise AssertionError


def make_one(spec: ScorerSpec) -> Scorer:
    return make(spec, ask=never)


def test_the_published_schema_is_the_one_of_the_code() -> None:
    again = f"Run: python {Path(__file__).relative_to(DOCS.parent)}"
    assert (DOCS / "eval.schema.json").read_text() == published(), again


def test_the_documented_example_is_valid_and_its_scorers_exist() -> None:
    loaded = parse(EXAMPLE.encode(), name="eval-file.md", folder=DOCS)
    assert [scorer.name for scorer in make_scorers(loaded, make_one)] == ["latency", "accuracy", "label", "helpful"]
    jsonschema.validate(yaml.safe_load(EXAMPLE), json.loads(published()))


@pytest.mark.parametrize("struct", STRUCTS)
def test_every_key_is_documented_under_its_field_and_on_the_page(struct: type[msgspec.Struct]) -> None:
    names = {field.encode_name for field in msgspec.structs.fields(struct)}
    assert set(field_docs(struct)) == names
    assert all(re.search(rf"\b{name}:|`{name}`", PAGE) for name in names)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("repeats: 1", "repeats: 0"),
        ("repeats: 1", "repeat: 1"),
        ("max_tokens: 8\n", "max_tokns: 8\n"),
        ("path: data/reviews.jsonl", "file: data/reviews.jsonl"),
        ("- latency ", "- latencies "),
        ("- latency ", "- classify "),
        ("labels: [positive, negative]}", "label: [positive, negative]}"),
        ("ignore_case: true", "ignore_case: 3"),
        ("on_error: stop", "on_error: halt"),
    ],
)
def test_schema_and_parser_refuse_the_same_mistakes(old: str, new: str) -> None:
    assert old in EXAMPLE
    wrong = EXAMPLE.replace(old, new, 1)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(wrong), json.loads(published()))
    with pytest.raises(InvalidInput, match=r"^e\.yaml:\d+:\d+: "):
        make_scorers(parse(wrong.encode(), name="e.yaml", folder=DOCS), make_one)


def test_without_kinds_any_scorer_is_allowed() -> None:
    jsonschema.validate(yaml.safe_load(EXAMPLE.replace("- latency ", "- mine ")), eval_schema())
    jsonschema.Draft202012Validator.check_schema(eval_schema())
    jsonschema.Draft202012Validator.check_schema(json.loads(published()))


if __name__ == "__main__":
    (DOCS / "eval.schema.json").write_text(published())
