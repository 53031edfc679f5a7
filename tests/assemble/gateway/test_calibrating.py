"""Thresholds from labelled pairs: real questions, an embedder of letters, and bounds that hold."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from noria.assemble.gateway.calibrating import calibrate, upper_bound
from noria.core.caching import Pair, calibration_id
from noria.core.errors import InvalidInput

QUESTIONS = Path(__file__).parents[3] / "examples" / "question-triage" / "data" / "questions.jsonl"


def questions() -> list[str]:
    rows = [json.loads(line) for line in QUESTIONS.read_text().splitlines()]
    return sorted({str(row["input"]["text"]) for row in rows})


async def letters(_: str, text: str) -> Sequence[float]:
    """Counts of three letters in a row, hashed: alike is what is spelt alike."""
    found = np.zeros(512)
    plain = f"  {text.lower().strip(' ?!.')} "
    for start in range(len(plain) - 2):
        found[hash(tuple(map(ord, plain[start : start + 3]))) % 512] += 1
    return [float(number) for number in found]


def real_pairs() -> list[Pair]:
    """Each question as people also type it, and each with its neighbour in the alphabet, which is the likest by its letters."""
    asked = questions()
    same = [
        Pair(a=one, b=one.replace("what is", "whats").replace("the ", "").rstrip("?") + "??", same=True)
        for one in asked
    ]
    different = [Pair(a=one, b=other, same=False) for one, other in itertools.pairwise(asked)]
    return same + different


async def test_real_questions_and_their_neighbours() -> None:
    found = await calibrate(real_pairs(), letters, embedder="p/e", most_false=0.2)
    assert found.threshold is not None
    assert found.measured is not None
    assert found.id == calibration_id("p/e", found.threshold)
    assert found.measured.upper <= 0.2
    assert found.measured.false_hit_rate < found.measured.hit_rate
    assert found.same + found.different < len(real_pairs())  # the other half chose
    rates = [row.false_hit_rate for row in found.table]
    assert rates == sorted(rates, reverse=True)
    assert await calibrate(real_pairs()[::-1], letters, embedder="p/e", most_false=0.2) == found


async def test_where_no_threshold_is_good_enough_there_is_no_calibration() -> None:
    few = real_pairs()[:10] + real_pairs()[-10:]
    found = await calibrate(few, letters, embedder="p/e", most_false=0.001)
    assert (found.id, found.threshold) == ("", None)
    assert "2995 without a false hit would do" in found.said


async def test_pairs_that_can_not_be_told_apart() -> None:
    async def blind(*_: str) -> Sequence[float]:
        return (1.0, 0.0)

    found = await calibrate(real_pairs(), blind, embedder="p/e", most_false=0.05)
    assert found.id == ""


async def test_both_kinds_are_needed() -> None:
    with pytest.raises(InvalidInput, match="too few pairs"):
        await calibrate([pair for pair in real_pairs() if pair.same], letters, embedder="p/e", most_false=0.05)


@pytest.mark.parametrize(
    ("count", "of", "upper"),
    [(0, 10, 1 - 0.05**0.1), (0, 299, 1 - 0.05 ** (1 / 299)), (5, 100, 0.10225), (10, 10, 1.0), (1, 20, 0.21611)],
)
def test_the_bound_is_clopper_and_pearsons(count: int, of: int, upper: float) -> None:
    assert math.isclose(upper_bound(count, of), upper, abs_tol=2e-4)
