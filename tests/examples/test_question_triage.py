"""The example is what its README says: balanced, unleaked, with files that fit each other."""

import json
from collections import Counter
from pathlib import Path

import pytest

from noria.adapt.prompts import read_prompt, render
from noria.assemble.files import EvalPlan

FOLDER = Path(__file__).parent.parent.parent / "examples" / "question-triage"


def rows(name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (FOLDER / "data" / name).read_text().splitlines()]


def text(row: dict[str, object]) -> str:
    given = row["input"]
    assert isinstance(given, dict)
    return str(given["text"])


@pytest.mark.parametrize("file", ["choose.yaml", "eval.yaml"])
def test_evaluation_files_fit_their_data_and_prompts(file: str) -> None:
    plan = EvalPlan(FOLDER / file)
    plan.check({name: written.prompt for name, written in plan.prompt_files.items()})
    assert len(plan.cases) == 179


def test_the_cases_are_balanced_and_say_where_they_come_from() -> None:
    cases = rows("questions.jsonl")
    assert Counter(case["reference"] for case in cases) == {"trivia": 90, "medicine": 89}
    for case in cases + rows("train.jsonl"):
        metadata = case["metadata"]
        assert isinstance(metadata, dict)
        assert metadata["licence"] in {"MIT", "CC-BY-SA-3.0"}
        assert metadata["source"]


def test_no_question_is_in_both_files() -> None:
    tests, train = ({text(row) for row in rows(name)} for name in ("questions.jsonl", "train.jsonl"))
    assert len(tests) == 179
    assert not tests & train


def test_the_solved_examples_come_from_the_training_file() -> None:
    shown = {(row["text"], row["topic"]) for row in read_prompt(FOLDER / "prompts" / "v2.md").prompt.examples}
    train = {(text(row), row["reference"]) for row in rows("train.jsonl")}
    assert len(shown) == 10
    assert shown <= train


def test_the_first_word_gives_nothing_away() -> None:
    """The README's claim: the best rule on the first word alone is no better than chance."""
    by_word: dict[str, Counter[object]] = {}
    for case in rows("questions.jsonl"):
        by_word.setdefault(text(case).split()[0], Counter())[case["reference"]] += 1
    right = sum(counts.most_common(1)[0][1] for counts in by_word.values())
    assert right / 179 < 0.52


def test_the_prompt_shows_the_question_last() -> None:
    messages = render(read_prompt(FOLDER / "prompts" / "v2.md").prompt, {"text": "what is a heart?"})
    assert len(messages) == 21
    assert messages[-1].content == "Question: what is a heart?\nTopic:"
